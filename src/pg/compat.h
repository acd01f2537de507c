#pragma once

#include <string_view>

/// What differs between the PostgreSQL versions that are supported (15 to 18), and nothing else.

extern "C" {
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "commands/explain.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "parser/parse_relation.h"
#include "postmaster/bgworker.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/wait_event.h"
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"  // 16: ErrorSaveContext, soft errors
#include "varatt.h"           // 16: split from postgres.h
#endif
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"  // 18: ExplainProperty… moved here
#include "commands/explain_state.h"   // 18: ExplainState moved here
#endif
}

namespace kafka_fdw::pg {

/// 16 has input functions that report bad input without raising. 15 has none: a subtransaction stands in for it.
constexpr bool has_soft_input_errors = PG_VERSION_NUM >= 160000;

/// 17 gives extensions wait events with names of their own.
inline uint32 wait_event_extension(const char* name) {
#if PG_VERSION_NUM >= 170000
  return WaitEventExtensionNew(name);
#else
  (void)name;
  return PG_WAIT_EXTENSION;
#endif
}

/// Raises 42501 unless the user has USAGE on the server. 16 replaced the functions per kind of object. Inside a guard.
inline void check_server_usage(Oid server, Oid user) {
#if PG_VERSION_NUM >= 160000
  const AclResult result = object_aclcheck(ForeignServerRelationId, server, user, ACL_USAGE);
#else
  const AclResult result = pg_foreign_server_aclcheck(server, user, ACL_USAGE);
#endif
  if (result != ACLCHECK_OK) aclcheck_error(result, OBJECT_FOREIGN_SERVER, GetForeignServer(server)->servername);
}

/// Whether the member has the role's rights or may take them by SET ROLE. 16 made these options of a membership; ADMIN
/// alone gives neither.
inline bool may_act_as(Oid member, Oid role) {
#if PG_VERSION_NUM >= 160000
  return has_privs_of_role(member, role) || member_can_set_role(member, role);
#else
  return is_member_of_role(member, role);
#endif
}

/// The same for pg_has_role.
constexpr std::string_view acting_privileges = PG_VERSION_NUM >= 160000 ? "USAGE, SET" : "MEMBER";

/// 17 lets a worker connect as a role that may not log in.
#if PG_VERSION_NUM >= 170000
constexpr uint32 worker_connection_flags = BGWORKER_BYPASS_ROLELOGINCHECK;
#else
constexpr uint32 worker_connection_flags = 0;
#endif

/// 16 gave the tree walkers the type of their callback, which C++ insists on.
inline bool walk_expression(Node* node, bool (*walker)(Node*, void*), void* context) {
#if PG_VERSION_NUM >= 160000
  return expression_tree_walker(node, walker, context);
#else
  return expression_tree_walker(node, reinterpret_cast<bool (*)()>(reinterpret_cast<void*>(walker)), context);
#endif
}

inline bool walk_query(Query* query, bool (*walker)(Node*, void*), void* context) {
#if PG_VERSION_NUM >= 160000
  return query_tree_walker(query, walker, context, 0);
#else
  return query_tree_walker(query, reinterpret_cast<bool (*)()>(reinterpret_cast<void*>(walker)), context, 0);
#endif
}

/// 17 added fdw_restrictinfo, 18 disabled_nodes.
inline ForeignPath* create_foreign_scan_path(PlannerInfo* root, RelOptInfo* rel, double rows, Cost startup_cost,
                                             Cost total_cost, List* pathkeys, Relids required_outer,
                                             List* fdw_private) {
#if PG_VERSION_NUM >= 180000
  return create_foreignscan_path(root, rel, nullptr, rows, 0, startup_cost, total_cost, pathkeys, required_outer,
                                 nullptr, NIL, fdw_private);
#elif PG_VERSION_NUM >= 170000
  return create_foreignscan_path(root, rel, nullptr, rows, startup_cost, total_cost, pathkeys, required_outer, nullptr,
                                 NIL, fdw_private);
#else
  return create_foreignscan_path(root, rel, nullptr, rows, startup_cost, total_cost, pathkeys, required_outer, nullptr,
                                 fdw_private);
#endif
}

/// 18 replaced the strategy of a btree.
inline bool is_descending(const PathKey* key) {
#if PG_VERSION_NUM >= 180000
  return key->pk_cmptype == COMPARE_GT;
#else
  return key->pk_strategy == BTGreaterStrategyNumber;
#endif
}

/// The number of a btree strategy. 18 renamed the member, and its values are the same.
inline int row_compare_strategy(const RowCompareExpr* comparison) {
#if PG_VERSION_NUM >= 180000
  return comparison->cmptype;
#else
  return comparison->rctype;
#endif
}

/// Looks at the members of an equivalence class that may be of the relation. 18 keeps those of child relations apart.
template <class Visit>
void for_each_member(EquivalenceClass* equivalence, const RelOptInfo* rel, Visit visit) {
#if PG_VERSION_NUM >= 180000
  EquivalenceMemberIterator iterator;
  setup_eclass_member_iterator(&iterator, equivalence, rel->relids);
  while (const EquivalenceMember* member = eclass_member_iterator_next(&iterator)) visit(member);
#else
  (void)rel;
  for (int i = 0; i < list_length(equivalence->ec_members); ++i)
    visit(static_cast<const EquivalenceMember*>(list_nth(equivalence->ec_members, i)));
#endif
}

/// A range table of one relation that rows are inserted into. 16 moved privileges out of it, 18 wants to know which
/// entries were not pruned.
inline void init_range_table(EState* estate, Oid relation, Bitmapset* inserted_columns) {
  RangeTblEntry* entry = makeNode(RangeTblEntry);
  entry->rtekind = RTE_RELATION;
  entry->relid = relation;
  entry->relkind = RELKIND_RELATION;
  entry->rellockmode = RowExclusiveLock;
#if PG_VERSION_NUM >= 160000
  List* privileges = NIL;
  RTEPermissionInfo* info = addRTEPermissionInfo(&privileges, entry);
  info->requiredPerms = ACL_INSERT;
  info->insertedCols = inserted_columns;
#if PG_VERSION_NUM >= 180000
  ExecInitRangeTable(estate, list_make1(entry), privileges, bms_make_singleton(1));
#else
  ExecInitRangeTable(estate, list_make1(entry), privileges);
#endif
#else
  entry->requiredPerms = ACL_INSERT;
  entry->insertedCols = inserted_columns;
  ExecInitRangeTable(estate, list_make1(entry));
#endif
}

/// 16 made a function of it.
inline TupleConversionMap* root_to_child_map(ResultRelInfo* partition, EState* estate) {
#if PG_VERSION_NUM >= 160000
  return ExecGetRootToChildMap(partition, estate);
#else
  (void)estate;
  return partition->ri_RootToPartitionMap;
#endif
}

/// 16 added onlySummarizing, for updates.
inline List* insert_index_tuples(ResultRelInfo* relation, TupleTableSlot* slot, EState* estate) {
#if PG_VERSION_NUM >= 160000
  return ExecInsertIndexTuples(relation, slot, estate, false, false, nullptr, NIL, false);
#else
  return ExecInsertIndexTuples(relation, slot, estate, false, false, nullptr, NIL);
#endif
}

/// The role whose rights a scan has: of the view's owner within a view. 16 moved it from the range table to the plan.
inline Oid scan_user(ForeignScanState* node) {
  const auto* plan = reinterpret_cast<const ForeignScan*>(node->ss.ps.plan);
#if PG_VERSION_NUM >= 160000
  const Oid user = plan->checkAsUser;
#else
  const Oid user = exec_rt_fetch(plan->scan.scanrelid, node->ss.ps.state)->checkAsUser;
#endif
  return OidIsValid(user) ? user : GetUserId();
}

/// The lock in shared memory, or null where it is not to be had at once. 18 can log who has it. Inside a guard.
inline const LOCK* try_lock(const LOCKTAG& tag, LOCKMODE mode) {
  LOCALLOCK* local = nullptr;
#if PG_VERSION_NUM >= 180000
  const LockAcquireResult result = LockAcquireExtended(&tag, mode, false, true, true, &local, false);
#else
  const LockAcquireResult result = LockAcquireExtended(&tag, mode, false, true, true, &local);
#endif
  return result == LOCKACQUIRE_NOT_AVAIL ? nullptr : local->lock;
}

/// Before 17 a subtransaction is refused in parallel mode.
constexpr bool can_subtransact_in_parallel_mode = PG_VERSION_NUM >= 170000;

}  // namespace kafka_fdw::pg

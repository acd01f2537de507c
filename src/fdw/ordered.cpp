#include "fdw/ordered.h"

#include "pg/compat.h"

extern "C" {
#include "catalog/pg_opfamily.h"
}

namespace kafka_fdw::fdw {

namespace {

/// The attribute of the table that the key sorts by: the partition's or the offset's. 0: something else.
AttrNumber sorted_attribute(const PathKey* key, const RelOptInfo* baserel, const RelationSize& size) {
  if (key->pk_opfamily != INTEGER_BTREE_FAM_OID || key->pk_eclass->ec_has_volatile) return 0;
  AttrNumber found = 0;
  pg::for_each_member(key->pk_eclass, baserel, [&](const EquivalenceMember* member) {
    if (!IsA(member->em_expr, Var) || !bms_equal(member->em_relids, baserel->relids)) return;
    const AttrNumber attribute = reinterpret_cast<const Var*>(member->em_expr)->varattno;
    if (attribute > 0 && (attribute == size.partition_column || attribute == size.offset_column)) found = attribute;
  });
  return found;
}

/// A leaf. The number of keys that the order answers: 0, 1 or 2.
int match(const List* keys, const RelOptInfo* baserel, const RelationSize& size, ScanOrder* order) {
  AttrNumber previous = 0;
  int count = 0;
  for (; count < Min(2, list_length(keys)); ++count) {
    const auto* key = static_cast<const PathKey*>(list_nth(keys, count));
    const AttrNumber attribute = sorted_attribute(key, baserel, size);
    if (attribute == 0 || attribute == previous) break;
    const bool of_partition = attribute == size.partition_column;
    (of_partition ? order->partition_descending : order->offset_descending) = pg::is_descending(key);
    if (count == 0) order->kind = of_partition ? ScanOrder::Kind::by_partition : ScanOrder::Kind::by_offset;
    previous = attribute;
  }
  return count;
}

}  // namespace

std::optional<OfferedOrder> order_for_query(PlannerInfo* root, RelOptInfo* baserel, const RelationSize& size) {
  OfferedOrder offered{};
  const int count = pg::call([&] { return match(root->query_pathkeys, baserel, size, &offered.order); });
  if (count == 0) return std::nullopt;
  offered.pathkeys = pg::call([&] { return list_truncate(list_copy(root->query_pathkeys), count); });
  return offered;
}

}  // namespace kafka_fdw::fdw

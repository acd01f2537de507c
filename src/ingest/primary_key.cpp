#include "ingest/primary_key.h"

#include "ingest/fail.h"

extern "C" {
#include "access/genam.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/ruleutils.h"
}

namespace kafka_fdw::ingest {

namespace {

/// What is found in the catalog; nothing in it has a destructor.
struct FoundKey {
  bool exists = false;
  bool usable = false;
  int count = 0;
  AttrNumber columns[INDEX_MAX_KEYS];
  Oid equalities[INDEX_MAX_KEYS];
};

// Leaves: they may raise.

void read_key(Relation index, FoundKey* found) {
  found->exists = true;
  found->usable = index->rd_index->indimmediate && index->rd_rel->relam == BTREE_AM_OID;
  found->count = IndexRelationGetNumberOfKeyAttributes(index);
  for (int i = 0; i < found->count && found->usable; ++i) {
    const Oid type = index->rd_opcintype[i];
    found->columns[i] = index->rd_index->indkey.values[i];
    found->equalities[i] = get_opfamily_member(index->rd_opfamily[i], type, type, BTEqualStrategyNumber);
  }
}

FoundKey find_key(Oid relation) {
  FoundKey found;
  Relation open = relation_open(relation, AccessShareLock);
  List* indexes = RelationGetIndexList(open);
  for (int i = 0; i < list_length(indexes) && !found.exists; ++i) {
    Relation index = index_open(list_nth_oid(indexes, i), AccessShareLock);
    if (index->rd_index->indisprimary) read_key(index, &found);
    index_close(index, NoLock);
  }
  relation_close(open, NoLock);
  return found;
}

}  // namespace

std::string KeyColumn::equal(const std::string& left, const std::string& right) const {
  return pg::call([&] {
    StringInfoData clause;
    initStringInfo(&clause);
    generate_operator_clause(&clause, left.c_str(), type, equality, right.c_str(), type);
    return static_cast<const char*>(clause.data);
  });
}

std::vector<KeyColumn> require_primary_key(Oid relation) {
  const FoundKey found = pg::call([&] { return find_key(relation); });
  const char* name = pg::call([&] { return get_rel_name(relation); });
  if (!found.exists)
    fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
         "\"" + std::string(name) + "\" has no primary key, which an envelope needs",
         "Add one by ALTER TABLE … ADD PRIMARY KEY, of the columns that say which row a message is about.");
  if (!found.usable)
    fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
         "the primary key of \"" + std::string(name) + "\" is not one that an envelope can use",
         "It must be neither DEFERRABLE nor WITHOUT OVERLAPS.");
  std::vector<KeyColumn> key;
  for (int i = 0; i < found.count; ++i) {
    KeyColumn column{.name = pg::call([&] { return get_attname(relation, found.columns[i], false); }),
                     .type = pg::call([&] { return get_atttype(relation, found.columns[i]); }),
                     .equality = found.equalities[i]};
    key.push_back(std::move(column));
  }
  return key;
}

}  // namespace kafka_fdw::ingest

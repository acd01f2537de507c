#include "fdw/statement.h"

#include <algorithm>

namespace kafka_fdw::fdw {

namespace {

/// Known to the process while its statement's context lives.
struct Entry {
  Entry(MemoryContext context, Oid table, std::vector<int32_t> partitions)
      : statement(context), relation(table), snapshot{std::move(partitions), {}, {}, {}, {}} {
    entries().push_back(this);
  }
  ~Entry() { std::erase(entries(), this); }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

  static std::vector<Entry*>& entries() {
    static auto* all = new std::vector<Entry*>;
    return *all;
  }

  MemoryContext statement;
  Oid relation;
  TopicSnapshot snapshot;
};

}  // namespace

TopicSnapshot* find_snapshot(MemoryContext statement, Oid relation) {
  for (Entry* entry : Entry::entries())
    if (entry->statement == statement && entry->relation == relation) return &entry->snapshot;
  return nullptr;
}

TopicSnapshot& keep_snapshot(MemoryContext statement, Oid relation, std::vector<int32_t> partitions) {
  return pg::make_owned<Entry>(statement, statement, relation, std::move(partitions)).snapshot;
}

}  // namespace kafka_fdw::fdw

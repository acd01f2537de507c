#include "fdw/estimate.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "fdw/comparand.h"
#include "fdw/message_source.h"
#include "fdw/scoped_lease.h"
#include "fdw/selection.h"
#include "fdw/watermarks.h"
#include "module.h"
#include "pg/wait.h"

extern "C" {
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
}

namespace kafka_fdw::fdw {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds longest_question{500};
constexpr double default_messages = 100000;

/// The watermarks of a topic, or that they could not be had.
struct Known {
  pg::Clock::time_point since;
  std::optional<std::vector<kafka::Watermarks>> watermarks;
};

using Key = std::tuple<Oid, Oid, std::string>;  ///< server, user, topic

std::map<Key, Known>& known_topics() {
  static auto* topics = new std::map<Key, Known>;
  return *topics;
}

bool is_fresh(const Known& known) { return pg::Clock::now() - known.since < milliseconds(settings.metadata_ttl_ms); }

void remember(const Key& key, std::optional<std::vector<kafka::Watermarks>> watermarks) {
  std::erase_if(known_topics(), [](const auto& entry) { return !is_fresh(entry.second); });
  known_topics().insert_or_assign(key, Known{pg::Clock::now(), std::move(watermarks)});
}

/// No topic has that name: what is known of it is that the server does not answer.
Key key_of_server(const Table& table, Oid user) { return {table.server, user, ""}; }

const Known* find_known(const Key& key) {
  const auto known = known_topics().find(key);
  return known != known_topics().end() && is_fresh(known->second) ? &known->second : nullptr;
}

/// A plan over many tables waits for a dead broker once.
void remember_failure(const Table& table, Oid user, kafka::ErrorClass failure) {
  if (failure == kafka::ErrorClass::unreachable || failure == kafka::ErrorClass::no_leader ||
      failure == kafka::ErrorClass::timed_out)
    remember(key_of_server(table, user), std::nullopt);
}

std::optional<std::vector<kafka::Watermarks>> ask(const Table& table, Oid user) {
  try {
    ScopedLease lease(load_connection(table.server, user, table.properties, kafka::Reading::few));
    auto watermarks = ask_watermarks(lease.client(), table.topic, std::min(connect_timeout(), longest_question));
    lease.give_back();
    return watermarks;
  } catch (const kafka::Error& error) {
    remember_failure(table, user, error.error_class());
    return std::nullopt;  // the scan will say what is wrong
  }
}

std::optional<std::vector<kafka::Watermarks>> watermarks_of(const Table& table, Oid user) {
  const Key key{table.server, user, table.topic};
  if (const Known* known = find_known(key)) return known->watermarks;
  if (find_known(key_of_server(table, user)) != nullptr) return std::nullopt;
  auto watermarks = ask(table, user);
  remember(key, watermarks);
  return watermarks;
}

/// The values that the planner can see: constants, and parameters where it plans for given ones.
std::vector<Comparand> comparands_of_plan(PlannerInfo* root, const Table& table, const Pushdown& pushdown) {
  std::vector<Comparand> comparands(static_cast<size_t>(list_length(pushdown.expressions)), Comparand{.known = false});
  for_each_comparison(pushdown.condition, [&](const Condition& comparison) {
    auto* expression = static_cast<Node*>(list_nth(pushdown.expressions, comparison.expression));
    Node* estimated = pg::call([&] { return estimate_expression_value(root, expression); });
    if (!IsA(estimated, Const)) return;
    const auto* constant = reinterpret_cast<const Const*>(estimated);
    comparands[static_cast<size_t>(comparison.expression)] = make_comparand(
        comparison, table.shape.encoding, constant->consttype, constant->constvalue, constant->constisnull);
  });
  return comparands;
}

double count(const kafka::OffsetSet& set, const std::vector<kafka::Watermarks>& watermarks) {
  double messages = 0;
  for (const auto& [partition, low, high] : watermarks)
    for (const kafka::Interval& interval : set.of_partition(partition))
      messages += static_cast<double>(std::max<int64_t>(0, std::min(high, interval.to) - std::max(low, interval.from)));
  return messages;
}

/// Of clauses that may look at other relations, whose rows are known then.
double selectivity(PlannerInfo* root, const RelOptInfo* rel, List* clauses) {
  return pg::call(
      [&] { return clauselist_selectivity(root, clauses, static_cast<int>(rel->relid), JOIN_INNER, nullptr); });
}

double expected_of_batch(const Table& table) {
  const BoundBatch* batch = bound_batch();
  return batch == nullptr ? -1 : batch->expected_rows(table);
}

}  // namespace

Estimate estimate_scan(PlannerInfo* root, const RelOptInfo* rel, const Table& table, const Pushdown& pushdown) {
  const std::vector<Comparand> comparands = comparands_of_plan(root, table, pushdown);
  if (select(pushdown.condition, comparands).empty()) return {0, 0, 0};

  Estimate estimate{.messages = default_messages, .read = default_messages, .rows = 0};
  bool counted = false;
  if (const double expected = expected_of_batch(table); expected >= 0) {
    estimate.messages = estimate.read = expected;
  } else if (const auto watermarks = watermarks_of(table, OidIsValid(rel->userid) ? rel->userid : GetUserId())) {
    const auto partitions = static_cast<int32_t>(watermarks->size());
    const auto slices = select(pushdown.condition, comparands, partition_of_keys(table, partitions));
    estimate.messages = count(kafka::OffsetSet::all(), *watermarks);
    estimate.read = count(without_times(slices).all(), *watermarks);
    counted = std::ranges::all_of(comparands, &Comparand::known);
  }
  if (!counted) estimate.read *= selectivity(root, rel, pushdown.pushed);
  estimate.rows = estimate.read * selectivity(root, rel, pushdown.local);
  if (pushdown.timed != NIL) estimate.read *= selectivity(root, rel, pushdown.timed);
  return estimate;
}

void remember_watermarks(const Table& table, Oid user, const std::vector<kafka::Watermarks>& watermarks) {
  known_topics().erase(key_of_server(table, user));
  remember({table.server, user, table.topic}, watermarks);
}

}  // namespace kafka_fdw::fdw

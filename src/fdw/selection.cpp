#include "fdw/selection.h"

#include <algorithm>

#include "pg/wait.h"

namespace kafka_fdw::fdw {

namespace {

using kafka::Interval;
using kafka::OffsetSet;
using Column = Condition::Column;
using Kind = Condition::Kind;
using Operator = Condition::Operator;

constexpr int64_t highest = OffsetSet::max_offset;
/// Every moment that is looked up costs a request to the brokers: a list of more is taken for the time that it spans.
constexpr size_t most_moments = 32;

int64_t next(int64_t value) { return value == highest ? highest : value + 1; }

/// Adds the integers from 0 on for which the comparison may be true, for a set of offsets or of times. None of them is
/// as high as the highest int64.
void add_numbers_with(Operator op, const Number& number, std::vector<Interval>& numbers) {
  const auto& [below, above, fuzzy] = number;
  const bool integer = below == above;
  switch (op) {
    case Operator::less:
      numbers.push_back({0, above});
      break;
    case Operator::less_equal:
      numbers.push_back({0, next(fuzzy ? above : below)});
      break;
    case Operator::equal:
      if (integer || fuzzy) numbers.push_back({below, next(above)});
      break;
    case Operator::greater_equal:
      numbers.push_back({fuzzy ? below : above, highest});
      break;
    case Operator::greater:
      numbers.push_back({next(below), highest});
      break;
    case Operator::not_equal:
      numbers.push_back({0, integer && !fuzzy ? below : highest});
      if (integer && !fuzzy) numbers.push_back({next(above), highest});
      break;
  }
}

/// Combines what set(first, count) makes of pieces of a list, in its order and by halves, so that a long list costs
/// n log n. count is not 0, and that of a piece is at most `piece`.
template <class Set, class Combine>
auto fold(size_t first, size_t count, size_t piece, const Set& set, const Combine& combine)
    -> decltype(set(first, count)) {
  if (count <= piece) return set(first, count);
  auto left = fold(first, count / 2, piece, set, combine);
  auto right = fold(first + count / 2, count - count / 2, piece, set, combine);
  pg::check_interrupts();
  return combine(left, right);
}

OffsetSet either(const OffsetSet& a, const OffsetSet& b) { return a | b; }
OffsetSet both(const OffsetSet& a, const OffsetSet& b) { return a & b; }

/// The numbers of a set of offsets as partitions.
OffsetSet as_partitions(const OffsetSet& numbers) {
  const std::vector<Interval>& intervals = numbers.of_partition(0);
  if (intervals.empty()) return OffsetSet::none();
  const auto set = [&](size_t i, size_t) { return OffsetSet::partitions(intervals[i].from, intervals[i].to); };
  return fold(0, intervals.size(), 1, set, either);
}

/// What a comparison selects of values of which set(first, count) says what any of these selects.
template <class Set>
OffsetSet set_of_values(const Condition& comparison, const Comparand& comparand, size_t count, const Set& set) {
  constexpr size_t piece = 1024;
  if (!comparand.known) return OffsetSet::all();
  if (comparand.is_null) return OffsetSet::none();
  if (comparison.kind != Kind::compare_all) return count == 0 ? OffsetSet::none() : fold(0, count, piece, set, either);
  if (comparand.has_null) return OffsetSet::none();
  return count == 0 ? OffsetSet::all() : fold(0, count, 1, set, both);
}

OffsetSet set_of_numbers(const Condition& comparison, const Comparand& comparand) {
  return set_of_values(comparison, comparand, comparand.numbers.size(), [&](size_t first, size_t count) {
    std::vector<Interval> intervals;
    for (size_t i = first; i < first + count; ++i) add_numbers_with(comparison.op, comparand.numbers[i], intervals);
    return OffsetSet::offsets(std::move(intervals));
  });
}

OffsetSet partitions_of_keys(const Condition& comparison, const Comparand& comparand,
                             const PartitionOfKey& partition_of_key) {
  if (!partition_of_key) return OffsetSet::all();
  return set_of_values(comparison, comparand, comparand.keys.size(), [&](size_t first, size_t count) {
    OffsetSet partitions = OffsetSet::none();
    for (size_t i = first; i < first + count; ++i) {
      const int64_t partition = partition_of_key(comparand.keys[i]);
      partitions = partitions | (partition < 0 ? OffsetSet::all() : OffsetSet::partitions(partition, partition + 1));
    }
    return partitions;
  });
}

/// The times, as offsets, that a comparison selects, or more than those.
OffsetSet times_of(const Condition& comparison, const Comparand& comparand) {
  OffsetSet times = set_of_numbers(comparison, comparand);
  const std::vector<Interval>& intervals = times.of_partition(0);
  if (intervals.size() <= most_moments) return times;
  return OffsetSet::offsets(intervals.front().from, intervals.back().to);
}

/// What the comparisons of one condition came to.
class Evaluation {
 public:
  Evaluation(const Condition& condition, std::span<const Comparand> comparands, const PartitionOfKey& partition_of_key)
      : condition_(condition) {
    for_each_comparison(condition, [&](const Condition& comparison) {
      sets_.push_back(set_of(comparison, comparands[static_cast<size_t>(comparison.expression)], partition_of_key));
      if (comparison.column == Column::timestamp) note_moments(sets_.back());
      has_times_ = has_times_ || comparison.column == Column::timestamp;
    });
    std::ranges::sort(moments_);
    moments_.erase(std::unique(moments_.begin(), moments_.end()), moments_.end());
    if (moments_.size() > 2 * most_moments) moments_.clear();
    ignores_times_ = moments_.empty();
  }

  std::vector<TimeSlice> slices() {
    std::vector<TimeSlice> result;
    add(result, {.times = std::nullopt, .selection = at({})});
    if (!has_times_) return result;
    moments_.insert(moments_.begin(), 0);
    for (size_t i = 0; i < moments_.size(); ++i) {
      const Interval times{moments_[i], i + 1 < moments_.size() ? moments_[i + 1] : highest};
      if (times.from < times.to) add(result, {.times = times, .selection = at(times.from)});
    }
    return result;
  }

 private:
  static OffsetSet set_of(const Condition& comparison, const Comparand& comparand,
                          const PartitionOfKey& partition_of_key) {
    switch (comparison.column) {
      case Column::partition:
        return as_partitions(set_of_numbers(comparison, comparand));
      case Column::offset:
        return set_of_numbers(comparison, comparand);
      case Column::timestamp:
        return times_of(comparison, comparand);
      case Column::key:
        return partitions_of_keys(comparison, comparand, partition_of_key);
    }
    return OffsetSet::all();
  }

  void note_moments(const OffsetSet& times) {
    for (const Interval& interval : times.of_partition(0)) {
      moments_.push_back(interval.from);
      if (interval.to < highest) moments_.push_back(interval.to);
    }
  }

  static void add(std::vector<TimeSlice>& slices, TimeSlice slice) {
    if (slice.selection.all().empty()) return;
    const bool continues = slice.times && !slices.empty() && slices.back().times &&
                           slices.back().times->to == slice.times->from && slices.back().selection == slice.selection;
    if (continues)
      slices.back().times->to = slice.times->to;
    else
      slices.push_back(std::move(slice));
  }

  /// For messages of that time, or for those without one.
  Selection at(std::optional<int64_t> time_ms) {
    next_set_ = 0;
    return selection_of(condition_, time_ms);
  }

  Selection selection_of(const Condition& condition, std::optional<int64_t> time_ms) {
    if (condition.is_comparison()) return selection_of_comparison(condition, sets_[next_set_++], time_ms);
    const std::vector<Condition>& children = condition.children;
    if (children.empty())
      return {OffsetSet::none(), condition.kind == Kind::any_of ? OffsetSet::none() : OffsetSet::all()};
    const auto of_child = [&](size_t i, size_t) { return selection_of(children[i], time_ms); };
    return fold(0, children.size(), 1, of_child, condition.kind == Kind::any_of ? any_of : all_of);
  }

  Selection selection_of_comparison(const Condition& comparison, const OffsetSet& set,
                                    std::optional<int64_t> time_ms) const {
    const bool bounds = (comparison.column == Column::offset || comparison.column == Column::timestamp) &&
                        comparison.op >= Operator::equal && comparison.op <= Operator::greater;
    const OffsetSet selected = comparison.column == Column::timestamp ? set_at(set, time_ms) : set;
    return bounds ? Selection{selected, OffsetSet::none()} : Selection{OffsetSet::none(), selected};
  }

  OffsetSet set_at(const OffsetSet& times, std::optional<int64_t> time_ms) const {
    if (!time_ms) return OffsetSet::none();
    if (ignores_times_) return times.empty() ? OffsetSet::none() : OffsetSet::all();
    const auto holds = [&](const Interval& interval) { return interval.from <= *time_ms && *time_ms < interval.to; };
    return std::ranges::any_of(times.of_partition(0), holds) ? OffsetSet::all() : OffsetSet::none();
  }

  static Selection all_of(const Selection& a, const Selection& b) {
    return {(a.bounded & b.all()) | (a.unbounded & b.bounded), a.unbounded & b.unbounded};
  }

  static Selection any_of(const Selection& a, const Selection& b) {
    return {a.bounded | b.bounded, a.unbounded | b.unbounded};
  }

  const Condition& condition_;
  std::vector<OffsetSet> sets_;  ///< of the comparisons, in the order in which they are met
  size_t next_set_ = 0;
  std::vector<int64_t> moments_;  ///< where what a comparison of times selects begins or ends
  bool has_times_ = false;
  bool ignores_times_ = false;  ///< there are too many moments, or none
};

}  // namespace

PartitionOfKey partition_of_keys(const Table& table, int32_t partition_count) {
  if (!table.key_partitioner) return {};
  return [partitioner = *table.key_partitioner, partition_count](const std::string& key) {
    return kafka::partition_of_key(partitioner, key, partition_count);
  };
}

std::vector<TimeSlice> select(const Condition& condition, std::span<const Comparand> comparands,
                              const PartitionOfKey& partition_of_key) {
  return Evaluation(condition, comparands, partition_of_key).slices();
}

Selection without_times(std::span<const TimeSlice> slices) {
  Selection result{OffsetSet::none(), OffsetSet::none()};
  for (const TimeSlice& slice : slices) {
    pg::check_interrupts();
    result.bounded = result.bounded | slice.selection.bounded;
    result.unbounded = result.unbounded | slice.selection.unbounded;
  }
  return result;
}

}  // namespace kafka_fdw::fdw

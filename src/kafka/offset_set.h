#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace kafka_fdw::kafka {

/// Half open: [from, to).
struct Interval {
  int64_t from;
  int64_t to;
  bool operator==(const Interval&) const = default;
};

/// The messages [from, to) of one partition of the topic with that place in a list of topics.
struct Range {
  int32_t topic = 0;
  int32_t partition = 0;
  int64_t from = 0;
  int64_t to = 0;
  bool operator==(const Range&) const = default;
};

/// A set of (partition, offset) pairs, closed under union, intersection and complement: what a condition on these two
/// columns selects. Partitions 0 … 2^31-1, offsets 0 … 2^63-2. A value: cheap to copy while conditions are small.
class OffsetSet {
 public:
  static OffsetSet none();
  static OffsetSet all();
  static OffsetSet partitions(int64_t from,
                              int64_t to);             ///< [from, to) of partitions, every offset; any int64, clamped
  static OffsetSet offsets(int64_t from, int64_t to);  ///< every partition
  static OffsetSet offsets(std::vector<Interval> intervals);  ///< what any of them has, in every partition

  OffsetSet operator|(const OffsetSet& other) const;
  OffsetSet operator&(const OffsetSet& other) const;
  OffsetSet operator~() const;
  bool operator==(const OffsetSet&) const = default;
  bool empty() const noexcept { return stripes_.empty(); }

  /// The offsets of one partition: sorted, disjoint, not adjacent.
  const std::vector<Interval>& of_partition(int32_t partition) const& noexcept;
  std::vector<Interval> of_partition(int32_t partition) const&& { return of_partition(partition); }

  static constexpr int64_t max_offset = std::numeric_limits<int64_t>::max();

 private:
  /// Partitions [from, to) that share one list of intervals. Stripes are sorted, disjoint, not empty, and neighbours
  /// differ.
  struct Stripe {
    int64_t from;
    int64_t to;
    std::vector<Interval> offsets;
    bool operator==(const Stripe&) const = default;
  };
  template <class Keep>
  static OffsetSet merge(const OffsetSet& a, const OffsetSet& b, Keep keep);
  void append(int64_t from, int64_t to, std::vector<Interval> offsets);

  std::vector<Stripe> stripes_;
};

}  // namespace kafka_fdw::kafka

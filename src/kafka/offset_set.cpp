#include "kafka/offset_set.h"

#include <algorithm>

namespace kafka_fdw::kafka {
namespace {

constexpr int64_t partition_end = int64_t{1} << 31;

const std::vector<Interval>& nothing() noexcept {
  static const std::vector<Interval> empty;
  return empty;
}

Interval clamp(int64_t from, int64_t to, int64_t end) noexcept {
  return {std::clamp(from, int64_t{0}, end), std::clamp(to, int64_t{0}, end)};
}

/// Walks the ends of the intervals of a and b in order; `keep(in_a, in_b)` says what belongs to the result.
template <class Keep>
std::vector<Interval> combine(const std::vector<Interval>& a, const std::vector<Interval>& b, Keep keep) {
  std::vector<Interval> result;
  size_t i = 0, j = 0;  // counts ends: 2n is the start of interval n, 2n + 1 its end
  auto edge = [](const std::vector<Interval>& set, size_t n) {
    if (n >= 2 * set.size()) return OffsetSet::max_offset;
    return n % 2 == 0 ? set[n / 2].from : set[n / 2].to;
  };
  bool inside = false;
  while (i < 2 * a.size() || j < 2 * b.size()) {
    int64_t here = std::min(edge(a, i), edge(b, j));
    while (i < 2 * a.size() && edge(a, i) == here) ++i;
    while (j < 2 * b.size() && edge(b, j) == here) ++j;
    bool now = keep(i % 2 == 1, j % 2 == 1);
    if (now && !inside) result.push_back({here, here});
    if (!now && inside) result.back().to = here;
    inside = now;
  }
  return result;
}

}  // namespace

OffsetSet OffsetSet::none() { return {}; }

OffsetSet OffsetSet::all() { return partitions(0, partition_end); }

OffsetSet OffsetSet::partitions(int64_t from, int64_t to) {
  OffsetSet set;
  Interval stripe = clamp(from, to, partition_end);
  if (stripe.from < stripe.to) set.stripes_.push_back({stripe.from, stripe.to, {{0, max_offset}}});
  return set;
}

OffsetSet OffsetSet::offsets(int64_t from, int64_t to) {
  OffsetSet set;
  Interval interval = clamp(from, to, max_offset);
  if (interval.from < interval.to) set.stripes_.push_back({0, partition_end, {interval}});
  return set;
}

OffsetSet OffsetSet::offsets(std::vector<Interval> intervals) {
  std::ranges::sort(intervals, {}, &Interval::from);
  std::vector<Interval> joined;
  for (const Interval& given : intervals) {
    const Interval interval = clamp(given.from, given.to, max_offset);
    if (interval.from >= interval.to) continue;
    if (!joined.empty() && interval.from <= joined.back().to)
      joined.back().to = std::max(joined.back().to, interval.to);
    else
      joined.push_back(interval);
  }
  OffsetSet set;
  set.append(0, partition_end, std::move(joined));
  return set;
}

/// The result is built stripe by stripe between the partitions where either side changes.
template <class Keep>
OffsetSet OffsetSet::merge(const OffsetSet& a, const OffsetSet& b, Keep keep) {
  OffsetSet result;
  auto i = a.stripes_.begin();
  auto j = b.stripes_.begin();
  int64_t here = 0;
  while (i != a.stripes_.end() || j != b.stripes_.end()) {
    int64_t next = partition_end;
    auto offsets_here = [&](auto stripe, auto end) -> const std::vector<Interval>& {
      if (stripe == end) return nothing();
      bool inside = stripe->from <= here;
      next = std::min(next, inside ? stripe->to : stripe->from);
      return inside ? stripe->offsets : nothing();
    };
    const auto& left = offsets_here(i, a.stripes_.end());
    const auto& right = offsets_here(j, b.stripes_.end());
    result.append(here, next, combine(left, right, keep));
    if (i != a.stripes_.end() && i->to == next) ++i;
    if (j != b.stripes_.end() && j->to == next) ++j;
    here = next;
  }
  return result;
}

void OffsetSet::append(int64_t from, int64_t to, std::vector<Interval> offsets) {
  if (from == to || offsets.empty()) return;
  if (!stripes_.empty() && stripes_.back().to == from && stripes_.back().offsets == offsets) {
    stripes_.back().to = to;
  } else {
    stripes_.push_back({from, to, std::move(offsets)});
  }
}

OffsetSet OffsetSet::operator|(const OffsetSet& other) const {
  if (empty()) return other;
  if (other.empty()) return *this;
  return merge(*this, other, [](bool a, bool b) { return a || b; });
}

OffsetSet OffsetSet::operator&(const OffsetSet& other) const {
  if (empty() || other.empty()) return none();
  return merge(*this, other, [](bool a, bool b) { return a && b; });
}

OffsetSet OffsetSet::operator~() const {
  return merge(all(), *this, [](bool a, bool b) { return a && !b; });
}

const std::vector<Interval>& OffsetSet::of_partition(int32_t partition) const& noexcept {
  auto stripe = std::upper_bound(stripes_.begin(), stripes_.end(), int64_t{partition},
                                 [](int64_t value, const Stripe& s) { return value < s.to; });
  return stripe == stripes_.end() || stripe->from > partition ? nothing() : stripe->offsets;
}

}  // namespace kafka_fdw::kafka

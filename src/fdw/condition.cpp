#include "fdw/condition.h"

namespace kafka_fdw::fdw {

namespace {

using kafka::Interval;
using kafka::OffsetSet;
using Kind = Condition::Kind;
using Operator = Condition::Operator;

constexpr int64_t highest = OffsetSet::max_offset;

/// The integers x from 0 on with x op value. None is as high as the highest int64.
Interval interval_of(Operator op, int64_t value) {
  const int64_t next = value == highest ? highest : value + 1;
  switch (op) {
    case Operator::less:
      return {0, value};
    case Operator::less_equal:
      return {0, next};
    case Operator::equal:
      return {value, next};
    case Operator::greater_equal:
      return {value, highest};
    case Operator::greater:
      return {next, highest};
  }
  return {0, highest};
}

bool is_lower_bound(const Condition& condition) {
  return condition.column == Condition::Column::offset && condition.op >= Operator::equal;
}

OffsetSet set_of(const Condition& condition, int64_t value) {
  const auto [from, to] = interval_of(condition.op, value);
  return condition.column == Condition::Column::offset ? OffsetSet::offsets(from, to) : OffsetSet::partitions(from, to);
}

/// By halves, so that a long list costs n log n.
OffsetSet set_of(const Condition& condition, std::span<const int64_t> values) {
  if (values.empty()) return OffsetSet::none();
  if (values.size() == 1) return set_of(condition, values[0]);
  const size_t half = values.size() / 2;
  return set_of(condition, values.first(half)) | set_of(condition, values.subspan(half));
}

OffsetSet compared(const Condition& condition, const Comparand& comparand) {
  return comparand.known ? set_of(condition, comparand.values) : OffsetSet::all();
}

Selection both(const Selection& a, const Selection& b) {
  return {(a.bounded & b.all()) | (a.unbounded & b.bounded), a.unbounded & b.unbounded};
}

Selection either(const Selection& a, const Selection& b) { return {a.bounded | b.bounded, a.unbounded | b.unbounded}; }

List* append(List* list, const Condition& condition) {
  list = lappend_int(list, static_cast<int>(condition.kind));
  if (condition.kind == Kind::compare || condition.kind == Kind::compare_any) {
    list = lappend_int(list, static_cast<int>(condition.column));
    list = lappend_int(list, static_cast<int>(condition.op));
    return lappend_int(list, condition.expression);
  }
  list = lappend_int(list, static_cast<int>(condition.children.size()));
  for (const Condition& child : condition.children) list = append(list, child);
  return list;
}

Condition parse(const List* list, int& position) {
  const auto next = [&] { return list_nth_int(list, position++); };
  Condition condition;
  condition.kind = static_cast<Kind>(next());
  if (condition.kind == Kind::compare || condition.kind == Kind::compare_any) {
    condition.column = static_cast<Condition::Column>(next());
    condition.op = static_cast<Operator>(next());
    condition.expression = next();
    return condition;
  }
  for (int count = next(); count > 0; --count) condition.children.push_back(parse(list, position));
  return condition;
}

}  // namespace

Selection select(const Condition& condition, std::span<const Comparand> comparands) {
  Selection selection{OffsetSet::none(), OffsetSet::all()};
  switch (condition.kind) {
    case Kind::everything:
      return selection;
    case Kind::compare:
    case Kind::compare_any: {
      OffsetSet set = compared(condition, comparands[static_cast<size_t>(condition.expression)]);
      if (is_lower_bound(condition)) return {std::move(set), OffsetSet::none()};
      return {OffsetSet::none(), std::move(set)};
    }
    case Kind::all_of: {
      for (const Condition& child : condition.children) selection = both(selection, select(child, comparands));
      return selection;
    }
    case Kind::any_of: {
      selection = {OffsetSet::none(), OffsetSet::none()};
      for (const Condition& child : condition.children) selection = either(selection, select(child, comparands));
      return selection;
    }
  }
  return selection;
}

List* condition_to_list(const Condition& condition) { return append(NIL, condition); }

Condition condition_from_list(const List* list) {
  int position = 0;
  return parse(list, position);
}

}  // namespace kafka_fdw::fdw

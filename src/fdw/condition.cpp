#include "fdw/condition.h"

namespace kafka_fdw::fdw {

namespace {

using Kind = Condition::Kind;
using Operator = Condition::Operator;

List* append(List* list, const Condition& condition) {
  list = lappend_int(list, static_cast<int>(condition.kind));
  if (condition.is_comparison()) {
    list = lappend_int(list, static_cast<int>(condition.column));
    list = lappend_int(list, static_cast<int>(condition.type));
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
  if (condition.is_comparison()) {
    condition.column = static_cast<Condition::Column>(next());
    condition.type = static_cast<Oid>(next());
    condition.op = static_cast<Operator>(next());
    condition.expression = next();
    return condition;
  }
  for (int count = next(); count > 0; --count) condition.children.push_back(parse(list, position));
  return condition;
}

}  // namespace

void for_each_comparison(const Condition& condition, const std::function<void(const Condition&)>& visit) {
  if (condition.is_comparison()) visit(condition);
  for (const Condition& child : condition.children) for_each_comparison(child, visit);
}

Operator commuted(Operator op) noexcept {
  switch (op) {
    case Operator::less:
      return Operator::greater;
    case Operator::less_equal:
      return Operator::greater_equal;
    case Operator::greater_equal:
      return Operator::less_equal;
    case Operator::greater:
      return Operator::less;
    case Operator::equal:
    case Operator::not_equal:
      break;
  }
  return op;
}

Operator negated(Operator op) noexcept {
  switch (op) {
    case Operator::less:
      return Operator::greater_equal;
    case Operator::less_equal:
      return Operator::greater;
    case Operator::equal:
      return Operator::not_equal;
    case Operator::greater_equal:
      return Operator::less;
    case Operator::greater:
      return Operator::less_equal;
    case Operator::not_equal:
      break;
  }
  return Operator::equal;
}

List* condition_to_list(const Condition& condition) { return append(NIL, condition); }

Condition condition_from_list(const List* list) {
  int position = 0;
  return parse(list, position);
}

}  // namespace kafka_fdw::fdw

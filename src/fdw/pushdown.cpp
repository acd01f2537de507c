#include "fdw/pushdown.h"

#include "fdw/clause.h"

namespace kafka_fdw::fdw {

namespace {

bool compares_times(const Condition& condition) {
  bool found = false;
  for_each_comparison(condition, [&](const Condition& comparison) {
    found = found || comparison.column == Condition::Column::timestamp;
  });
  return found;
}

}  // namespace

Pushdown push_down(const Table& table, Index relid, List* clauses) {
  ClauseTranslator translator(table, relid);
  Pushdown result{.condition = {.kind = Condition::Kind::all_of}};
  for (int i = 0; i < list_length(clauses); ++i) {
    auto* restriction = static_cast<RestrictInfo*>(list_nth(clauses, i));
    Arm arm = restriction->pseudoconstant ? Arm{} : translator.translate(reinterpret_cast<Node*>(restriction->clause));
    List*& list = arm.exact ? result.pushed : result.local;
    list = pg::call([&] { return lappend(list, restriction); });
    if (compares_times(arm.condition)) result.timed = pg::call([&] { return lappend(result.timed, restriction); });
    if (arm.condition.kind != Condition::Kind::everything)
      result.condition.children.push_back(std::move(arm.condition));
  }
  result.expressions = translator.expressions();
  return result;
}

bool can_push(const Table& table, Index relid, const RestrictInfo* clause) {
  ClauseTranslator translator(table, relid);
  return !clause->pseudoconstant &&
         translator.translate(reinterpret_cast<Node*>(clause->clause)).condition.kind != Condition::Kind::everything;
}

}  // namespace kafka_fdw::fdw

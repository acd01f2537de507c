#include "fdw/clause.h"

#include "fdw/comparand.h"
#include "pg/compat.h"

extern "C" {
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
}

namespace kafka_fdw::fdw {

namespace {

using Column = Condition::Column;
using Kind = Condition::Kind;
using Operator = Condition::Operator;

const Arm always{.condition = {.kind = Kind::everything}, .exact = true};
const Arm never{.condition = {.kind = Kind::any_of}, .exact = true};

bool says_nothing(const Arm& arm) { return arm.condition.kind == Kind::everything; }

Arm all_of(std::vector<Arm> arms) {
  Arm result{.condition = {.kind = Kind::all_of}, .exact = true};
  for (Arm& arm : arms) {
    result.exact = result.exact && arm.exact;
    if (!says_nothing(arm)) result.condition.children.push_back(std::move(arm.condition));
  }
  if (result.condition.children.empty()) result.condition.kind = Kind::everything;
  return result;
}

Arm any_of(std::vector<Arm> arms) {
  Arm result{.condition = {.kind = Kind::any_of}, .exact = true};
  bool widened = false;
  for (Arm& arm : arms) {
    if (says_nothing(arm) && arm.exact) return always;
    widened = widened || says_nothing(arm);
    result.exact = result.exact && arm.exact;
    result.condition.children.push_back(std::move(arm.condition));
  }
  return widened ? Arm{} : result;
}

/// The operator whose truth for the first members of two rows decides a comparison of the rows with `op`.
Operator strict(Operator op) {
  if (op == Operator::less_equal) return Operator::less;
  return op == Operator::greater_equal ? Operator::greater : op;
}

/// A cast that keeps the order of integers, and changes none of them but to float8.
bool is_widening_cast(const FuncExpr* call) {
  switch (call->funcid) {
    case F_INT8_INT4:
    case F_NUMERIC_INT4:
    case F_NUMERIC_INT8:
    case F_FLOAT8_INT4:
    case F_FLOAT8_INT8:
      return true;
    default:
      return false;
  }
}

/// A leaf. The number of a btree strategy, or 0.
int strategy_of(Oid op, Oid type) {
  const Oid family = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
  if (!OidIsValid(family)) return 0;
  if (const int strategy = get_op_opfamily_strategy(op, family); strategy != 0) return strategy;
  const Oid opposite = get_negator(op);
  const bool negates_equal =
      OidIsValid(opposite) && get_op_opfamily_strategy(opposite, family) == static_cast<int>(Operator::equal);
  return negates_equal ? static_cast<int>(Operator::not_equal) : 0;
}

}  // namespace

Arm ClauseTranslator::translate(Node* clause, bool negated) {
  switch (nodeTag(clause)) {
    case T_OpExpr:
      return translate_operator(reinterpret_cast<const OpExpr*>(clause), negated);
    case T_ScalarArrayOpExpr:
      return translate_array(reinterpret_cast<const ScalarArrayOpExpr*>(clause), negated);
    case T_BoolExpr:
      return translate_bool(reinterpret_cast<const BoolExpr*>(clause), negated);
    case T_RowCompareExpr:
      return translate_rows(reinterpret_cast<const RowCompareExpr*>(clause), negated);
    case T_NullTest:
      return translate_null_test(reinterpret_cast<const NullTest*>(clause), negated);
    case T_BooleanTest:
      return translate_truth_test(reinterpret_cast<const BooleanTest*>(clause), negated);
    default:
      return {};
  }
}

Arm ClauseTranslator::translate_operator(const OpExpr* clause, bool negated) {
  if (list_length(clause->args) != 2) return {};
  auto* left = static_cast<Node*>(linitial(clause->args));
  auto* right = static_cast<Node*>(lsecond(clause->args));
  if (const auto side = column_side(left))
    return compare(Kind::compare, *side, clause->opno, negated, right, clause->inputcollid);
  const auto side = column_side(right);
  if (!side) return {};
  const Oid mirrored = pg::call([&] { return get_commutator(clause->opno); });
  return compare(Kind::compare, *side, mirrored, negated, left, clause->inputcollid);
}

/// x op ANY is false where x has the opposite of op to all.
Arm ClauseTranslator::translate_array(const ScalarArrayOpExpr* clause, bool negated) {
  const auto side = column_side(static_cast<Node*>(linitial(clause->args)));
  if (!side) return {};
  const Kind kind = clause->useOr == negated ? Kind::compare_all : Kind::compare_any;
  return compare(kind, *side, clause->opno, negated, static_cast<Node*>(lsecond(clause->args)), clause->inputcollid);
}

Arm ClauseTranslator::translate_bool(const BoolExpr* clause, bool negated) {
  std::vector<Arm> arms;
  const bool inverts = clause->boolop == NOT_EXPR;
  arms.reserve(static_cast<size_t>(list_length(clause->args)));
  for (int i = 0; i < list_length(clause->args); ++i)
    arms.push_back(translate(static_cast<Node*>(list_nth(clause->args, i)), negated != inverts));
  if (inverts) return arms.front();
  return (clause->boolop == AND_EXPR) != negated ? all_of(std::move(arms)) : any_of(std::move(arms));
}

/// Rows compare by their first members that differ: (a, b) < (x, y) is a < x OR a = x AND b < y, for NULLs too.
Arm ClauseTranslator::translate_rows(const RowCompareExpr* clause, bool negated) {
  const auto written = static_cast<Operator>(pg::row_compare_strategy(clause));
  const Operator op = negated ? fdw::negated(written) : written;
  const int count = list_length(clause->opnos);
  Arm result;
  for (int i = count - 1; i >= 0; --i) {
    auto* left = static_cast<Node*>(list_nth(clause->largs, i));
    auto* right = static_cast<Node*>(list_nth(clause->rargs, i));
    const auto member = [&](Operator member_op) {
      return compare_members(member_op, left, right, list_nth_oid(clause->opnos, i),
                             list_nth_oid(clause->inputcollids, i));
    };
    if (says_nothing(member(op)))
      result = {};
    else if (i == count - 1)
      result = member(op);
    else
      result = any_of({member(strict(op)), all_of({member(Operator::equal), std::move(result)})});
  }
  return result;
}

/// `op_oid` is the operator between the members in the order that rows have: it must be one that we know.
Arm ClauseTranslator::compare_members(Operator op, Node* left, Node* right, Oid op_oid, Oid collation) {
  const bool mirrored = !column_side(left);
  const auto side = column_side(mirrored ? right : left);
  Node* expression = mirrored ? left : right;
  const Oid checked = mirrored ? pg::call([&] { return get_commutator(op_oid); }) : op_oid;
  if (!side || side->column == Column::key || !operator_of(*side, checked, collation) ||
      !can_be_compared(*side, Kind::compare, expression))
    return {};
  return {.condition = {.kind = Kind::compare,
                        .column = side->column,
                        .type = side->column_type,
                        .op = mirrored ? commuted(op) : op,
                        .expression = place_of(expression)},
          .exact = side->column != Column::timestamp && side->type != FLOAT8OID};
}

/// max() and min() ask for what is not NULL; partitions and offsets never are.
Arm ClauseTranslator::translate_null_test(const NullTest* clause, bool negated) const {
  const auto side = column_side(reinterpret_cast<Node*>(clause->arg));
  if (!side || (side->column != Column::partition && side->column != Column::offset)) return {};
  return (clause->nulltesttype == IS_NOT_NULL) != negated ? always : never;
}

/// IS TRUE and IS FALSE. The others hold for what is NULL too.
Arm ClauseTranslator::translate_truth_test(const BooleanTest* clause, bool negated) {
  auto* tested = reinterpret_cast<Node*>(clause->arg);
  const bool for_true = clause->booltesttype == IS_TRUE;
  if (negated || (!for_true && clause->booltesttype != IS_FALSE)) return {};
  return translate(tested, !for_true);
}

Arm ClauseTranslator::compare(Kind kind, const ColumnSide& side, Oid op, bool negated, Node* expression,
                              Oid collation) {
  const auto known = operator_of(side, op, collation);
  if (!known || !can_be_compared(side, kind, expression)) return {};
  const Operator meant = negated ? fdw::negated(*known) : *known;
  if (side.column == Column::key && meant != Operator::equal) return {};
  const bool exact = (side.column == Column::partition || side.column == Column::offset) && side.type != FLOAT8OID;
  return {.condition = {.kind = kind,
                        .column = side.column,
                        .type = side.column_type,
                        .op = meant,
                        .expression = place_of(expression)},
          .exact = exact};
}

std::optional<Operator> ClauseTranslator::operator_of(const ColumnSide& side, Oid op, Oid collation) const {
  if (!OidIsValid(op)) return std::nullopt;
  if (side.column == Column::key) {
    const bool equals = side.type == BYTEAOID ? op == ByteaEqualOperator : op == TextEqualOperator;
    // Where different texts may be equal, so may keys of different partitions.
    const bool by_bytes = side.type == BYTEAOID ||
                          (OidIsValid(collation) && pg::call([&] { return get_collation_isdeterministic(collation); }));
    return equals && by_bytes ? std::optional(Operator::equal) : std::nullopt;
  }
  const int strategy = pg::call([&] { return strategy_of(op, side.type); });
  return strategy == 0 ? std::nullopt : std::optional(static_cast<Operator>(strategy));
}

std::optional<ClauseTranslator::ColumnSide> ClauseTranslator::column_side(Node* node) const {
  const Oid type = exprType(node);
  if (IsA(node, FuncExpr) && is_widening_cast(reinterpret_cast<const FuncExpr*>(node)))
    node = static_cast<Node*>(linitial(reinterpret_cast<const FuncExpr*>(node)->args));
  if (!IsA(node, Var)) return std::nullopt;
  const auto* var = reinterpret_cast<const Var*>(node);
  if (static_cast<Index>(var->varno) != relid_ || var->varlevelsup != 0 || var->varattno <= 0) return std::nullopt;
  switch (table_.shape.columns[static_cast<size_t>(var->varattno - 1)].role) {
    case pg::ColumnRole::partition:
      return ColumnSide{Column::partition, var->vartype, type};
    case pg::ColumnRole::offset:
      return ColumnSide{Column::offset, var->vartype, type};
    case pg::ColumnRole::timestamp:
      return ColumnSide{Column::timestamp, var->vartype, type};
    case pg::ColumnRole::key:
      if (!table_.key_partitioner || !table_.shape.shows_key_bytes(var->vartype)) return std::nullopt;
      return ColumnSide{Column::key, var->vartype, type};
    default:
      return std::nullopt;
  }
}

/// Whether the expression has a type that we can compare the column with, one value throughout a scan, and needs no row
/// of the table for it.
bool ClauseTranslator::can_be_compared(const ColumnSide& side, Kind kind, Node* expression) const {
  return pg::call([&] {
    const Oid type = kind == Kind::compare ? exprType(expression) : get_element_type(exprType(expression));
    Bitmapset* own_columns = nullptr;
    pull_varattnos(expression, relid_, &own_columns);
    return can_be_comparand(side.column, side.column_type, type) && bms_is_empty(own_columns) &&
           !contain_volatile_functions(expression);
  });
}

int ClauseTranslator::place_of(Node* expression) {
  for (int i = 0; i < list_length(expressions_); ++i)
    if (list_nth(expressions_, i) == expression) return i;
  expressions_ = pg::call([&] { return lappend(expressions_, expression); });
  return list_length(expressions_) - 1;
}

}  // namespace kafka_fdw::fdw

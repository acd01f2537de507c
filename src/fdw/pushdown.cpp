#include "fdw/pushdown.h"

#include <optional>

extern "C" {
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
}

namespace kafka_fdw::fdw {

namespace {

using Kind = Condition::Kind;

/// A clause as far as it is understood.
struct Arm {
  Condition condition;
  bool exact;  ///< the condition selects exactly the messages for which the clause is true
};

const Arm not_understood{.condition = {}, .exact = false};
const Arm always_true{.condition = {}, .exact = true};

class Translator {
 public:
  Translator(const Table& table, Index relid) : table_(table), relid_(relid) {}

  Arm translate(Node* clause) {
    if (IsA(clause, OpExpr)) return translate_operator(reinterpret_cast<OpExpr*>(clause));
    if (IsA(clause, ScalarArrayOpExpr)) return translate_any(reinterpret_cast<ScalarArrayOpExpr*>(clause));
    if (IsA(clause, BoolExpr)) return translate_bool(reinterpret_cast<BoolExpr*>(clause));
    if (IsA(clause, NullTest)) return translate_null_test(reinterpret_cast<NullTest*>(clause));
    return not_understood;
  }

  List* expressions() const noexcept { return expressions_; }

 private:
  Arm translate_operator(OpExpr* clause) {
    if (list_length(clause->args) != 2) return not_understood;
    auto* left = static_cast<Node*>(linitial(clause->args));
    auto* right = static_cast<Node*>(lsecond(clause->args));
    if (const auto column = column_of(left)) return compare(Kind::compare, *column, clause->opno, right);
    const auto column = column_of(right);
    if (!column) return not_understood;
    return compare(Kind::compare, *column, pg::call([&] { return get_commutator(clause->opno); }), left);
  }

  Arm translate_any(ScalarArrayOpExpr* clause) {
    if (!clause->useOr) return not_understood;
    const auto column = column_of(static_cast<Node*>(linitial(clause->args)));
    if (!column) return not_understood;
    return compare(Kind::compare_any, *column, clause->opno, static_cast<Node*>(lsecond(clause->args)));
  }

  /// max() and min() ask for what is not NULL; partitions and offsets never are.
  Arm translate_null_test(const NullTest* clause) const {
    const bool true_for_all =
        clause->nulltesttype == IS_NOT_NULL && column_of(reinterpret_cast<Node*>(clause->arg)).has_value();
    return true_for_all ? always_true : not_understood;
  }

  Arm translate_bool(BoolExpr* clause) {
    if (clause->boolop == NOT_EXPR) return not_understood;
    const bool any = clause->boolop == OR_EXPR;
    Arm arm{.condition = {.kind = any ? Kind::any_of : Kind::all_of}, .exact = true};
    for (int i = 0; i < list_length(clause->args); ++i) {
      Arm child = translate(static_cast<Node*>(list_nth(clause->args, i)));
      arm.exact = arm.exact && child.exact;
      if (child.condition.kind != Kind::everything)
        arm.condition.children.push_back(std::move(child.condition));
      else if (any)
        return not_understood;
    }
    return arm.condition.children.empty() ? not_understood : arm;
  }

  Arm compare(Kind kind, Condition::Column column, Oid op, Node* expression) {
    const int strategy =
        OidIsValid(op) ? pg::call([&] { return get_op_opfamily_strategy(op, INTEGER_BTREE_FAM_OID); }) : 0;
    if (strategy == 0 || !is_integer(kind, expression) || !is_stable(expression)) return not_understood;
    expressions_ = pg::call([&] { return lappend(expressions_, expression); });
    return {.condition = {.kind = kind,
                          .column = column,
                          .op = static_cast<Condition::Operator>(strategy),
                          .expression = list_length(expressions_) - 1},
            .exact = true};
  }

  std::optional<Condition::Column> column_of(Node* node) const {
    if (!IsA(node, Var)) return std::nullopt;
    const auto* var = reinterpret_cast<const Var*>(node);
    if (static_cast<Index>(var->varno) != relid_ || var->varlevelsup != 0 || var->varattno <= 0) return std::nullopt;
    switch (table_.shape.columns[static_cast<size_t>(var->varattno - 1)].role) {
      case pg::ColumnRole::partition:
        return Condition::Column::partition;
      case pg::ColumnRole::offset:
        return Condition::Column::offset;
      default:
        return std::nullopt;
    }
  }

  static bool is_integer(Kind kind, Node* expression) {
    Oid type = exprType(expression);
    if (kind == Kind::compare_any) type = pg::call([&] { return get_element_type(type); });
    return type == INT2OID || type == INT4OID || type == INT8OID;
  }

  /// Whether it has one value throughout a scan and needs no row for it.
  static bool is_stable(Node* expression) {
    return pg::call([&] {
      return !contain_var_clause(expression) && !contain_volatile_functions(expression) &&
             !contain_subplans(expression);
    });
  }

  const Table& table_;
  Index relid_;
  List* expressions_ = NIL;
};

}  // namespace

Pushdown push_down(const Table& table, Index relid, List* clauses) {
  Translator translator(table, relid);
  Pushdown result{.condition = {.kind = Kind::all_of}};
  for (int i = 0; i < list_length(clauses); ++i) {
    auto* restriction = static_cast<RestrictInfo*>(list_nth(clauses, i));
    Arm arm = restriction->pseudoconstant ? not_understood
                                          : translator.translate(reinterpret_cast<Node*>(restriction->clause));
    List*& list = arm.exact ? result.pushed : result.local;
    list = pg::call([&] { return lappend(list, restriction); });
    if (arm.condition.kind != Kind::everything) result.condition.children.push_back(std::move(arm.condition));
  }
  result.expressions = translator.expressions();
  return result;
}

}  // namespace kafka_fdw::fdw

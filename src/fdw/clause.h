#pragma once

#include <optional>

#include "fdw/condition.h"
#include "fdw/table.h"

extern "C" {
#include "nodes/primnodes.h"
}

namespace kafka_fdw::fdw {

/// A clause as far as it is understood.
struct Arm {
  Condition condition = {};
  bool exact = false;  ///< the condition selects exactly the messages for which the clause is true
};

/// Makes conditions of clauses on one table.
class ClauseTranslator {
 public:
  ClauseTranslator(const Table& table, Index relid) : table_(table), relid_(relid) {}

  /// The messages for which the clause is true, or, if it is negated, false. Where it is NULL it is neither.
  Arm translate(Node* clause, bool negated = false);

  /// That the conditions compare with.
  List* expressions() const noexcept { return expressions_; }

 private:
  /// One side of a comparison: a column of the table, perhaps cast to a wider type.
  struct ColumnSide {
    Condition::Column column;
    Oid column_type;
    Oid type;  ///< that it is compared as
  };

  Arm translate_operator(const OpExpr* clause, bool negated);
  Arm translate_array(const ScalarArrayOpExpr* clause, bool negated);
  Arm translate_bool(const BoolExpr* clause, bool negated);
  Arm translate_rows(const RowCompareExpr* clause, bool negated);
  Arm translate_null_test(const NullTest* clause, bool negated) const;
  Arm translate_truth_test(const BooleanTest* clause, bool negated);
  Arm compare(Condition::Kind kind, const ColumnSide& side, Oid op, bool negated, Node* expression, Oid collation);
  Arm compare_members(Condition::Operator op, Node* left, Node* right, Oid op_oid, Oid collation);
  std::optional<Condition::Operator> operator_of(const ColumnSide& side, Oid op, Oid collation) const;
  std::optional<ColumnSide> column_side(Node* node) const;
  bool can_be_compared(const ColumnSide& side, Condition::Kind kind, Node* expression) const;
  int place_of(Node* expression);

  const Table& table_;
  Index relid_;
  List* expressions_ = NIL;
};

}  // namespace kafka_fdw::fdw

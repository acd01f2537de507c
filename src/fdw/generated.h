#pragma once

#include <string>
#include <vector>

#include "fdw/table.h"
#include "kafka/message.h"

extern "C" {
#include "nodes/execnodes.h"
}

namespace kafka_fdw::fdw {

/// The stored generated columns of a table, which no message holds: computed when a row is read.
class GeneratedColumns {
 public:
  /// Those among `columns`, a list of attribute numbers.
  GeneratedColumns(ForeignScanState* node, const List* columns);

  /// Makes what their expressions look at needed.
  void require_inputs(pg::RowShape& shape) const;

  /// Fills them in a row that has everything else.
  void compute(const std::string& topic, const kafka::Message& message, TupleTableSlot* slot);

 private:
  struct Generated {
    int attribute;  ///< from 0
    ExprState* expression;
  };

  ForeignScanState* node_;
  std::vector<Generated> columns_;
  std::vector<int> inputs_;  ///< attributes, from 0
};

/// Whether the expressions of all generated columns of the table, which the planner has locked, are parallel-safe.
bool is_generated_in_parallel(Oid table);

}  // namespace kafka_fdw::fdw

#include "fdw/deparse.h"

extern "C" {
#include "nodes/plannodes.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
}

namespace kafka_fdw::fdw {

namespace {

const char* symbol_of(Condition::Operator op) {
  switch (op) {
    case Condition::Operator::less:
      return "<";
    case Condition::Operator::less_equal:
      return "<=";
    case Condition::Operator::equal:
      return "=";
    case Condition::Operator::greater_equal:
      return ">=";
    case Condition::Operator::greater:
      return ">";
    case Condition::Operator::not_equal:
      return "<>";
  }
  return "";
}

/// Of the table's column with that role, quoted; empty where there is none.
std::string column_name(const ForeignScanState* node, const Table& table, pg::ColumnRole role) {
  const TupleDesc descriptor = RelationGetDescr(node->ss.ss_currentRelation);
  for (int i = 0; i < descriptor->natts; ++i)
    if (table.shape.columns[static_cast<size_t>(i)].role == role) {
      const char* name = NameStr(TupleDescAttr(descriptor, i)->attname);
      return pg::call([&] { return quote_identifier(name); });
    }
  return {};
}

class Deparser {
 public:
  Deparser(const ForeignScanState* node, ExplainState* es)
      : node_(node),
        plan_(node->ss.ps.plan),
        context_(pg::call([&] { return set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, NIL); })) {}

  std::string deparse(const Condition& condition, const Table& table) const {
    switch (condition.kind) {
      case Condition::Kind::compare:
      case Condition::Kind::compare_any:
      case Condition::Kind::compare_all:
        return comparison(condition, table);
      case Condition::Kind::all_of:
        return joined(condition, table, " AND ");
      case Condition::Kind::any_of:
        return joined(condition, table, " OR ");
      case Condition::Kind::everything:
        break;
    }
    return "true";
  }

 private:
  std::string comparison(const Condition& condition, const Table& table) const {
    auto* expressions = reinterpret_cast<const ForeignScan*>(plan_)->fdw_exprs;
    auto* expression = static_cast<Node*>(list_nth(expressions, condition.expression));
    const char* text = pg::call([&] { return deparse_expression(expression, context_, false, false); });
    const char* all_or_any = condition.kind == Condition::Kind::compare_any ? "ANY " : "ALL ";
    const std::string compared =
        condition.kind == Condition::Kind::compare ? text : all_or_any + ("(" + std::string(text) + ")");
    return "(" + column_name(condition.column, table) + " " + symbol_of(condition.op) + " " + compared + ")";
  }

  std::string joined(const Condition& condition, const Table& table, const char* separator) const {
    std::string text;
    if (condition.children.empty()) return condition.kind == Condition::Kind::any_of ? "false" : "true";
    for (const Condition& child : condition.children)
      text.append(text.empty() ? "" : separator).append(deparse(child, table));
    return condition.children.size() == 1 ? text : "(" + text + ")";
  }

  std::string column_name(Condition::Column column, const Table& table) const {
    switch (column) {
      case Condition::Column::partition:
        return fdw::column_name(node_, table, pg::ColumnRole::partition);
      case Condition::Column::offset:
        return fdw::column_name(node_, table, pg::ColumnRole::offset);
      case Condition::Column::timestamp:
        return fdw::column_name(node_, table, pg::ColumnRole::timestamp);
      case Condition::Column::key:
        return fdw::column_name(node_, table, pg::ColumnRole::key);
    }
    return {};
  }

  const ForeignScanState* node_;
  Plan* plan_;
  List* context_;
};

}  // namespace

std::string deparse_condition(const Scan& scan, const ForeignScanState* node, ExplainState* es) {
  if (scan.condition().children.empty()) return {};
  return Deparser(node, es).deparse(scan.condition(), scan.table());
}

std::string deparse_order(const Scan& scan, const ForeignScanState* node) {
  const ScanOrder& order = scan.order();
  const Table& table = scan.table();
  if (order.kind == ScanOrder::Kind::none) return {};
  std::string partition = column_name(node, table, pg::ColumnRole::partition);
  std::string offset = column_name(node, table, pg::ColumnRole::offset);
  if (!partition.empty() && order.partition_descending) partition += " DESC";
  if (!offset.empty() && order.offset_descending) offset += " DESC";
  if (partition.empty() || offset.empty()) return partition + offset;
  return order.kind == ScanOrder::Kind::by_partition ? partition + ", " + offset : offset + ", " + partition;
}

std::string deparse_ranges(std::span<const kafka::Range> ranges) {
  constexpr size_t most = 10;
  std::string text;
  if (ranges.size() > most) return text;
  for (const kafka::Range& range : ranges) {
    text.append(text.empty() ? "" : " ").append(std::to_string(range.partition)).append(":[");
    text.append(std::to_string(range.from)).append(",").append(std::to_string(range.to)).append(")");
  }
  return text;
}

}  // namespace kafka_fdw::fdw

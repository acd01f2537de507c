#include "fdw/explain.h"

#include <utility>

#include "fdw/scan.h"

extern "C" {
#include "nodes/plannodes.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
}

namespace kafka_fdw::fdw {

namespace {

const char* name_of(decode::Format::Kind kind) {
  switch (kind) {
    case decode::Format::Kind::json:
      return "json";
    case decode::Format::Kind::text:
      return "text";
    case decode::Format::Kind::csv:
      return "csv";
    case decode::Format::Kind::raw:
      return "raw";
  }
  return "";
}

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

/// Writes a condition as the query could have said it.
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
    const std::string compared = condition.kind == Condition::Kind::compare ? text : all_or_any + ("(" + std::string(text) + ")");
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

/// As ORDER BY would say it.
std::string deparse(const ScanOrder& order, const ForeignScanState* node, const Table& table) {
  if (order.kind == ScanOrder::Kind::none) return {};
  std::string partition = column_name(node, table, pg::ColumnRole::partition);
  std::string offset = column_name(node, table, pg::ColumnRole::offset);
  if (!partition.empty() && order.partition_descending) partition += " DESC";
  if (!offset.empty() && order.offset_descending) offset += " DESC";
  if (partition.empty() || offset.empty()) return partition + offset;
  return order.kind == ScanOrder::Kind::by_partition ? partition + ", " + offset : offset + ", " + partition;
}

/// Empty where there are more than a reader wants to see.
std::string deparse(std::span<const kafka::Range> ranges) {
  constexpr size_t most = 10;
  std::string text;
  if (ranges.size() > most) return text;
  for (const kafka::Range& range : ranges) {
    text.append(text.empty() ? "" : " ").append(std::to_string(range.partition)).append(":[");
    text.append(std::to_string(range.from)).append(",").append(std::to_string(range.to)).append(")");
  }
  return text;
}

}  // namespace

void kafkaExplainForeignScan(ForeignScanState* node, ExplainState* es) {
  pg::entry([&] {
    const Scan& scan = *static_cast<const Scan*>(node->fdw_state);
    const Table& table = scan.table();
    std::string pushed;
    if (!scan.condition().children.empty()) pushed = Deparser(node, es).deparse(scan.condition(), table);
    const std::string order = deparse(scan.order(), node, table);
    const MessageSource::Counters messages = scan.messages();
    const bool opened_once = std::cmp_equal(messages.ranges, scan.ranges().size());
    const std::string offsets = opened_once ? deparse(scan.ranges()) : "";
    pg::call([&] {
      ExplainPropertyText("Topic", table.topic.c_str(), es);
      ExplainPropertyText("Format", name_of(table.shape.format.kind), es);
      if (!pushed.empty()) ExplainPropertyText("Pushed condition", pushed.c_str(), es);
      if (!order.empty()) ExplainPropertyText("Order", order.c_str(), es);
      if (!es->analyze) return;
      ExplainPropertyInteger("Ranges", nullptr, messages.ranges, es);
      if (!offsets.empty()) ExplainPropertyText("Offsets", offsets.c_str(), es);
      ExplainPropertyInteger("Messages", nullptr, messages.messages, es);
      ExplainPropertyInteger("Bytes", nullptr, messages.bytes, es);
      ExplainPropertyInteger("Decoded", nullptr, scan.rows().decoded, es);
      ExplainPropertyInteger("Skipped", nullptr, messages.skipped, es);
      ExplainPropertyInteger("In error", nullptr, scan.rows().in_error, es);
      if (es->timing) ExplainPropertyFloat("Wait time", "ms", static_cast<double>(messages.wait_us) / 1000, 3, es);
    });
  });
}

}  // namespace kafka_fdw::fdw

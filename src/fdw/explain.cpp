#include "fdw/explain.h"

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
  }
  return "";
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
    const bool any = condition.kind == Condition::Kind::compare_any;
    return "(" + column_name(condition.column, table) + " " + symbol_of(condition.op) + (any ? " ANY (" : " ") + text +
           (any ? "))" : ")");
  }

  std::string joined(const Condition& condition, const Table& table, const char* separator) const {
    std::string text;
    for (const Condition& child : condition.children)
      text.append(text.empty() ? "" : separator).append(deparse(child, table));
    return condition.children.size() == 1 ? text : "(" + text + ")";
  }

  std::string column_name(Condition::Column column, const Table& table) const {
    const auto role = column == Condition::Column::offset ? pg::ColumnRole::offset : pg::ColumnRole::partition;
    const TupleDesc descriptor = RelationGetDescr(node_->ss.ss_currentRelation);
    for (int i = 0; i < descriptor->natts; ++i)
      if (table.shape.columns[static_cast<size_t>(i)].role == role) {
        const char* name = NameStr(TupleDescAttr(descriptor, i)->attname);
        return pg::call([&] { return quote_identifier(name); });
      }
    return {};
  }

  const ForeignScanState* node_;
  Plan* plan_;
  List* context_;
};

}  // namespace

void kafkaExplainForeignScan(ForeignScanState* node, ExplainState* es) {
  pg::entry([&] {
    const Scan& scan = *static_cast<const Scan*>(node->fdw_state);
    const Table& table = scan.table();
    std::string pushed;
    if (!scan.condition().children.empty()) pushed = Deparser(node, es).deparse(scan.condition(), table);
    const MessageSource::Counters messages = scan.messages();
    pg::call([&] {
      ExplainPropertyText("Topic", table.topic.c_str(), es);
      ExplainPropertyText("Format", name_of(table.shape.format.kind), es);
      if (!pushed.empty()) ExplainPropertyText("Pushed condition", pushed.c_str(), es);
      if (!es->analyze) return;
      ExplainPropertyInteger("Ranges", nullptr, messages.ranges, es);
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

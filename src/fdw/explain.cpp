#include "fdw/explain.h"

#include <utility>

#include "fdw/deparse.h"
#include "fdw/scan.h"

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

// Leaves: they may raise.

void explain_work(const SharedRanges::Work& work, ExplainState* es) {
  ExplainPropertyInteger("Messages", nullptr, work.messages.messages, es);
  ExplainPropertyInteger("Bytes", nullptr, work.messages.bytes, es);
  ExplainPropertyInteger("Decoded", nullptr, work.rows.decoded, es);
  ExplainPropertyInteger("Skipped", nullptr, work.messages.skipped, es);
  ExplainPropertyInteger("In error", nullptr, work.rows.in_error, es);
  if (es->timing) ExplainPropertyFloat("Wait time", "ms", static_cast<double>(work.messages.wait_us) / 1000, 3, es);
}

char* summary(const SharedRanges::Work& work) {
  return psprintf("messages=%lld bytes=%lld decoded=%lld skipped=%lld in error=%lld",
                  static_cast<long long>(work.messages.messages), static_cast<long long>(work.messages.bytes),
                  static_cast<long long>(work.rows.decoded), static_cast<long long>(work.messages.skipped),
                  static_cast<long long>(work.rows.in_error));
}

void explain_process(const char* name, const SharedRanges::Work& work, ExplainState* es) {
  if (es->format == EXPLAIN_FORMAT_TEXT) {
    const char* wait = "";
    if (es->timing) wait = psprintf(" wait time=%.3f ms", static_cast<double>(work.messages.wait_us) / 1000);
    ExplainPropertyText(name, psprintf("%s%s", summary(work), wait), es);
    return;
  }
  ExplainOpenGroup("Process", nullptr, true, es);
  ExplainPropertyText("Process", name, es);
  explain_work(work, es);
  ExplainCloseGroup("Process", nullptr, true, es);
}

/// What each process of a parallel scan did, the leader first.
void explain_processes(const SharedRanges::Work* work, int count, ExplainState* es) {
  if (count == 0) return;
  ExplainOpenGroup("Processes", "Processes", false, es);
  for (int i = 0; i < count; ++i)
    explain_process(i == SharedRanges::leader_place ? "Leader read" : psprintf("Worker %d read", i - 1), work[i], es);
  ExplainCloseGroup("Processes", "Processes", false, es);
}

}  // namespace

void kafkaExplainForeignScan(ForeignScanState* node, ExplainState* es) {
  pg::entry([&] {
    const Scan& scan = *static_cast<const Scan*>(node->fdw_state);
    const std::string pushed = deparse_condition(scan, node, es);
    const std::string order = deparse_order(scan, node);
    const SharedRanges::Work work = scan.work();
    const bool opened_once = std::cmp_equal(work.messages.ranges, scan.ranges().size());
    const std::string offsets = opened_once ? deparse_ranges(scan.ranges()) : "";
    pg::call([&] {
      ExplainPropertyText("Topic", scan.table().topic.c_str(), es);
      ExplainPropertyText("Format", name_of(scan.table().shape.format.kind), es);
      if (!pushed.empty()) ExplainPropertyText("Pushed condition", pushed.c_str(), es);
      if (!order.empty()) ExplainPropertyText("Order", order.c_str(), es);
      if (!es->analyze) return;
      ExplainPropertyInteger("Ranges", nullptr, work.messages.ranges, es);
      if (!offsets.empty()) ExplainPropertyText("Offsets", offsets.c_str(), es);
      explain_work(work, es);
      explain_processes(scan.shared_work().data(), static_cast<int>(scan.shared_work().size()), es);
    });
  });
}

}  // namespace kafka_fdw::fdw

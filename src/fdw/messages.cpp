#include <algorithm>
#include <optional>

#include "fdw/owned_reading.h"
#include "fdw/position.h"
#include "fdw/server.h"
#include "fdw/watermarks.h"
#include "pg/arguments.h"
#include "pg/datum.h"
#include "pg/fail.h"

extern "C" {
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(kafka_messages);
}

namespace kafka_fdw::fdw {

namespace {

/// The arguments of kafka_messages.
struct Wanted {
  Table table;  ///< that nobody has made: server, topic and start
  std::optional<int32_t> partition;
  std::optional<int64_t> limit;
  bool newest = false;  ///< the limit keeps the last messages, not the first
};

Wanted read_arguments(FunctionCallInfo fcinfo) {
  Wanted wanted;
  wanted.table.topic = pg::required_text(fcinfo, 0, "topic");
  wanted.table.start = pg::required_text(fcinfo, 1, "start");
  wanted.partition = pg::optional_int(fcinfo, 2);
  wanted.limit = pg::optional_bigint(fcinfo, 3);
  if (wanted.limit && *wanted.limit < 0)
    pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "argument \"max_messages\" must not be negative");
  if (fcinfo->args[4].isnull) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "argument \"server\" must not be null");
  const Position start = parse_position(wanted.table.start);
  wanted.newest = !start.per_partition && start.all.kind == Point::Kind::last;
  // More than the limit from each partition would be read in vain.
  if (wanted.newest && wanted.limit && *wanted.limit > 0)
    wanted.table.start = std::to_string(-std::min(start.all.value, *wanted.limit));
  wanted.table.server = find_server(NameStr(*DatumGetName(fcinfo->args[4].value)));
  return wanted;
}

/// A row that waits for its place in the result.
struct Kept {
  int64_t late;    ///< larger: leaves sooner
  int64_t behind;  ///< the same among those of one time
  int32_t partition;
  int64_t offset;
  HeapTuple row;
};

bool stays_longer(const Kept& a, const Kept& b) {
  return std::tie(a.late, a.behind, a.partition) < std::tie(b.late, b.behind, b.partition);
}

/// The rows of the result. They go where they belong at once; where there are more than the limit in several
/// partitions, the oldest are kept, or the newest.
class Result {
 public:
  Result(FunctionCallInfo fcinfo, const Wanted& wanted, bool choose)
      : limit_(choose ? wanted.limit : std::nullopt), newest_(wanted.newest) {
    pg::call([&] { InitMaterializedSRF(fcinfo, 0); });
    result_ = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    row_context_ = pg::call(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "kafka_messages row", ALLOCSET_DEFAULT_SIZES); });
  }

  void add(const kafka::Message& message) {
    std::vector<kafka::Header> headers = kafka::headers(message);
    std::ranges::stable_sort(headers, {}, &kafka::Header::name);
    HeapTuple row = pg::call([&] { return make_row(message, headers); });
    if (!limit_) return pg::call([&] { put(row); });
    const int64_t sign = newest_ ? -1 : 1;
    kept_.push_back({sign * message.timestamp_ms, sign * message.offset, message.partition, message.offset, row});
    std::ranges::push_heap(kept_, stays_longer);
    if (kept_.size() <= static_cast<size_t>(*limit_)) return;
    std::ranges::pop_heap(kept_, stays_longer);
    heap_freetuple(kept_.back().row);
    kept_.pop_back();
  }

  void finish() {
    std::ranges::sort(kept_, {}, [](const Kept& row) { return std::pair(row.partition, row.offset); });
    for (const Kept& row : kept_) pg::call([&] { put(row.row); });
  }

 private:
  // Leaves: they may raise.

  void put(HeapTuple row) {
    tuplestore_puttuple(result_->setResult, row);
    heap_freetuple(row);
  }

  HeapTuple make_row(const kafka::Message& message, const std::vector<kafka::Header>& headers) {
    CHECK_FOR_INTERRUPTS();
    MemoryContext outer = MemoryContextSwitchTo(row_context_);
    const bool timed = message.timestamp_ms >= 0;
    Datum values[] = {Int32GetDatum(message.partition),
                      Int64GetDatum(message.offset),
                      timed ? pg::datum_of_timestamp(TIMESTAMPTZOID, message.timestamp_ms) : 0,
                      bytea_of(message.key),
                      bytea_of(message.value),
                      pg::datum_of_headers(headers)};
    bool nulls[] = {false, false, !timed, !message.key, !message.value, false};
    MemoryContextSwitchTo(outer);
    HeapTuple row = heap_form_tuple(result_->setDesc, values, nulls);
    MemoryContextReset(row_context_);
    return row;
  }

  static Datum bytea_of(const std::optional<std::string_view>& bytes) {
    if (!bytes) return 0;
    return PointerGetDatum(cstring_to_text_with_len(bytes->data(), static_cast<int>(bytes->size())));
  }

  std::optional<int64_t> limit_;  ///< where rows must be kept until all have been seen
  bool newest_;
  ReturnSetInfo* result_;
  MemoryContext row_context_;
  std::vector<Kept> kept_;
};

void check_partition(OwnedReading& reading, const Wanted& wanted) {
  const std::vector<int32_t> partitions =
      fetch_partitions(reading.topic().client(), reading.topic().connection(), wanted.table.topic);
  if (std::ranges::find(partitions, *wanted.partition) == partitions.end())
    pg::fail(ERRCODE_INVALID_PARAMETER_VALUE,
             "topic \"" + wanted.table.topic + "\" has no partition " + std::to_string(*wanted.partition));
}

/// Whether several partitions may have more messages than the limit.
bool must_choose(const std::vector<kafka::Range>& ranges, const std::optional<int64_t>& limit) {
  if (!limit || ranges.size() < 2) return false;
  int64_t left = *limit;
  for (const kafka::Range& range : ranges) {
    const int64_t length = range.to - range.from;
    if (length > left) return true;
    left -= length;
  }
  return false;
}

/// Partition by partition, so that of each no more than the limit is fetched.
void read_messages(FunctionCallInfo fcinfo, const Wanted& wanted) {
  OwnedReading reading(wanted.table, GetUserId());
  if (wanted.partition) check_partition(reading, wanted);
  const auto partitions = wanted.partition
                              ? kafka::OffsetSet::partitions(*wanted.partition, int64_t{*wanted.partition} + 1)
                              : kafka::OffsetSet::all();
  const std::vector<kafka::Range> ranges =
      reading.topic().ranges(partitions & reading.topic().default_range(partitions));
  Result result(fcinfo, wanted, must_choose(ranges, wanted.limit));
  for (const kafka::Range& range : ranges) {
    reading.source().read({range});
    for (int64_t count = 0; !wanted.limit || count < *wanted.limit; ++count) {
      const kafka::Message* message = reading.source().next();
      if (message == nullptr) break;
      result.add(*message);
    }
  }
  result.finish();
  reading.close();
}

}  // namespace

}  // namespace kafka_fdw::fdw

Datum kafka_messages(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw;
  return pg::entry([&] {
    fdw::read_messages(fcinfo, fdw::read_arguments(fcinfo));
    return static_cast<Datum>(0);
  });
}

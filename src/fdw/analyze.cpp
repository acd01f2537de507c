#include "fdw/analyze.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "fdw/kafka_source.h"
#include "fdw/owned_reading.h"

extern "C" {
#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
}

namespace kafka_fdw::fdw {

namespace {

/// Each costs a request or two.
constexpr int64_t most_pieces = 200;
/// For the average size of a message.
constexpr int64_t sized_messages = 100;

size_t most_sample_bytes() { return fetch_buffer_bytes() / 2; }

int64_t count_offsets(const std::vector<kafka::Range>& ranges) {
  int64_t count = 0;
  for (const kafka::Range& range : ranges) count += range.to - range.from;
  return count;
}

/// What a query without bounds would read.
std::vector<kafka::Range> whole_log(OwnedReading& reading) {
  return reading.source().find(reading.topic().default_range(kafka::OffsetSet::all()));
}

/// The part of the ranges, as one row of offsets, between two positions.
void append_piece(std::vector<kafka::Range>& pieces, const std::vector<kafka::Range>& ranges, int64_t from,
                  int64_t to) {
  for (const kafka::Range& range : ranges) {
    const int64_t length = range.to - range.from;
    kafka::Range piece = range;
    piece.from = range.from + std::clamp<int64_t>(from, 0, length);
    piece.to = range.from + std::clamp<int64_t>(to, 0, length);
    if (piece.from < piece.to) pieces.push_back(piece);
    from -= length;
    to -= length;
  }
}

/// Pieces of about the same length, one at a random place in each stretch of the log.
std::vector<kafka::Range> choose_pieces(const std::vector<kafka::Range>& ranges, int64_t wanted) {
  const int64_t total = count_offsets(ranges);
  if (total <= wanted) return ranges;
  const int64_t count = std::min(wanted, most_pieces);
  const int64_t length = wanted / count;
  static std::minstd_rand random(std::random_device{}());
  std::vector<kafka::Range> pieces;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t stretch_from = total / count * i;
    const int64_t room = std::max<int64_t>(0, total / count - length);
    const int64_t from = stretch_from + std::uniform_int_distribution<int64_t>(0, room)(random);
    append_piece(pieces, ranges, from, from + length);
  }
  return pieces;
}

/// A value that does not decode counts as NULL: one bad message is no reason to know nothing of the others.
pg::RowShape forgiving(pg::RowShape shape) {
  shape.ignore_junk = true;
  return shape;
}

class Sampler {
 public:
  Sampler(Relation relation, OwnedReading& reading)
      : descriptor_(RelationGetDescr(relation)),
        reading_(reading),
        builder_(forgiving(reading.topic().table().shape), descriptor_, CurrentMemoryContext),
        row_context_(pg::call(
            [] { return AllocSetContextCreate(CurrentMemoryContext, "kafka_fdw sample", ALLOCSET_DEFAULT_SIZES); })),
        values_(static_cast<size_t>(descriptor_->natts)),
        nulls_(std::make_unique<bool[]>(static_cast<size_t>(descriptor_->natts))) {}

  /// Up to so many rows; their number.
  int take(HeapTuple* rows, int most) {
    int count = 0;
    while (count < most) {
      const kafka::Message* message = reading_.source().next();
      if (message == nullptr) break;
      rows[count++] = make_row(*message);
    }
    return count;
  }

 private:
  HeapTuple make_row(const kafka::Message& message) {
    MemoryContext outer = pg::call([&] {
      CHECK_FOR_INTERRUPTS();
      return MemoryContextSwitchTo(row_context_);
    });
    builder_.build(reading_.topic().table().topic, message, values_.data(), nulls_.get());
    return pg::call([&] {
      MemoryContextSwitchTo(outer);
      HeapTuple row = heap_form_tuple(descriptor_, values_.data(), nulls_.get());
      MemoryContextReset(row_context_);
      return row;
    });
  }

  TupleDesc descriptor_;
  OwnedReading& reading_;
  pg::RowBuilder builder_;
  MemoryContext row_context_;
  std::vector<Datum> values_;
  std::unique_ptr<bool[]> nulls_;
};

double average_size(OwnedReading& reading, const std::vector<kafka::Range>& log) {
  reading.source().read(choose_pieces(log, sized_messages));
  while (reading.source().next() != nullptr) {
  }
  const MessageSource::Counters counters = reading.source().counters();
  if (counters.messages == 0) return 0;
  return static_cast<double>(counters.bytes) / static_cast<double>(counters.messages);
}

/// All rows of the sample are held at once: where messages are large there are fewer of them.
int64_t sample_size(OwnedReading& reading, const std::vector<kafka::Range>& log, int most) {
  const double bytes = average_size(reading, log);
  if (bytes * most <= static_cast<double>(most_sample_bytes())) return most;
  return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(most_sample_bytes()) / bytes));
}

int acquire_sample_rows(Relation relation, int level, HeapTuple* rows, int most, double* total_rows,
                        double* dead_rows) {
  return pg::entry([&] {
    OwnedReading reading(load_table(relation), relation->rd_rel->relowner);
    const std::vector<kafka::Range> log = whole_log(reading);
    const std::vector<kafka::Range> pieces = choose_pieces(log, sample_size(reading, log, most));
    reading.source().read(pieces);
    const int count = Sampler(relation, reading).take(rows, most);
    reading.close();
    const double looked_at = static_cast<double>(std::max<int64_t>(1, count_offsets(pieces)));
    *total_rows = static_cast<double>(count_offsets(log)) * count / looked_at;
    *dead_rows = 0;
    pg::call([&] {
      ereport(level, (errmsg("\"%s\": topic of %lld offsets, %d rows in sample, %.0f estimated total rows",
                             RelationGetRelationName(relation), static_cast<long long>(count_offsets(log)), count,
                             *total_rows)));
    });
    return count;
  });
}

}  // namespace

bool kafkaAnalyzeForeignTable(Relation relation, AcquireSampleRowsFunc* function, BlockNumber* total_pages) {
  return pg::entry([&] {
    OwnedReading reading(load_table(relation), relation->rd_rel->relowner);
    const std::vector<kafka::Range> log = whole_log(reading);
    const double bytes = static_cast<double>(count_offsets(log)) * average_size(reading, log);
    reading.close();
    *total_pages = static_cast<BlockNumber>(std::min(std::ceil(bytes / BLCKSZ), static_cast<double>(MaxBlockNumber)));
    *function = acquire_sample_rows;
    return true;
  });
}

}  // namespace kafka_fdw::fdw

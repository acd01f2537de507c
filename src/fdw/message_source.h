#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "fdw/scan_order.h"
#include "fdw/table.h"
#include "kafka/message.h"
#include "kafka/offset_set.h"

namespace kafka_fdw::fdw {

/// Where a scan gets its messages from: Kafka, or a batch that a consumer holds in memory.
class MessageSource {
 public:
  virtual ~MessageSource() = default;

  /// From the start, with the messages that are in the set. Called before the first next() and for every rescan.
  virtual void open(const kafka::OffsetSet& wanted) = 0;

  /// Whether next() would not wait. If not, an event of what it waits for tells when to look again.
  virtual bool ready() { return true; }

  /// The next message, valid until the next call; null at the end. Waits, interruptibly.
  virtual const kafka::Message* next() = 0;

  /// The scan ends in good order: resources may be kept for others. The destructor alone means that it did not.
  virtual void close() = 0;

  /// Of all rescans together. Plain numbers, which workers can add up in shared memory.
  struct Counters {
    int64_t ranges = 0;    ///< offset ranges asked for
    int64_t messages = 0;  ///< given out by next()
    int64_t bytes = 0;     ///< of their keys and values
    int64_t skipped = 0;   ///< messages fetched besides: outside the ranges, or nobody asked for them any more
    int64_t wait_us = 0;   ///< for which the scan waited for the broker, in microseconds

    Counters& operator+=(const Counters& other) noexcept {
      ranges += other.ranges;
      messages += other.messages;
      bytes += other.bytes;
      skipped += other.skipped;
      wait_us += other.wait_us;
      return *this;
    }
  };
  virtual Counters counters() const = 0;

  /// Those that the last open() asked for, where they are known.
  virtual std::span<const kafka::Range> ranges() const { return {}; }
};

/// What a consumer tells to scans of its topics while its statement runs: the scans read the batch and nothing else.
/// ingest/ implements it; fdw/ knows only this.
class BoundBatch {
 public:
  virtual ~BoundBatch() = default;
  /// For a scan that begins: a source over the batch, in the order; or null: the table's topic is not bound.
  virtual std::unique_ptr<MessageSource> source_for(const Table& table, const ScanOrder& order) = 0;
  /// Whether a message of a bound topic that does not decode is left out, and told here, instead of an error.
  virtual bool collects_rejects() const = 0;
  virtual void reject(const kafka::Message& message, const pg::RowError& error) = 0;
  /// A message of a bound topic did not decode, and its error is on its way.
  virtual void note_undecodable(const kafka::Message& message) noexcept = 0;
  /// How many rows the planner should expect of the table, or -1: the table's topic is not bound.
  virtual double expected_rows(const Table& table) const = 0;
};

/// The batch that scans of this backend read now, or null. Set and taken back by ingest/, around the statement that it
/// runs.
BoundBatch* bound_batch() noexcept;
void set_bound_batch(BoundBatch* batch) noexcept;

}  // namespace kafka_fdw::fdw

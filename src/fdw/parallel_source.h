#pragma once

#include <span>
#include <vector>

#include "fdw/kafka_source.h"
#include "fdw/shared_ranges.h"

namespace kafka_fdw::fdw {

/// The part of a topic's messages that one process of a parallel scan gives out.
class ParallelSource final : public MessageSource {
 public:
  /// The view and the shared ranges must outlive the source. `rows` are what else this process reports of its work.
  ParallelSource(TopicView& topic, SharedRanges& shared, int place, const pg::RowBuilder::Counters& rows)
      : shared_(&shared), place_(place), before_(shared.work(place)), rows_(rows), source_(topic) {}

  /// Those that were dealt, for this scan or rescan.
  void begin(std::vector<kafka::Range> ranges);

  /// The leader, for the ranges to be dealt: what the topic has of it, as of the statement.
  std::vector<kafka::Range> find(const kafka::OffsetSet& wanted) { return source_.find(wanted); }

  void open(const kafka::OffsetSet&) override {}  ///< what was dealt, not what is asked for here, is read
  const kafka::Message* next() override;
  void close() override;
  Counters counters() const override;
  std::span<const kafka::Range> ranges() const override { return ranges_; }

  /// The shared memory goes: nothing more is given out. The work of all processes, by their place.
  std::vector<SharedRanges::Work> leave();

 private:
  bool begin_group();
  void read_group();
  bool may_give(const kafka::Message& message);
  void report();

  SharedRanges* shared_;  ///< null: it is gone
  int place_;
  SharedRanges::Work before_;  ///< of the worker that had the place in the scan before this rescan
  const pg::RowBuilder::Counters& rows_;
  KafkaSource source_;
  std::vector<kafka::Range> ranges_;
  std::vector<int64_t> positions_;  ///< of the first offset of each range, and of the end
  SharedRanges::Share share_{};
  int64_t position_ = 0;    ///< where the next group begins
  bool reading_ = false;    ///< source_ gives the messages of a group
  size_t range_ = 0;        ///< of the message given out last
  int64_t dealt_ = 0;       ///< ranges, of all rescans; counted by the leader
  int64_t taken_away_ = 0;  ///< messages that source_ gave and another process gives out
};

}  // namespace kafka_fdw::fdw

#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "fdw/message_source.h"
#include "ingest/consumer.h"

namespace kafka_fdw::ingest {

/// Whether a row of the table can say that its message is a tombstone.
bool can_show_tombstones(const fdw::Table& table);

/// While it lives, every scan of one of the consumer's topics in this backend reads these messages and nothing else.
class BatchBinding : public fdw::BoundBatch {
 public:
  /// Consumer and messages must outlive it, and every scan that it was made for.
  BatchBinding(const Consumer& consumer, Oid server, std::span<const kafka::Message> messages);
  ~BatchBinding() override;

  std::unique_ptr<fdw::MessageSource> source_for(const fdw::Table& table, const fdw::ScanOrder& order) override;
  double expected_rows(const fdw::Table& table) const override;

  /// Whether a scan of that topic (its place in Consumer::topics) was begun.
  bool was_read(int32_t topic) const { return topics_[static_cast<size_t>(topic)].read; }
  /// Whether every scan of the topic passed over its tombstones.
  bool skips_tombstones(int32_t topic) const { return !topics_[static_cast<size_t>(topic)].shows_tombstones; }

 private:
  struct TopicState {
    bool read = false;
    bool shows_tombstones = false;
  };
  int32_t topic_of(const fdw::Table& table) const;

  const Consumer& consumer_;
  Oid server_;
  /// Shared with the sources, which a cursor may keep longer than the binding: emptied by its end.
  std::shared_ptr<std::optional<std::span<const kafka::Message>>> messages_;
  std::vector<TopicState> topics_;
  fdw::BoundBatch* outer_;
};

}  // namespace kafka_fdw::ingest

#pragma once

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "fdw/message_source.h"
#include "ingest/consumer.h"
#include "ingest/reject.h"

namespace kafka_fdw::ingest {

/// Whether a row of the table can say that its message is a tombstone.
bool can_show_tombstones(const fdw::Table& table);

/// What scans of a batch share with the binding that they were made for. A cursor may keep a scan longer than that: the
/// messages are absent then.
struct BoundMessages {
  std::optional<std::span<const kafka::Message>> messages;
  std::set<const kafka::Message*> left_out;
  const kafka::Message* last_given = nullptr;  ///< to any scan
  std::vector<int> scans;                      ///< of each topic: how often one began, rescans too
};

/// While it lives, every scan of one of the consumer's topics in this backend reads these messages and nothing else.
class BatchBinding : public fdw::BoundBatch {
 public:
  /// Consumer and messages must outlive it, and every scan that it was made for. With rejections, those that are in it
  /// are left out, and what does not decode is added to it; without, that is an error.
  BatchBinding(const Consumer& consumer, Oid server, std::span<const kafka::Message> messages,
               Rejections* rejections = nullptr);
  ~BatchBinding() override;

  std::unique_ptr<fdw::MessageSource> source_for(const fdw::Table& table, const fdw::ScanOrder& order) override;
  bool collects_rejects() const override { return rejections_ != nullptr; }
  void reject(const kafka::Message& message, const pg::RowError& error) override;
  void note_undecodable(const kafka::Message& message) noexcept override { undecodable_ = &message; }
  double expected_rows(const fdw::Table& table) const override;

  /// Whether a scan of that topic (its place in Consumer::topics) was made.
  bool was_read(int32_t topic) const { return topics_[static_cast<size_t>(topic)].read; }
  /// Whether a topic was scanned more than once: a message that one scan rejects, another may have given out.
  bool was_scanned_again() const;
  /// Whether every scan of the topic passed over its tombstones.
  bool skips_tombstones(int32_t topic) const { return !topics_[static_cast<size_t>(topic)].shows_tombstones; }
  /// Null: all did.
  const kafka::Message* undecodable() const { return undecodable_; }
  /// Null: no scan has begun.
  const kafka::Message* last_given() const { return bound_->last_given; }

 private:
  struct TopicState {
    bool read = false;
    bool shows_tombstones = false;
  };
  int32_t topic_of(const fdw::Table& table) const;

  const Consumer& consumer_;
  Oid server_;
  std::shared_ptr<BoundMessages> bound_;
  Rejections* rejections_;
  const kafka::Message* undecodable_ = nullptr;
  std::vector<TopicState> topics_;
  fdw::BoundBatch* outer_;
};

}  // namespace kafka_fdw::ingest

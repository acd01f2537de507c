#pragma once

#include "fdw/kafka_source.h"
#include "fdw/topic_view.h"

namespace kafka_fdw::fdw {

/// Reads a topic for a SQL function, as the current user. A memory context of the transaction owns what reads, for the
/// reason that ScopedLease has.
class TopicReading {
 public:
  /// The table need not be one that exists: server, topic, start and properties are enough.
  explicit TopicReading(const Table& table);
  ~TopicReading();
  TopicReading(const TopicReading&) = delete;
  TopicReading& operator=(const TopicReading&) = delete;

  TopicView& topic() noexcept;
  KafkaSource& source() noexcept;
  /// In good order: the client is kept for others.
  void close();

  /// What is made in it goes before the client does.
  MemoryContext context() const noexcept { return context_; }

 private:
  struct Parts;
  MemoryContext context_;
  Parts* parts_ = nullptr;
};

}  // namespace kafka_fdw::fdw

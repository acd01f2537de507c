#pragma once

#include <span>
#include <string>
#include <vector>

#include "fdw/owned_reading.h"

namespace kafka_fdw::fdw {

/// The newest messages of a topic, of each of its partitions, by which is judged what its table should look like.
class TopicSample {
 public:
  /// Reads about `count` messages in all, at least one of each partition that has any, and no more than fit into a
  /// bound of bytes. The table need not exist: server, topic and properties are enough. Throws as a scan does.
  TopicSample(Table table, int64_t count);

  /// By partition and offset.
  std::span<const kafka::Message* const> messages() const noexcept { return messages_; }

 private:
  using Batches = std::vector<kafka::MessageBatch>;
  OwnedReading reading_;
  Batches& batches_;  ///< owned by the context of reading_: librdkafka wants messages back before their client goes
  std::vector<const kafka::Message*> messages_;
};

}  // namespace kafka_fdw::fdw

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ingest/feed.h"
#include "ingest/slots.h"
#include "ingest/status.h"

namespace kafka_fdw::ingest {

/// Questions of a worker to the brokers that nobody waits for, about one topic after the other: where the logs end,
/// which is also a sign of life, and which partitions the topic has.
class Probes {
 public:
  Probes(const Consumer& consumer, const Slots& slots, Feed& feed, Status& status)
      : consumer_(consumer), slots_(slots), feed_(feed), status_(status) {}

  void ask(bool ends, bool partitions);

  enum class Answer : uint8_t {
    none,
    alive,   ///< the brokers answered, and all is as it was
    silent,  ///< they did not; trouble() says why
    changed  ///< the topic has other partitions than are followed
  };
  /// Throws what waiting does not mend.
  Answer look();
  const Failure& trouble() const noexcept { return trouble_; }

 private:
  Answer look_at_ends();
  Answer look_at_partitions();

  const Consumer& consumer_;
  const Slots& slots_;
  Feed& feed_;
  Status& status_;
  int32_t topic_ = 0;
  Failure trouble_;
  std::optional<kafka::Pending<std::vector<kafka::Watermarks>>> ends_;
  std::optional<kafka::Pending<std::vector<kafka::TopicInfo>>> partitions_;
};

}  // namespace kafka_fdw::ingest

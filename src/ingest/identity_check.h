#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "fdw/connection.h"
#include "ingest/client_owner.h"
#include "ingest/tally.h"
#include "kafka/range_reader.h"

namespace kafka_fdw::ingest {

/// Whether the log still has the messages that were taken last, and the topics are the same: asked by a client of its
/// own, while others go on.
class IdentityCheck final : public ClientOwner {
 public:
  /// Asks, without waiting. `connection` is for few messages; `topic_ids` are those of the topics, empty where they are
  /// not known.
  IdentityCheck(const fdw::Connection& connection, const std::vector<std::string>& topics,
                std::map<Place, Identity> identities, std::vector<std::string> topic_ids);

  /// Waits for the answers, interruptibly. The messages in whose place another one is now, or before which the log
  /// ends; a message that is gone (compacted, or too old) proves nothing. Throws kafka::Error where no answer comes.
  std::map<Place, Identity> wait();

 private:
  void abandon() noexcept override;
  bool is_complete();
  bool poll();
  void note_ends();
  void compare_topics();

  std::map<Place, Identity> identities_;
  fdw::Connection connection_;
  std::optional<kafka::Lease> lease_;
  kafka::MessageBatch batch_;
  std::optional<kafka::RangeReader> reader_;
  std::vector<std::string> topic_ids_;
  std::optional<kafka::Pending<std::vector<std::string>>> topic_ids_now_;
  std::map<Place, Identity> others_;
  std::chrono::steady_clock::time_point asked_at_;
};

}  // namespace kafka_fdw::ingest

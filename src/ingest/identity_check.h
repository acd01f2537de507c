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

/// Whether the log still has the messages that were taken last: it is asked for them by a client of its own, while
/// others go on.
class IdentityCheck final : public ClientOwner {
 public:
  /// Asks, without waiting. `connection` is for few messages.
  IdentityCheck(const fdw::Connection& connection, const std::vector<std::string>& topics,
                std::map<Place, Identity> identities);

  /// Waits for the answers, interruptibly. The messages in whose place another one is now, or before which the log
  /// ends; a message that is gone (compacted, or too old) proves nothing. Throws kafka::Error where no answer comes.
  std::map<Place, Identity> wait();

 private:
  void abandon() noexcept override;
  bool poll();
  void note_ends();

  std::map<Place, Identity> identities_;
  fdw::Connection connection_;
  std::optional<kafka::Lease> lease_;
  kafka::MessageBatch batch_;
  std::optional<kafka::RangeReader> reader_;
  std::map<Place, Identity> others_;
  std::chrono::steady_clock::time_point asked_at_;
};

}  // namespace kafka_fdw::ingest

#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "fdw/connection.h"
#include "ingest/advance.h"
#include "ingest/client_owner.h"
#include "ingest/status.h"
#include "kafka/group_committer.h"

extern "C" {
#include "access/xlogdefs.h"
}

namespace kafka_fdw::ingest {

/// Tells Kafka, under a consumer group's name, where the consumer stands: for tools that show lag. Nobody reads it
/// here. Never ahead of what is durable: an offset is told when the WAL up to its commit is flushed.
class GroupPublisher final : public ClientOwner {
 public:
  GroupPublisher(const fdw::Connection& connection, const std::string& group, const std::vector<std::string>& topics);

  /// What is committed as of that position of the WAL.
  void note(const PartitionStates& stored, XLogRecPtr position);

  /// Sends what is durable and not yet told, and logs, once for each reason, why that failed. Once a second.
  void publish(const Status& status);

 private:
  void abandon() noexcept override { committer_.reset(); }

  const std::vector<std::string>& topics_;
  std::string group_;
  std::optional<kafka::GroupCommitter> committer_;
  kafka::GroupCommitter::Offsets noted_;    ///< as of position_
  kafka::GroupCommitter::Offsets durable_;  ///< known to be flushed
  kafka::GroupCommitter::Offsets told_;
  XLogRecPtr position_ = InvalidXLogRecPtr;
  std::string logged_;
};

}  // namespace kafka_fdw::ingest

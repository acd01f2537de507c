#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "kafka/properties.h"

namespace kafka_fdw::kafka {

/// Commits offsets for a consumer group without being a member of it, by a client of its own. Nothing here waits: the
/// client is the reaper's in the end.
class GroupCommitter {
 public:
  /// Throws Error(bad_property).
  GroupCommitter(const Properties& properties, const std::string& group);
  ~GroupCommitter();
  GroupCommitter(const GroupCommitter&) = delete;
  GroupCommitter& operator=(const GroupCommitter&) = delete;

  /// By topic and partition.
  using Offsets = std::map<std::pair<std::string, int32_t>, int64_t>;

  /// Sends them, unless an answer is still awaited: then false.
  bool commit(const Offsets& offsets);

  enum class State : uint8_t { idle, waiting, failed };
  /// Takes in what has come. After failed, error() says why; where the group's coordinator is not to be found, an
  /// answer is awaited all the same.
  State poll();
  const std::string& error() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kafka_fdw::kafka

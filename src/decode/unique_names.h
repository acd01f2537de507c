#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace kafka_fdw::decode {

/// Names for the columns of a table, or for the tables of a schema: each once, and none too long.
class UniqueNames {
 public:
  /// The length in bytes of the whole characters at the name's beginning that take at most `limit` bytes.
  using Clip = std::function<size_t(std::string_view name, size_t limit)>;
  explicit UniqueNames(size_t max_bytes, Clip clip) : max_bytes_(max_bytes), clip_(std::move(clip)) {}

  /// Never given out.
  void reserve(std::string_view name) { taken_.emplace(name); }

  /// The name itself if it is free, else the nearest one that is: cut, and with a number at its end. An empty one
  /// becomes "unnamed".
  std::string take(std::string_view wanted);

 private:
  size_t max_bytes_;
  Clip clip_;
  std::set<std::string, std::less<>> taken_;
};

}  // namespace kafka_fdw::decode

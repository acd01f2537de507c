#pragma once

#include <algorithm>
#include <chrono>
#include <utility>

namespace kafka_fdw::ingest {

/// How long to wait after one failure and the next: 0.1 s, doubling to 30 s.
class Backoff {
 public:
  static constexpr std::chrono::milliseconds shortest{100};
  static constexpr std::chrono::milliseconds longest{30'000};

  /// After one more failure.
  std::chrono::milliseconds next() noexcept { return std::exchange(wait_, std::min(wait_ * 2, longest)); }
  /// After a success.
  void reset() noexcept { wait_ = shortest; }

 private:
  std::chrono::milliseconds wait_ = shortest;
};

}  // namespace kafka_fdw::ingest

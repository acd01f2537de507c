#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <optional>

namespace kafka_fdw::ingest {

/// So many messages a second, and what was left of the last second's.
class RateLimit {
 public:
  using Clock = std::chrono::steady_clock;

  /// Absent: any number.
  explicit RateLimit(std::optional<double> per_second, Clock::time_point now = Clock::now())
      : per_second_(per_second), left_(per_second ? std::min(1.0, *per_second) : 0), counted_at_(now) {}

  /// How many may be taken now, up to `most`.
  size_t allowed(size_t most, Clock::time_point now = Clock::now()) {
    if (!per_second_) return most;
    const double seconds = std::chrono::duration<double>(now - counted_at_).count();
    left_ = std::min(left_ + seconds * *per_second_, std::max(1.0, *per_second_));
    counted_at_ = now;
    return std::min(most, static_cast<size_t>(std::max(0.0, left_)));
  }

  void take(size_t count) noexcept {
    if (per_second_) left_ -= static_cast<double>(count);
  }

  /// How long nothing is allowed from now on.
  std::chrono::milliseconds wait() const {
    if (!per_second_ || left_ >= 1) return std::chrono::milliseconds(0);
    return std::chrono::milliseconds(static_cast<int64_t>(std::ceil((1 - left_) / *per_second_ * 1000)));
  }

 private:
  std::optional<double> per_second_;
  double left_;
  Clock::time_point counted_at_;
};

}  // namespace kafka_fdw::ingest

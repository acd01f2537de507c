#pragma once

#include <algorithm>
#include <cstddef>

#include "ingest/sift.h"

namespace kafka_fdw::ingest {

/// What a worker has learnt of its batches, kept from one client to the next.
class Pace {
 public:
  /// How many messages a batch may have, of those that the consumer allows.
  size_t limit(size_t allowed) const noexcept { return limit_ == 0 ? allowed : std::min(limit_, allowed); }

  /// Whether batches are sifted from the start: there was a bad message not long ago.
  bool is_cautious() const noexcept { return cautious_batches_ > 0; }

  void note_taken(bool clean) noexcept {
    too_much_ = 0;
    catalog_blamed_ = 0;
    if (limit_ > 0 && ++taken_ >= batches_before_growth) {
      limit_ = limit_ >= largest_limit ? 0 : limit_ * 2;
      taken_ = 0;
    }
    if (!clean)
      cautious_batches_ = caution;
    else if (cautious_batches_ > 0)
      --cautious_batches_;
  }
  /// Whether a batch that failed while the catalog changed is tried again as it is. Not for ever: its own statement may
  /// change it each time.
  bool may_blame_catalog() noexcept { return ++catalog_blamed_ <= 2; }

  void note_bad_message() noexcept { cautious_batches_ = caution; }

  /// A batch of that size was too much. True: it was one message, and not for the first time, so that the message is
  /// at fault.
  bool note_too_much(size_t size) noexcept {
    if (++too_much_ < 2) return false;
    if (size <= 1) return true;
    limit_ = size / 2;
    taken_ = 0;
    too_much_ = 1;
    return false;
  }

  Streak& streak() noexcept { return streak_; }

 private:
  static constexpr int caution = 20;
  static constexpr size_t largest_limit = 1 << 20;
  /// What was too much most likely still is.
  static constexpr int batches_before_growth = 8;

  size_t limit_ = 0;  ///< 0: none of our own
  int too_much_ = 0;
  int taken_ = 0;  ///< batches since limit_ changed
  int cautious_batches_ = 0;
  int catalog_blamed_ = 0;  ///< in a row
  Streak streak_;
};

}  // namespace kafka_fdw::ingest

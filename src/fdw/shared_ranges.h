#pragma once

#include <span>
#include <vector>

#include "fdw/message_source.h"
#include "kafka/offset_set.h"
#include "pg/row_builder.h"

extern "C" {
#include "storage/spin.h"
#include "utils/dsa.h"
}

namespace kafka_fdw::fdw {

/// The ranges of a parallel scan, dealt out to its processes; in dynamic shared memory.
///
/// All the offsets of the ranges, one after the other, are positions from 0 on. A process owns a share of them, from
/// one position to another, which it reads in their order, as that is what brokers are good at. It claims some ahead of
/// what it gives out; one that has nothing left takes half of what another has not claimed yet.
class SharedRanges {
 public:
  static constexpr int leader_place = 0;

  struct Share {
    int64_t from;
    int64_t to;
    int64_t claimed;  ///< end of what it may give out for now
  };
  /// What the processes with a place have done, of all rescans together: each rescan has new workers.
  struct Work {
    MessageSource::Counters messages;
    pg::RowBuilder::Counters rows;

    Work& operator+=(const Work& other) noexcept {
      messages += other.messages;
      rows.decoded += other.rows.decoded;
      rows.in_error += other.rows.in_error;
      return *this;
    }
  };

  static size_t size(int process_count) noexcept;
  /// In memory of that size.
  static SharedRanges& make(void* memory, int process_count) noexcept;

  /// Before processes begin. May raise: call it inside pg::call. Without an area nobody but the caller takes part.
  void deal(dsa_area* area, const kafka::Range* ranges, int count);
  std::vector<kafka::Range> ranges(dsa_area* area) const;

  // By the process with that place, from 0 on:

  /// False: nothing is left. Some of the share is claimed.
  bool take_share(int place, Share* share) noexcept;
  /// Has the position claimed, and some behind it. Its end; 0: somebody else has taken it, or the share ends before.
  int64_t claim(int place, int64_t position) noexcept;

  Work& work(int place) noexcept { return places_[place].work; }
  int process_count() const noexcept { return process_count_; }

 private:
  struct Place {
    int64_t from;  ///< [from, to) is not claimed yet
    int64_t to;
    Work work;
  };
  int64_t claim_of(Place& place, int64_t position) noexcept;

  slock_t mutex_;  ///< guards all positions
  int process_count_;
  int range_count_;
  dsa_pointer ranges_;
  int64_t undealt_;  ///< [undealt_, end_) has no owner yet
  int64_t end_;
  Place places_[1];  ///< as many as there are processes
};

}  // namespace kafka_fdw::fdw

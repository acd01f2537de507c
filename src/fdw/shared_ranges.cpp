#include "fdw/shared_ranges.h"

#include <algorithm>
#include <cstring>

namespace kafka_fdw::fdw {

namespace {

/// Small beside a fetch, so that little is left at the end that only one process can read.
constexpr int64_t claim_size = 5000;
/// Less is not worth a request of its own.
constexpr int64_t least_taken = 4 * claim_size;

class Locked {
 public:
  explicit Locked(slock_t& mutex) noexcept : mutex_(mutex) { SpinLockAcquire(&mutex_); }
  ~Locked() { SpinLockRelease(&mutex_); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  slock_t& mutex_;
};

}  // namespace

size_t SharedRanges::size(int process_count) noexcept {
  return sizeof(SharedRanges) + static_cast<size_t>(process_count) * sizeof(Place);
}

SharedRanges& SharedRanges::make(void* memory, int process_count) noexcept {
  std::memset(memory, 0, size(process_count));
  auto* shared = static_cast<SharedRanges*>(memory);
  SpinLockInit(&shared->mutex_);
  shared->process_count_ = process_count;
  shared->ranges_ = InvalidDsaPointer;
  return *shared;
}

void SharedRanges::deal(dsa_area* area, const kafka::Range* ranges, int count) {
  if (area != nullptr && DsaPointerIsValid(ranges_)) dsa_free(area, ranges_);
  ranges_ = InvalidDsaPointer;
  range_count_ = 0;
  undealt_ = 0;
  end_ = 0;
  for (int i = 0; i < process_count_; ++i) places_[i].from = places_[i].to = 0;
  if (count == 0) return;
  if (area != nullptr) {
    const size_t bytes = static_cast<size_t>(count) * sizeof(kafka::Range);
    ranges_ = dsa_allocate_extended(area, bytes, bytes > MaxAllocSize ? DSA_ALLOC_HUGE : 0);
    std::memcpy(dsa_get_address(area, ranges_), ranges, bytes);
    range_count_ = count;
  }
  for (int i = 0; i < count; ++i) end_ += ranges[i].to - ranges[i].from;
}

std::vector<kafka::Range> SharedRanges::ranges(dsa_area* area) const {
  if (range_count_ == 0) return {};
  const auto* first = static_cast<const kafka::Range*>(pg::call([&] { return dsa_get_address(area, ranges_); }));
  return {first, first + range_count_};
}

int64_t SharedRanges::claim_of(Place& place, int64_t position) noexcept {
  place.from = std::min(place.to, std::max(place.from, position) + claim_size);
  return place.from;
}

bool SharedRanges::take_share(int place, Share* share) noexcept {
  const Locked locked(mutex_);
  Place& own = places_[place];
  if (undealt_ < end_) {
    own.from = undealt_;
    own.to = std::min(end_, undealt_ + std::max(least_taken, end_ / process_count_ + 1));
    undealt_ = own.to;
  } else {
    Place& richest = *std::max_element(places_, places_ + process_count_,
                                       [](const Place& a, const Place& b) { return a.to - a.from < b.to - b.from; });
    if (richest.to - richest.from < 2 * least_taken) return false;
    own.to = richest.to;
    own.from = richest.from + (richest.to - richest.from) / 2;
    richest.to = own.from;
  }
  *share = {.from = own.from, .to = own.to, .claimed = 0};
  share->claimed = claim_of(own, own.from);
  return true;
}

int64_t SharedRanges::claim(int place, int64_t position) noexcept {
  const Locked locked(mutex_);
  Place& own = places_[place];
  if (position >= own.to) return 0;
  return claim_of(own, position);
}

}  // namespace kafka_fdw::fdw

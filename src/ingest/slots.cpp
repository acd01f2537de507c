#include "ingest/slots.h"

#include <algorithm>

#include "ingest/fence.h"
#include "ingest/state.h"
#include "ingest/transaction.h"
#include "ingest/worker.h"
#include "module.h"

namespace kafka_fdw::ingest {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds look_interval{5};
constexpr seconds return_interval{10};

/// So long a slot may be free because its worker is being started again.
milliseconds grace() { return std::max<milliseconds>(seconds(10), 3 * milliseconds(settings.restart_interval_ms)); }

/// Slots whose worker has nothing to do any more.
std::vector<int> finished_slots(pg::Spi& spi, ConsumerId consumer) {
  const pg::Rows rows =
      run_as_owner(spi, "SELECT slot FROM $S.pipeline_kafka_workers WHERE consumer_id = $1 AND state = 'finished'",
                   {pg::Param::int8(consumer)});
  std::vector<int> slots;
  for (size_t row = 0; row < rows.size(); ++row) slots.push_back(static_cast<int>(*rows.integer(row, 1)));
  return slots;
}

bool contains(const std::vector<int>& slots, int slot) { return std::ranges::find(slots, slot) != slots.end(); }

bool try_lock(ConsumerId consumer, int slot) {
  Transaction transaction;
  const bool taken = try_lock_slot(consumer, slot);
  transaction.commit();
  return taken;
}

}  // namespace

bool Slots::take(const Consumer& consumer, int32_t partition) const noexcept {
  return std::ranges::any_of(held_, [&](int slot) { return consumer.takes(slot, partition); });
}

bool Slots::take_own() {
  if (!try_lock(consumer_, own_)) return false;
  held_ = {own_};
  return true;
}

void Slots::release(int slot) {
  Transaction transaction;
  unlock_slot(consumer_, slot);
  transaction.commit();
  std::erase(held_, slot);
  std::erase(returned_, slot);
}

void Slots::leave(const Consumer& consumer) {
  if (consumer.enabled) start_successors(consumer);
  for (const int slot : std::vector<int>(held_)) release(slot);
}

/// For the slots of others that are held, and, where the own one is none any more, for those that nobody has: workers
/// for which there was no place have left them to this one.
void Slots::start_successors(const Consumer& consumer) const {
  Transaction transaction;
  std::vector<int> running;
  {
    pg::Spi spi;
    running = running_slots(spi, consumer);
  }
  for (int slot = 0; slot < consumer.parallelism; ++slot) {
    const bool left = contains(held_, slot) || (own_ >= consumer.parallelism && !contains(running, slot));
    if (left && slot != own_ && !contains(returned_, slot)) (void)register_successor(consumer, slot);
  }
  transaction.commit();
}

/// Takes no lock: a worker that found its slot locked would end.
void Slots::look(const Consumer& consumer) {
  Transaction transaction;
  {
    pg::Spi spi;
    const std::vector<int> running = running_slots(spi, consumer);
    const std::vector<int> finished = finished_slots(spi, consumer_);
    for (int slot = 0; slot < consumer.parallelism; ++slot) {
      if (contains(held_, slot) || contains(running, slot) || contains(finished, slot))
        free_since_.erase(slot);
      else
        free_since_.emplace(slot, Clock::now());
    }
  }
  transaction.commit();
}

bool Slots::should_change(const Consumer& consumer) {
  const auto now = Clock::now();
  if (consumer.parallelism < 2 || now < next_look_) return false;
  next_look_ = now + look_interval;
  look(consumer);
  if (held_.size() > 1 && now >= next_return_) {
    next_return_ = now + return_interval;
    if (try_to_return(consumer)) return true;
  }
  return std::ranges::any_of(free_since_, [&](const auto& slot) { return now - slot.second >= grace(); });
}

/// Starts workers for slots of others. They wait until the slots are given up.
bool Slots::try_to_return(const Consumer& consumer) {
  for (const int slot : held_) {
    if (slot == own_ || contains(returned_, slot)) continue;
    Transaction transaction;
    const bool started = has_free_worker_place(settings.max_workers) && register_successor(consumer, slot);
    transaction.commit();
    if (!started) break;
    returned_.push_back(slot);
  }
  return !returned_.empty();
}

void Slots::change(const Consumer& consumer) {
  for (const int slot : std::vector<int>(held_))
    if (slot != own_ && (contains(returned_, slot) || slot >= consumer.parallelism)) release(slot);
  const auto now = Clock::now();
  for (const auto& [slot, since] : free_since_) {
    if (slot >= consumer.parallelism || now - since < grace() || !try_lock(consumer_, slot)) continue;
    held_.push_back(slot);
    next_return_ = now + return_interval;
  }
  std::erase_if(free_since_, [&](const auto& slot) { return contains(held_, slot.first); });
}

}  // namespace kafka_fdw::ingest

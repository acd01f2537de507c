#include "kafka/pool.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "kafka/helper_thread.h"

namespace kafka_fdw::kafka {
namespace {

using Clock = std::chrono::steady_clock;

struct Idle {
  std::string key;
  std::unique_ptr<Client> client;
  Clock::time_point since;
};

/// Idle clients, those to be destroyed, and the thread that destroys them: when they are given to it, and when they
/// have been idle for too long, as a process that waits for its next statement runs no code of ours. Never destroyed:
/// the thread may still be at work when the process ends.
class Keeper {
 public:
  static Keeper& instance() {
    static auto* keeper = new Keeper();
    return *keeper;
  }

  void keep(std::string key, std::unique_ptr<Client>& client, uint64_t generation) {
    std::lock_guard lock(mutex_);
    start();
    if (generation == generation_)
      idle_.push_back({std::move(key), std::move(client), Clock::now()});
    else
      doom(std::move(client));
    changed_.notify_all();
  }

  std::unique_ptr<Client> take(std::string_view key) {
    std::lock_guard lock(mutex_);
    auto found = std::find_if(idle_.rbegin(), idle_.rend(), [&](const Idle& entry) { return entry.key == key; });
    if (found == idle_.rend()) return nullptr;
    std::unique_ptr<Client> client = std::move(found->client);
    idle_.erase(std::next(found).base());
    return client;
  }

  void destroy(std::unique_ptr<Reapable> holder) {
    std::lock_guard lock(mutex_);
    start();
    doom(std::move(holder));
    changed_.notify_all();
  }

  /// Clients that are leased now are not kept either when they are given back.
  void drop_all() {
    std::lock_guard lock(mutex_);
    ++generation_;
    expire(Clock::time_point::max());
    changed_.notify_all();
  }

  void set_idle_limit(std::chrono::milliseconds limit) {
    std::lock_guard lock(mutex_);
    idle_limit_ = limit;
    changed_.notify_all();
  }

  bool drain(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [this] { return undone_ == 0; });
  }

  size_t idle_clients() {
    std::lock_guard lock(mutex_);
    return idle_.size();
  }

  uint64_t generation() {
    std::lock_guard lock(mutex_);
    return generation_;
  }

 private:
  void start() {
    if (!thread_.joinable()) thread_ = start_quiet_thread([this](const std::stop_token&) { work(); });
  }

  void doom(std::unique_ptr<Reapable> holder) {
    doomed_.push_back(std::move(holder));
    ++undone_;
  }

  void expire(Clock::time_point limit) {
    auto end = std::ranges::find_if(idle_, [&](const Idle& entry) { return entry.since > limit; });
    for (auto entry = idle_.begin(); entry != end; ++entry) doom(std::move(entry->client));
    idle_.erase(idle_.begin(), end);
  }

  [[noreturn]] void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      expire(Clock::now() - idle_limit_);
      if (doomed_.empty()) {
        if (idle_.empty())
          changed_.wait(lock);
        else
          changed_.wait_until(lock, idle_.front().since + idle_limit_);
        continue;
      }
      std::unique_ptr<Reapable> holder = std::move(doomed_.front());
      doomed_.pop_front();
      lock.unlock();
      holder.reset();
      lock.lock();
      --undone_;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Idle> idle_;  ///< the longest unused first
  std::deque<std::unique_ptr<Reapable>> doomed_;
  size_t undone_ = 0;  ///< doomed or being destroyed
  uint64_t generation_ = 0;
  std::chrono::milliseconds idle_limit_{60'000};
  std::jthread thread_;
};

/// Whether nothing happened to an idle client that would fail its next user.
bool healthy(Client& client) noexcept {
  try {
    client.drain_events();
    client.serve_errors();
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace

Pool& Pool::instance() {
  static auto* pool = new Pool();
  return *pool;
}

Lease Pool::lease(const std::string& key, const Properties& properties) {
  while (std::unique_ptr<Client> client = Keeper::instance().take(key)) {
    Lease lease(key, std::move(client));
    if (healthy(lease.client())) return lease;
  }
  return Lease(key, std::make_unique<Client>(properties));
}

void Pool::drop_all() noexcept { Keeper::instance().drop_all(); }

void Pool::set_idle_limit(std::chrono::milliseconds limit) noexcept { Keeper::instance().set_idle_limit(limit); }

size_t Pool::idle_clients() const noexcept { return Keeper::instance().idle_clients(); }

Lease::Lease(std::string key, std::unique_ptr<Client> client)
    : key_(std::move(key)), client_(std::move(client)), generation_(Keeper::instance().generation()) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    Reaper::destroy(std::move(client_));
    key_ = std::move(other.key_);
    client_ = std::move(other.client_);
    generation_ = other.generation_;
  }
  return *this;
}

Lease::~Lease() { Reaper::destroy(std::move(client_)); }

void Lease::give_back() noexcept {
  if (!client_) return;
  try {
    Keeper::instance().keep(std::move(key_), client_, generation_);
  } catch (...) {
    Reaper::destroy(std::move(client_));
  }
}

void Reaper::destroy(std::unique_ptr<Reapable> holder) noexcept {
  if (!holder) return;
  try {
    Keeper::instance().destroy(std::move(holder));
  } catch (...) {
    // Without memory or threads it happens here, by the destructor, and may block.
  }
}

bool Reaper::drain(std::chrono::milliseconds timeout) noexcept {
  try {
    return Keeper::instance().drain(timeout);
  } catch (...) {
    return false;
  }
}

}  // namespace kafka_fdw::kafka

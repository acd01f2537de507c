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

/// Never destroyed: its thread may still be at work when the process ends.
class ReaperThread {
 public:
  static ReaperThread& instance() {
    static auto* reaper = new ReaperThread();
    return *reaper;
  }

  void add(std::unique_ptr<Client> client) {
    std::lock_guard lock(mutex_);
    if (!thread_.joinable()) thread_ = start_quiet_thread([this](std::stop_token) { work(); });
    clients_.push_back(std::move(client));
    ++undone_;
    changed_.notify_all();
  }

  bool drain(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [this] { return undone_ == 0; });
  }

 private:
  [[noreturn]] void work() {
    while (true) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !clients_.empty(); });
      std::unique_ptr<Client> client = std::move(clients_.front());
      clients_.pop_front();
      lock.unlock();
      client.reset();
      lock.lock();
      --undone_;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Client>> clients_;
  size_t undone_ = 0;  ///< waiting or being destroyed
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

struct Pool::Impl {
  struct Idle {
    std::string key;
    std::unique_ptr<Client> client;
    Clock::time_point since;
  };
  std::vector<Idle> idle;  ///< the longest unused first

  void drop(std::vector<Idle>::iterator from, std::vector<Idle>::iterator to) noexcept {
    for (auto entry = from; entry != to; ++entry) Reaper::destroy(std::move(entry->client));
    idle.erase(from, to);
  }
};

Pool::Pool() : impl_(new Impl()) {}

Pool& Pool::instance() {
  static auto* pool = new Pool();
  return *pool;
}

Lease Pool::lease(const std::string& key, const Properties& properties) {
  auto& idle = impl_->idle;
  while (true) {
    auto found = std::find_if(idle.rbegin(), idle.rend(), [&](const Impl::Idle& entry) { return entry.key == key; });
    if (found == idle.rend()) return Lease(key, std::make_unique<Client>(properties));
    Lease lease(key, std::move(found->client));
    idle.erase(std::next(found).base());
    if (healthy(lease.client())) return lease;
  }
}

void Pool::drop_all() noexcept { impl_->drop(impl_->idle.begin(), impl_->idle.end()); }

void Pool::drop_idle(std::chrono::milliseconds idle) noexcept {
  auto limit = Clock::now() - idle;
  auto& entries = impl_->idle;
  impl_->drop(entries.begin(),
              std::ranges::find_if(entries, [&](const Impl::Idle& entry) { return entry.since > limit; }));
}

size_t Pool::idle_clients() const noexcept { return impl_->idle.size(); }

Lease::Lease(std::string key, std::unique_ptr<Client> client) : key_(std::move(key)), client_(std::move(client)) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    Reaper::destroy(std::move(client_));
    key_ = std::move(other.key_);
    client_ = std::move(other.client_);
  }
  return *this;
}

Lease::~Lease() { Reaper::destroy(std::move(client_)); }

void Lease::give_back() noexcept {
  if (!client_) return;
  try {
    auto& entry = Pool::instance().impl_->idle.emplace_back();
    entry = {std::move(key_), std::move(client_), Clock::now()};
  } catch (...) {
    Reaper::destroy(std::move(client_));
  }
}

void Reaper::destroy(std::unique_ptr<Client> client) noexcept {
  if (!client) return;
  try {
    ReaperThread::instance().add(std::move(client));
  } catch (...) {
    // Without memory or threads it happens here, by the destructor, and may block.
  }
}

bool Reaper::drain(std::chrono::milliseconds timeout) noexcept {
  try {
    return ReaperThread::instance().drain(timeout);
  } catch (...) {
    return false;
  }
}

}  // namespace kafka_fdw::kafka

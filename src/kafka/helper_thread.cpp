#include "kafka/helper_thread.h"

#include <pthread.h>

#include <csignal>

namespace kafka_fdw::kafka {
namespace {

/// All signals blocked while it lives; a thread that is made meanwhile inherits that.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

std::jthread start_quiet_thread(std::function<void(std::stop_token)> body) {
  SignalsBlocked blocked;
  return std::jthread(std::move(body));
}

HelperThread::~HelperThread() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void HelperThread::run(Task task) {
  if (!thread_.joinable()) thread_ = start_quiet_thread([this](const std::stop_token& stop) { work(stop); });
  std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  changed_.notify_one();
}

void HelperThread::work(const std::stop_token& stop) {
  while (true) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [this] { return !tasks_.empty(); }) || stop.stop_requested()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task(stop);
  }
}

void pause(const std::stop_token& stop, std::chrono::milliseconds duration) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, duration, [] { return false; });
}

}  // namespace kafka_fdw::kafka

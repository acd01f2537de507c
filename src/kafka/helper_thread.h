#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace kafka_fdw::kafka {

/// A thread that takes no signals: those are for the process's main thread.
std::jthread start_quiet_thread(std::function<void(std::stop_token)> body);

/// Runs tasks one after the other on a thread of its own, which starts with the first of them.
class HelperThread {
 public:
  using Task = std::function<void(std::stop_token)>;

  HelperThread() = default;
  ~HelperThread();  ///< waits for the task that runs; the others are dropped
  HelperThread(const HelperThread&) = delete;
  HelperThread& operator=(const HelperThread&) = delete;

  void run(Task task);

 private:
  void work(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Task> tasks_;  ///< guarded by mutex_
  std::jthread thread_;     ///< last: it uses the others
};

/// Returns early when a stop is asked for.
void pause(const std::stop_token& stop, std::chrono::milliseconds duration);

}  // namespace kafka_fdw::kafka

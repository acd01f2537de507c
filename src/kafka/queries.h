#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <optional>
#include <stop_token>

#include "kafka/client.h"
#include "kafka/journal.h"

namespace kafka_fdw::kafka {

class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds timeout) : end_(std::chrono::steady_clock::now() + timeout) {}
  bool over() const { return std::chrono::steady_clock::now() >= end_; }
  int remaining_ms() const {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now());
    return static_cast<int>(std::max<int64_t>(0, left.count()));
  }

 private:
  std::chrono::steady_clock::time_point end_;
};

/// The deadline passed, or the client goes. QueryAnswer says it in words that need the owner's journal.
struct Unanswered {
  std::string reason;  ///< what the broker said at last, or empty
};

// These block until the deadline at most, and run on the client's helper thread. They repeat what failed for a passing
// reason. They throw Error for what waiting does not mend, else Unanswered.

std::vector<TopicInfo> query_topics(rd_kafka_t* handle, const std::optional<std::string>& name, Deadline deadline,
                                    const std::stop_token& stop);

ClusterInfo query_cluster(rd_kafka_t* handle, Deadline deadline, const std::stop_token& stop);

std::vector<Watermarks> query_watermarks(rd_kafka_t* handle, const std::string& topic,
                                         const std::vector<int32_t>& partitions, Deadline deadline,
                                         const std::stop_token& stop);

std::vector<int64_t> query_offsets_for_times(rd_kafka_t* handle, const std::string& topic,
                                             const std::vector<TimePoint>& points, Deadline deadline,
                                             const std::stop_token& stop);

/// Never throws: an id that is not told is empty.
std::vector<std::string> query_topic_ids(rd_kafka_t* handle, const std::vector<std::string>& topics, Deadline deadline,
                                         const std::stop_token& stop);

/// By a client of its own, which belongs to the group, but does not join it.
std::vector<std::optional<int64_t>> query_committed_offsets(const Properties& properties, const std::string& group,
                                                            const std::string& topic,
                                                            const std::vector<int32_t>& partitions, Deadline deadline,
                                                            const std::stop_token& stop);

/// Filled by the helper thread, taken by the owner of the client: `ready_` is what passes the other members over.
template <class T>
class QueryAnswer : public Pending<T>::State {
 public:
  QueryAnswer(std::shared_ptr<Journal> journal, std::string what)
      : journal_(std::move(journal)), what_(std::move(what)) {}

  template <class Query>
  void fill(Query&& query) noexcept {
    try {
      value_ = query();
    } catch (...) {
      error_ = std::current_exception();
    }
    ready_.store(true, std::memory_order_release);
  }

  bool ready() const noexcept override { return ready_.load(std::memory_order_acquire); }

  T take() override {
    try {
      if (error_) std::rethrow_exception(error_);
    } catch (const Unanswered& unanswered) {
      journal_->throw_unanswered(unanswered.reason.empty() ? what_ : what_ + ": " + unanswered.reason);
    }
    journal_->note_success();
    return std::move(*value_);
  }

 private:
  std::shared_ptr<Journal> journal_;
  std::string what_;
  std::optional<T> value_;
  std::exception_ptr error_;
  std::atomic<bool> ready_ = false;
};

}  // namespace kafka_fdw::kafka

#include "fdw/kafka_source.h"

#include <algorithm>

#include "pg/wait.h"

namespace kafka_fdw::fdw {

namespace {

constexpr size_t first_batch = 100;
constexpr size_t largest_batch = 4096;

size_t batch_bytes() { return fetch_buffer_bytes() / 4; }

int64_t microseconds_since(pg::Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::microseconds>(pg::Clock::now() - start).count();
}

}  // namespace

std::vector<kafka::Range> KafkaSource::find(const kafka::OffsetSet& wanted) {
  const pg::Clock::time_point asked_at = pg::Clock::now();
  std::vector<kafka::Range> ranges = topic_.ranges(wanted);
  counters_.wait_us += microseconds_since(asked_at);
  return ranges;
}

void KafkaSource::read(std::vector<kafka::Range> ranges) {
  drop_reader();
  batch_limit_ = limit_ > 0 ? std::min(static_cast<size_t>(limit_), largest_batch) : first_batch;
  ranges_ = std::move(ranges);
  if (ranges_.empty()) return;
  int64_t messages = 0;
  for (const kafka::Range& range : ranges_) messages += range.to - range.from;
  topic_.expect(limit_ > 0 ? std::min(limit_, messages) : messages);
  counters_.ranges += static_cast<int64_t>(ranges_.size());
  progress_at_ = pg::Clock::now();
  reader_ = std::make_unique<kafka::RangeReader>(topic_.client(), std::vector{topic_.table().topic}, ranges_);
}

bool KafkaSource::ready() {
  if (next_ < batch_.size() || reader_ == nullptr) return true;
  if (next_ > 0) {  // the next batch is waited for from now on
    batch_.clear();
    next_ = 0;
    progress_at_ = pg::Clock::now();
  }
  if (poll(batch_bytes()) != kafka::RangeReader::Status::waiting) return true;
  (void)time_left();
  return false;
}

const kafka::Message* KafkaSource::next() {
  if (next_ == batch_.size() && !fetch(batch_bytes())) return nullptr;
  const kafka::Message& message = batch_.messages()[next_++];
  ++counters_.messages;
  counters_.bytes += static_cast<int64_t>(message.bytes());
  return &message;
}

bool KafkaSource::next_batch(kafka::MessageBatch& batch, size_t max_bytes) {
  if (!fetch(max_bytes)) return false;
  batch = std::move(batch_);
  batch_.clear();
  return true;
}

/// False at the end.
bool KafkaSource::fetch(size_t max_bytes) {
  if (reader_ == nullptr) return false;
  batch_.clear();
  next_ = 0;
  // The reader that asks for more has had its time to look at what came before.
  progress_at_ = pg::Clock::now();
  for (;;) {
    switch (poll(max_bytes)) {
      case kafka::RangeReader::Status::messages:
        return true;
      case kafka::RangeReader::Status::finished:
        return false;
      case kafka::RangeReader::Status::waiting:
        break;
    }
    const auto waits_since = pg::Clock::now();
    pg::wait_readable(topic_.client().event_descriptor(), time_left());
    counters_.wait_us += microseconds_since(waits_since);
  }
}

/// Adds to the batch, which is empty, without waiting.
kafka::RangeReader::Status KafkaSource::poll(size_t max_bytes) {
  kafka::Client& polled = topic_.client();
  polled.drain_events();
  polled.serve_errors();
  const auto status = reader_->poll(batch_, batch_limit_, max_bytes);
  if (!batch_.empty()) batch_limit_ = std::min(batch_limit_ * 2, largest_batch);
  return status;
}

/// Until the broker has given no sign of life for read_timeout, which is an error.
std::chrono::milliseconds KafkaSource::time_left() {
  const auto now = pg::Clock::now();
  if (reader_->progress() != progress_) {
    progress_ = reader_->progress();
    progress_at_ = now;
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(progress_at_ + read_timeout() - now);
  if (left.count() <= 0) throw_stalled();
  return left;
}

void KafkaSource::throw_stalled() {
  std::string partitions;
  int count = 0;
  for (const auto& position : reader_->positions()) {
    const auto unfinished = [&](const kafka::Range& range) {
      return range.partition == position.partition && position.next_offset < range.to;
    };
    if (std::ranges::none_of(ranges_, unfinished)) continue;
    partitions += (count++ == 0 ? "" : ", ") + std::to_string(position.partition);
  }
  const std::string& trouble = topic_.client().last_trouble();
  throw kafka::Error(trouble.empty() ? kafka::ErrorClass::timed_out : kafka::ErrorClass::unreachable,
                     "no message from topic \"" + topic_.table().topic + "\", partition" + (count == 1 ? " " : "s ") +
                         partitions + ", for " + std::to_string(read_timeout().count()) + " ms",
                     "Server \"" + topic_.connection().server_name + "\" at " + topic_.connection().brokers +
                         (trouble.empty() ? "." : ": " + trouble),
                     "The setting kafka_fdw.read_timeout says how long a scan waits without progress.");
}

MessageSource::Counters KafkaSource::counters() const {
  Counters counters = counters_;
  counters.skipped += static_cast<int64_t>(batch_.size() - next_);
  if (reader_ != nullptr) counters.skipped += static_cast<int64_t>(reader_->passed_over());
  return counters;
}

void KafkaSource::drop_reader() noexcept {
  counters_ = counters();
  reader_.reset();
  batch_.clear();
  next_ = 0;
}

void KafkaSource::close() { drop_reader(); }

}  // namespace kafka_fdw::fdw

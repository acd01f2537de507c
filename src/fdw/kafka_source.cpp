#include "fdw/kafka_source.h"

#include <algorithm>

#include "fdw/same_log.h"
#include "pg/wait.h"

namespace kafka_fdw::fdw {

namespace {

constexpr size_t first_batch = 100;
constexpr size_t largest_batch = 4096;
/// After so long without a message from a log that seems to end too soon it is looked at.
constexpr std::chrono::milliseconds patience{1000};
/// After so long the log may be another one when somebody asks for more.
constexpr std::chrono::milliseconds long_pause{1000};

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
  progress_at_ = given_at_ = pg::Clock::now();
  reader_ = std::make_unique<kafka::RangeReader>(topic_.client(), std::vector{topic_.table().topic}, ranges_);
}

/// Asked for more than was given before. What is read from now on must be of the same log.
void KafkaSource::go_on() {
  batch_.clear();
  next_ = 0;
  // The reader that asks for more has had its time to look at what came before.
  progress_at_ = pg::Clock::now();
  if (progress_at_ - given_at_ < long_pause) return;
  given_at_ = progress_at_;
  const std::vector<kafka::Range> rest = unread();
  if (rest.empty()) return;
  drop_reader();
  check_same_log(topic_);
  reader_ = std::make_unique<kafka::RangeReader>(topic_.client(), std::vector{topic_.table().topic}, rest);
}

std::vector<kafka::Range> KafkaSource::unread() const {
  std::vector<kafka::Range> rest;
  for (const auto& position : reader_->positions())
    for (kafka::Range range : ranges_) {
      range.from = std::max(range.from, position.next_offset);
      if (range.partition == position.partition && range.from < range.to) rest.push_back(range);
    }
  return rest;
}

bool KafkaSource::ready() {
  if (next_ < batch_.size() || reader_ == nullptr) return true;
  if (next_ > 0) go_on();  // the next batch is waited for from now on
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
  go_on();
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
    pg::wait_readable(topic_.client().event_descriptor(), std::min(time_left(), patience));
    counters_.wait_us += microseconds_since(waits_since);
  }
}

/// Adds to the batch, which is empty, without waiting.
kafka::RangeReader::Status KafkaSource::poll(size_t max_bytes) {
  kafka::Client& polled = topic_.client();
  polled.drain_events();
  polled.serve_errors();
  kafka::RangeReader::Status status{};
  try {
    status = reader_->poll(batch_, batch_limit_, max_bytes);
  } catch (const kafka::Error& error) {
    if (error.error_class() == kafka::ErrorClass::unknown_topic) throw_deleted(topic_, error);
    if (error.error_class() == kafka::ErrorClass::out_of_range) throw_gone(topic_, error, reader_->positions());
    throw;
  }
  if (batch_.empty()) return status;
  batch_limit_ = std::min(batch_limit_ * 2, largest_batch);
  given_at_ = pg::Clock::now();
  if (KnownLog& log = topic_.log(); !log.witness) log.witness.emplace(batch_.messages().front());
  return status;
}

/// Until the broker has given no sign of life for read_timeout, which is an error.
std::chrono::milliseconds KafkaSource::time_left() {
  const auto now = pg::Clock::now();
  if (reader_->progress() != progress_) {
    progress_ = reader_->progress();
    progress_at_ = now;
    looked_at_ends_ = false;
  }
  if (!looked_at_ends_ && now - progress_at_ >= patience) look_at_ends();
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(progress_at_ + read_timeout() - now);
  if (left.count() <= 0) throw_stalled();
  return left;
}

/// A partition whose end was reached before the end that the statement saw has lost messages, or is about to say so.
void KafkaSource::look_at_ends() {
  looked_at_ends_ = true;
  std::vector<int32_t> partitions;
  const std::vector<kafka::Range> rest = unread();
  for (const auto& position : reader_->positions()) {
    const bool unfinished = std::ranges::find(rest, position.partition, &kafka::Range::partition) != rest.end();
    if (position.at_end && unfinished) partitions.push_back(position.partition);
  }
  if (!partitions.empty()) check_ends(topic_, partitions);
}

void KafkaSource::throw_stalled() {
  std::string partitions;
  int count = 0, last = -1;
  for (const kafka::Range& range : unread()) {
    if (range.partition == last) continue;
    last = range.partition;
    partitions += (count++ == 0 ? "" : ", ") + std::to_string(last);
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

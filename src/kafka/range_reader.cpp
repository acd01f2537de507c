#include "kafka/range_reader.h"

#include <algorithm>
#include <array>

#include "kafka/partition_reader.h"
#include "kafka/rdkafka_types.h"

namespace kafka_fdw::kafka {
namespace {

std::vector<PartitionReader> partition_readers(const std::vector<Range>& ranges) {
  std::vector<PartitionReader> readers;
  for (auto first = ranges.begin(); first != ranges.end();) {
    std::vector<Interval> intervals;
    auto range = first;
    for (; range != ranges.end() && range->topic == first->topic && range->partition == first->partition; ++range) {
      intervals.push_back({range->from, range->to});
    }
    readers.emplace_back(first->topic, first->partition, std::move(intervals));
    first = range;
  }
  return readers;
}

}  // namespace

/// Uses librdkafka's simple consumer: partitions are started and stopped one by one onto a queue of our own. It needs
/// no group and so no coordinator, and the queue is new with each reader, so that nothing of an earlier reader can come
/// out of it.
struct RangeReader::Impl {
  Impl(Client& client, std::vector<std::string> topics, const std::vector<Range>& ranges);
  ~Impl();

  void begin();
  Status poll(MessageBatch& batch, size_t max_messages, size_t max_bytes);
  PartitionReader* find(const rd_kafka_message_t& message) noexcept;
  bool refill() noexcept;
  void wake_starved_brokers() noexcept;
  void serve_event(const rd_kafka_message_t& event);
  [[noreturn]] void fail(const rd_kafka_message_t& event, ErrorClass error_class, const PartitionReader* reader) const;
  void follow(PartitionReader& reader, PartitionReader::Step step);
  void start(const PartitionReader& reader);
  void stop(const PartitionReader& reader) noexcept;

  Client& client_;
  std::vector<std::string> topics_;
  std::vector<rd_kafka_topic_t*> handles_;  ///< per topic; the client owns them
  std::vector<PartitionReader> readers_;    ///< sorted by (topic, partition)
  PartitionReader* last_found_ = nullptr;
  size_t unfinished_ = 0;
  uint64_t progress_ = 0;
  uint64_t passed_over_ = 0;
  QueueHandle queue_;
  size_t fullest_ = 0;  ///< the longest that the queue was since brokers were woken

  /// Taken from the queue, not given out yet: [head_, count_).
  std::array<rd_kafka_message_t*, 1000> buffer_;
  size_t head_ = 0;
  size_t count_ = 0;
};

RangeReader::Impl::Impl(Client& client, std::vector<std::string> topics, const std::vector<Range>& ranges)
    : client_(client),
      topics_(std::move(topics)),
      readers_(partition_readers(ranges)),
      queue_(rd_kafka_queue_new(client.handle())) {
  for (const std::string& topic : topics_) handles_.push_back(client_.topic(topic));
  client_.watch(queue_.get());
}

/// Apart from the constructor, so that the destructor stops what was started when a later one fails.
void RangeReader::Impl::begin() {
  for (const PartitionReader& reader : readers_) unfinished_ += reader.finished() ? 0 : 1;
  for (const PartitionReader& reader : readers_) {
    if (!reader.finished()) start(reader);
  }
}

RangeReader::Impl::~Impl() {
  for (const PartitionReader& reader : readers_) {
    if (!reader.finished()) stop(reader);
  }
  for (; head_ < count_; ++head_) rd_kafka_message_destroy(buffer_[head_]);
  Client::unwatch(queue_.get());
}

RangeReader::Status RangeReader::Impl::poll(MessageBatch& batch, size_t max_messages, size_t max_bytes) {
  client_.throw_failure();
  const size_t messages_before = batch.size();
  const size_t bytes_before = batch.bytes();
  auto added = [&] { return batch.size() - messages_before; };
  while (unfinished_ > 0) {
    if (head_ == count_ && (added() >= max_messages || !refill())) break;
    rd_kafka_message_t* message = buffer_[head_];
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      bool failure = message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF && permanent_class(message->err).has_value();
      if (failure && added() > 0) break;  // what came before it is given out first
      ++head_;
      MessageHandle owner(message);
      serve_event(*message);
      continue;
    }
    PartitionReader* reader = find(*message);
    // It may end one range by lying behind it, and belong to the next.
    if (reader != nullptr && !reader->finished() && !reader->wants(message->offset))
      follow(*reader, reader->skip(message->offset));
    if (reader == nullptr || !reader->wants(message->offset)) {
      ++head_;
      ++progress_;
      ++passed_over_;
      MessageHandle owner(message);
      continue;
    }
    if (added() >= max_messages) break;
    size_t bytes = message->len + message->key_len;
    if (added() > 0 && batch.bytes() - bytes_before + bytes > max_bytes) break;
    ++head_;
    ++progress_;
    batch.add(message, reader->topic());
    follow(*reader, reader->take(message->offset));
  }
  if (added() > 0) client_.note_success();
  // Messages behind the last range may be left over.
  if (added() > 0) return Status::messages;
  return unfinished_ == 0 ? Status::finished : Status::waiting;
}

PartitionReader* RangeReader::Impl::find(const rd_kafka_message_t& message) noexcept {
  auto is_of = [&](const PartitionReader& reader) {
    return reader.partition() == message.partition && handles_[reader.topic()] == message.rkt;
  };
  if (last_found_ != nullptr && is_of(*last_found_)) [[likely]]
    return last_found_;
  auto found = std::ranges::find_if(readers_, is_of);
  if (found == readers_.end()) return nullptr;
  last_found_ = &*found;
  return last_found_;
}

bool RangeReader::Impl::refill() noexcept {
  // A timeout would wait until the array is full, so there is none.
  ssize_t count = rd_kafka_consume_batch_queue(queue_.get(), 0, buffer_.data(), buffer_.size());
  head_ = 0;
  count_ = count > 0 ? static_cast<size_t>(count) : 0;
  wake_starved_brokers();
  return count_ > 0;
}

/// Called when messages were taken from the queue. Once it is half as long as it was, brokers that stopped fetching may
/// go on.
void RangeReader::Impl::wake_starved_brokers() noexcept {
  constexpr size_t worthwhile = 4;
  size_t left = rd_kafka_queue_length(queue_.get());
  fullest_ = std::max(fullest_, left + count_);
  if (fullest_ < worthwhile || left * 2 > fullest_) return;
  fullest_ = left;
  client_.wake_brokers();
}

void RangeReader::Impl::serve_event(const rd_kafka_message_t& event) {
  PartitionReader* reader = find(event);
  if (event.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    ++progress_;
    client_.note_success();
    if (reader != nullptr && !reader->finished()) follow(*reader, reader->see_end(event.offset));
    return;
  }
  auto error_class = permanent_class(event.err);
  if (error_class) fail(event, *error_class, reader);
  client_.note_trouble(rd_kafka_message_errstr(&event));
}

void RangeReader::Impl::fail(const rd_kafka_message_t& event, ErrorClass error_class,
                             const PartitionReader* reader) const {
  std::string reason = client_.redacted(rd_kafka_message_errstr(&event));
  if (reader == nullptr) throw Error(error_class, "reading from Kafka failed: " + reason);
  const std::string& topic = topics_[reader->topic()];
  std::string partition = "partition " + std::to_string(reader->partition()) + " of topic \"" + topic + "\"";
  switch (error_class) {
    case ErrorClass::unknown_topic:
      throw Error(error_class, partition + " does not exist", reason);
    case ErrorClass::not_authorized:
      throw Error(error_class, "permission denied for Kafka topic \"" + topic + "\"", reason);
    case ErrorClass::out_of_range: {
      int64_t low = 0, high = 0;
      auto known = rd_kafka_get_watermark_offsets(client_.handle(), topic.c_str(), reader->partition(), &low, &high);
      bool meaningful = known == RD_KAFKA_RESP_ERR_NO_ERROR && low >= 0 && high >= low;
      std::string extent =
          meaningful ? "It has the offsets from " + std::to_string(low) + " to " + std::to_string(high) + "." : reason;
      throw Error(error_class, "offset " + std::to_string(reader->next()) + " is not in " + partition, extent);
    }
    default:
      throw Error(error_class,
                  "reading " + partition + " at offset " + std::to_string(reader->next()) + " failed: " + reason);
  }
}

void RangeReader::Impl::follow(PartitionReader& reader, PartitionReader::Step step) {
  switch (step) {
    case PartitionReader::Step::stay:
      break;
    case PartitionReader::Step::jump:
      start(reader);
      break;
    case PartitionReader::Step::finished:
      --unfinished_;
      stop(reader);
      break;
  }
}

void RangeReader::Impl::start(const PartitionReader& reader) {
  if (rd_kafka_consume_start_queue(handles_.at(reader.topic()), reader.partition(), reader.next(), queue_.get()) == 0)
    return;
  throw Error(ErrorClass::other, "could not read partition " + std::to_string(reader.partition()) + " of topic \"" +
                                     topics_[reader.topic()] + "\": " + rd_kafka_err2str(rd_kafka_last_error()));
}

void RangeReader::Impl::stop(const PartitionReader& reader) noexcept {
  rd_kafka_consume_stop(handles_[reader.topic()], reader.partition());
}

RangeReader::RangeReader(Client& client, std::vector<std::string> topics, const std::vector<Range>& ranges)
    : impl_(std::make_unique<Impl>(client, std::move(topics), ranges)) {
  impl_->begin();
}

RangeReader::~RangeReader() = default;

RangeReader::Status RangeReader::poll(MessageBatch& batch, size_t max_messages, size_t max_bytes) {
  return impl_->poll(batch, max_messages, max_bytes);
}

std::vector<RangeReader::Position> RangeReader::positions() const {
  std::vector<Position> positions;
  positions.reserve(impl_->readers_.size());
  for (const PartitionReader& reader : impl_->readers_) {
    positions.push_back({reader.topic(), reader.partition(), reader.next(), reader.at_end()});
  }
  return positions;
}

uint64_t RangeReader::progress() const noexcept { return impl_->progress_; }

uint64_t RangeReader::passed_over() const noexcept {
  return impl_->passed_over_ + impl_->count_ - impl_->head_ + rd_kafka_queue_length(impl_->queue_.get());
}

}  // namespace kafka_fdw::kafka

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

struct rd_kafka_message_s;

namespace kafka_fdw::kafka {

struct Header {
  std::string_view name;
  std::optional<std::string_view> value;
};

/// A message in a MessageBatch, valid as long as the batch holds it; or one that was rebuilt from what somebody kept of
/// it, without a handle.
struct Message {
  int32_t topic;  ///< place in the reader's list of topics
  int32_t partition;
  int64_t offset;
  int64_t timestamp_ms;  ///< since 1970 UTC; -1: none
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;  ///< absent: a tombstone
  const rd_kafka_message_s* handle = nullptr;
  std::span<const Header> kept_headers = {};  ///< where there is no handle

  size_t bytes() const noexcept { return (key ? key->size() : 0) + (value ? value->size() : 0); }
};

/// The headers of a message in their order; views into the message. Throws Error if librdkafka cannot parse them.
std::vector<Header> headers(const Message& message);

/// Owns messages in the order they were read. Moves, does not copy.
class MessageBatch {
 public:
  MessageBatch() = default;
  MessageBatch(MessageBatch&& other) noexcept { swap(other); }
  MessageBatch& operator=(MessageBatch&& other) noexcept {
    swap(other);
    return *this;
  }
  ~MessageBatch() { clear(); }

  void swap(MessageBatch& other) noexcept {
    messages_.swap(other.messages_);
    std::swap(bytes_, other.bytes_);
  }
  void clear() noexcept;
  void add(rd_kafka_message_s* handle, int32_t topic);  ///< takes the handle over, whatever happens
  std::span<const Message> messages() const noexcept { return messages_; }
  size_t size() const noexcept { return messages_.size(); }
  bool empty() const noexcept { return messages_.empty(); }
  std::map<int32_t, MessageBatch> divide();         ///< by partition; leaves nothing here
  size_t bytes() const noexcept { return bytes_; }  ///< of keys and values

 private:
  std::vector<Message> messages_;
  size_t bytes_ = 0;
};

}  // namespace kafka_fdw::kafka

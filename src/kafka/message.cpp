#include "kafka/message.h"

#include "kafka/rdkafka_types.h"

namespace kafka_fdw::kafka {
namespace {

std::optional<std::string_view> view(const void* data, size_t size) noexcept {
  if (data == nullptr) return std::nullopt;
  return std::string_view(static_cast<const char*>(data), size);
}

}  // namespace

std::vector<Header> headers(const Message& message) {
  if (message.handle == nullptr) return {message.kept_headers.begin(), message.kept_headers.end()};
  std::vector<Header> result;
  rd_kafka_headers_t* list = nullptr;
  rd_kafka_resp_err_t error = rd_kafka_message_headers(message.handle, &list);
  if (error == RD_KAFKA_RESP_ERR__NOENT) return result;
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw Error(ErrorClass::other, std::string("could not read the headers of a message: ") + rd_kafka_err2str(error));
  }
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  result.reserve(rd_kafka_header_cnt(list));
  for (size_t i = 0; rd_kafka_header_get_all(list, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    result.push_back({name, view(value, size)});
  }
  return result;
}

void MessageBatch::clear() noexcept {
  for (const Message& message : messages_)
    if (message.handle != nullptr) rd_kafka_message_destroy(const_cast<rd_kafka_message_t*>(message.handle));
  messages_.clear();
  bytes_ = 0;
}

void MessageBatch::add(rd_kafka_message_s* handle, int32_t topic) {
  MessageHandle owner(handle);
  rd_kafka_timestamp_type_t type;
  int64_t timestamp = rd_kafka_message_timestamp(handle, &type);
  const Message& message = messages_.emplace_back(Message{
      .topic = topic,
      .partition = handle->partition,
      .offset = handle->offset,
      .timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp,
      .key = view(handle->key, handle->key_len),
      .value = view(handle->payload, handle->len),
      .handle = handle,
  });
  (void)owner.release();
  bytes_ += message.bytes();
}

std::map<int32_t, MessageBatch> MessageBatch::divide() {
  std::map<int32_t, MessageBatch> parts;
  for (Message& message : messages_) {
    MessageBatch& part = parts[message.partition];
    part.messages_.push_back(message);
    message.handle = nullptr;
    part.bytes_ += message.bytes();
  }
  clear();
  return parts;
}

}  // namespace kafka_fdw::kafka

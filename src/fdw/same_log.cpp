#include "fdw/same_log.h"

#include <functional>

#include "fdw/topic_view.h"
#include "fdw/watermarks.h"
#include "pg/wait.h"

namespace kafka_fdw::fdw {

namespace {

using kafka::Error;
using kafka::ErrorClass;

/// A topic is hardly deleted, made again and filled in less; a check costs a tenth of it.
constexpr std::chrono::milliseconds shortest_doubt{50};

size_t fingerprint(const std::optional<std::string_view>& bytes) {
  return bytes ? std::hash<std::string_view>{}(*bytes) : ~size_t{0};
}

size_t fingerprint(const kafka::Message& message) { return fingerprint(message.key) * 31 + fingerprint(message.value); }

std::string extent(const kafka::Watermarks& marks) {
  return "the offsets from " + std::to_string(marks.low) + " to " + std::to_string(marks.high);
}

std::string name_of(const TopicView& topic, int32_t partition) {
  return "partition " + std::to_string(partition) + " of topic \"" + topic.table().topic + "\"";
}

[[noreturn]] void throw_lost(const TopicView& topic, const kafka::Watermarks& before, const kafka::Watermarks& now) {
  throw Error(ErrorClass::out_of_range, name_of(topic, now.partition) + " lost messages while it was read",
              "When the statement began it had " + extent(before) + ", now " + extent(now) + ".",
              "The topic was deleted and made again, or its log was cut off. Run the statement again.");
}

[[noreturn]] void throw_another(const TopicView& topic, const Witness& witness) {
  throw Error(ErrorClass::out_of_range,
              "topic \"" + topic.table().topic + "\" was deleted and made again while it was read",
              "Partition " + std::to_string(witness.partition()) + " has another message at offset " +
                  std::to_string(witness.offset()) + " than the statement read.",
              "Run the statement again.");
}

const kafka::Watermarks* find_ends(const TopicView& topic, int32_t partition) {
  const TopicSnapshot* seen = topic.seen();
  if (seen == nullptr) return nullptr;
  const auto found = seen->watermarks.find(partition);
  return found == seen->watermarks.end() ? nullptr : &found->second;
}

std::vector<kafka::Watermarks> ask_ends(TopicView& topic, std::vector<int32_t> partitions) {
  kafka::Client& client = topic.client();
  try {
    return pg::await(client, client.watermarks(topic.table().topic, std::move(partitions), connect_timeout()));
  } catch (const Error& error) {
    if (error.error_class() == ErrorClass::unknown_topic) throw_deleted(topic, error);
    throw_explained(error, client, topic.connection(), topic.table().topic);
  }
}

/// A log loses nothing at its end, and gains nothing at its start.
void compare(const TopicView& topic, const std::vector<kafka::Watermarks>& ends) {
  for (const kafka::Watermarks& now : ends)
    if (const kafka::Watermarks* before = find_ends(topic, now.partition))
      if (now.high < before->high || now.low < before->low) throw_lost(topic, *before, now);
}

/// The partitions whose ends the statement has seen, and the witness's.
std::vector<int32_t> seen_partitions(const TopicView& topic, const Witness& witness) {
  std::vector<int32_t> partitions;
  if (const TopicSnapshot* seen = topic.seen())
    for (const auto& [partition, marks] : seen->watermarks) partitions.push_back(partition);
  if (find_ends(topic, witness.partition()) == nullptr) partitions.push_back(witness.partition());
  return partitions;
}

/// Whether what stands at the witness's offset is the witness, or nothing any more.
bool is_there_or_gone(TopicView& topic, const Witness& witness) {
  kafka::Client& client = topic.client();
  const kafka::Range place{
      .topic = 0, .partition = witness.partition(), .from = witness.offset(), .to = witness.offset() + 1};
  kafka::RangeReader reader(client, {topic.table().topic}, {place});
  kafka::MessageBatch batch;
  const auto end = pg::Clock::now() + read_timeout();
  for (;;) {
    client.drain_events();
    client.serve_errors();
    const auto status = reader.poll(batch, 1, 1);
    if (status == kafka::RangeReader::Status::messages) return witness.is(batch.messages().front());
    if (status == kafka::RangeReader::Status::finished) return true;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - pg::Clock::now());
    if (left.count() <= 0)
      throw Error(ErrorClass::unreachable,
                  "could not read offset " + std::to_string(witness.offset()) + " of " +
                      name_of(topic, witness.partition()) + " once more",
                  "It is compared with what was read before. " + client.last_trouble());
    pg::wait_readable(client.event_descriptor(), left);
  }
}

bool is_still_there_or_gone(TopicView& topic, const Witness& witness) {
  try {
    return is_there_or_gone(topic, witness);
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::out_of_range) throw;
    compare(topic, ask_ends(topic, {witness.partition()}));  // removed meanwhile, unless the ends tell otherwise
    return true;
  }
}

}  // namespace

Witness::Witness(const kafka::Message& message)
    : partition_(message.partition),
      offset_(message.offset),
      timestamp_ms_(message.timestamp_ms),
      fingerprint_(fingerprint(message)) {}

bool Witness::is(const kafka::Message& message) const noexcept {
  return message.partition == partition_ && message.offset == offset_ && message.timestamp_ms == timestamp_ms_ &&
         fingerprint(message) == fingerprint_;
}

void check_same_log(TopicView& topic) {
  KnownLog& log = topic.log();
  const auto now = pg::Clock::now();
  if (!log.witness || now - log.certain_at < shortest_doubt) return;
  const Witness& witness = *log.witness;
  const std::vector<kafka::Watermarks> ends = ask_ends(topic, seen_partitions(topic, witness));
  compare(topic, ends);
  for (const kafka::Watermarks& marks : ends) {
    if (marks.partition != witness.partition() || witness.offset() < marks.low) continue;
    if (witness.offset() >= marks.high || !is_still_there_or_gone(topic, witness)) throw_another(topic, witness);
  }
  log.certain_at = now;
}

void throw_deleted(const TopicView& topic, const Error& error) {
  throw Error(ErrorClass::unknown_topic, "topic \"" + topic.table().topic + "\" was deleted while it was read",
              error.what());
}

void check_ends(TopicView& topic, const std::vector<int32_t>& partitions) {
  std::vector<kafka::Watermarks> ends;
  try {
    ends = ask_ends(topic, partitions);
  } catch (const Error& error) {
    if (error.error_class() == ErrorClass::unknown_topic) throw;
    return;
  }
  compare(topic, ends);
}

void throw_gone(TopicView& topic, const Error& error, const std::vector<kafka::RangeReader::Position>& positions) {
  std::vector<int32_t> partitions;
  partitions.reserve(positions.size());
  for (const auto& position : positions) partitions.push_back(position.partition);
  const std::vector<kafka::Watermarks> ends = ask_ends(topic, std::move(partitions));
  compare(topic, ends);
  for (const kafka::Watermarks& now : ends)
    for (const auto& position : positions)
      if (position.partition == now.partition && position.next_offset < now.low)
        throw Error(ErrorClass::out_of_range,
                    "offset " + std::to_string(position.next_offset) + " of " + name_of(topic, now.partition) +
                        " was removed while the topic was read",
                    "The partition has " + extent(now) + " now.",
                    "Retention, or a deletion of records, was faster than the statement. Run it again.");
  throw error;
}

}  // namespace kafka_fdw::fdw

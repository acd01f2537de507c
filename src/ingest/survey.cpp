#include "ingest/survey.h"

#include <algorithm>

#include "fdw/table.h"
#include "ingest/identity_check.h"
#include "pg/compat.h"
#include "pg/wait.h"

extern "C" {
#include "access/table.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
}

namespace kafka_fdw::ingest {

namespace {

/// A fetch that waits longer spares the broker while nothing comes; messages end the wait at once.
constexpr const char* fetch_wait_ms = "500";

constexpr const char* hint_for_gap =
    "Use kafka_consume_seek to say where to go on, or begin the consumer with another on_gap.";

Failure gap_failure(const Consumer& consumer, const Place& place, int64_t offset, std::string message,
                    const kafka::Watermarks& marks) {
  Failure failure;
  failure.failure_class = FailureClass::bad_log;
  failure.sqlstate = not_in_log;
  failure.message = std::move(message);
  failure.detail = "The log now holds offsets " + std::to_string(marks.low) + " to " + std::to_string(marks.high) +
                   ", end excluded.";
  failure.hint = hint_for_gap;
  failure.topic = consumer.topics[static_cast<size_t>(place.first)];
  failure.partition = place.second;
  failure.offset = offset;
  return failure;
}

std::string describe(const Consumer& consumer, const Place& place) {
  return "topic \"" + consumer.topics[static_cast<size_t>(place.first)] + "\", partition " +
         std::to_string(place.second);
}

/// What the watermarks alone tell.
std::optional<Failure> offset_gap(const Consumer& consumer, const Place& place, int64_t stored,
                                  const kafka::Watermarks& marks) {
  if (marks.low <= stored && stored <= marks.high) return std::nullopt;
  return gap_failure(
      consumer, place, stored,
      "offset " + std::to_string(stored) + " of " + describe(consumer, place) + " is not in the log any more", marks);
}

Failure identity_gap(const Consumer& consumer, const Place& place, int64_t stored, const std::string& why,
                     const kafka::Watermarks& marks) {
  Failure failure = gap_failure(
      consumer, place, stored,
      describe(consumer, place) + " is not the log any more that was read up to offset " + std::to_string(stored),
      marks);
  failure.detail.insert(0, why + " ");
  return failure;
}

std::vector<int32_t> partitions_of(kafka::Client& client, const std::string& topic,
                                   const std::function<bool(int32_t)>& is_own) {
  std::vector<int32_t> partitions;
  for (const kafka::TopicInfo& info : pg::await(client, client.topics(topic, fdw::connect_timeout())))
    for (const kafka::PartitionInfo& partition : info.partitions)
      if (is_own(partition.id)) partitions.push_back(partition.id);
  return partitions;
}

class Surveyor {
 public:
  Surveyor(kafka::Client& client, const Consumer& consumer, const PartitionStates& stored)
      : client_(client), consumer_(consumer), stored_(stored) {}

  void look(int32_t topic, const std::function<bool(int32_t)>& is_own) {
    const std::string& name = consumer_.topics[static_cast<size_t>(topic)];
    const std::vector<int32_t> partitions = partitions_of(client_, name, is_own);
    if (partitions.empty()) return;
    for (const kafka::Watermarks& marks :
         pg::await(client_, client_.watermarks(name, partitions, fdw::connect_timeout())))
      add({topic, marks.partition}, marks);
  }

  /// Those of topics that have another id now.
  void compare_topics() {
    survey_.topic_ids = pg::await(client_, client_.topic_ids(consumer_.topics, fdw::connect_timeout()));
    for (const auto& [place, marks] : marks_) {
      const auto found = stored_.find(place);
      const std::string& id = survey_.topic_ids[static_cast<size_t>(place.first)];
      if (found == stored_.end() || found->second.topic_id.empty() || id.empty() || id == found->second.topic_id ||
          has_gap(place))
        continue;
      add_gap(place, identity_gap(consumer_, place, found->second.next_offset,
                                  "The topic was deleted and made again: it has another id now.", marks));
    }
  }

  /// Those whose last message is another one now.
  void compare_identities(const fdw::Connection& few) {
    std::map<Place, Identity> identities;
    for (const auto& [place, marks] : marks_) {
      const auto found = stored_.find(place);
      const bool present = found != stored_.end() && found->second.identity &&
                           found->second.identity->offset >= marks.low && !has_gap(place);
      if (present) identities.emplace(place, *found->second.identity);
    }
    if (identities.empty()) return;
    IdentityCheck check(few, consumer_.topics, identities, survey_.topic_ids);
    for (const auto& [place, identity] : check.wait())
      add_gap(place,
              identity_gap(consumer_, place, stored_.at(place).next_offset,
                           "The message at offset " + std::to_string(identity.offset) +
                               " is another one than the one that was taken: the topic was made anew or cut off.",
                           marks_.at(place)));
  }

  Survey finish() {
    std::ranges::sort(survey_.ranges, {},
                      [](const kafka::Range& range) { return std::pair(range.topic, range.partition); });
    return std::move(survey_);
  }

 private:
  void add(const Place& place, const kafka::Watermarks& marks) {
    marks_.emplace(place, marks);
    const auto found = stored_.find(place);
    const int64_t from = found == stored_.end() ? marks.low : found->second.next_offset;
    survey_.ranges.push_back({place.first, place.second, from, marks.high});
    if (found == stored_.end())
      survey_.first[place] = marks.low;
    else if (auto failure = offset_gap(consumer_, place, from, marks))
      add_gap(place, std::move(*failure));
  }

  void add_gap(const Place& place, Failure failure) {
    const kafka::Watermarks& marks = marks_.at(place);
    survey_.gaps.push_back({.place = place,
                            .stored = stored_.at(place).next_offset,
                            .goes_on = consumer_.on_gap == OnGap::latest ? marks.high : marks.low,
                            .failure = std::move(failure)});
  }

  bool has_gap(const Place& place) const {
    return std::ranges::find(survey_.gaps, place, &Gap::place) != survey_.gaps.end();
  }

  kafka::Client& client_;
  const Consumer& consumer_;
  const PartitionStates& stored_;
  std::map<Place, kafka::Watermarks> marks_;
  Survey survey_;
};

/// The properties of the source, for which it must be there.
kafka::Properties source_properties(const Consumer& consumer) {
  if (consumer.source == InvalidOid) return {};
  Relation relation = pg::call([&] { return try_table_open(consumer.source, AccessShareLock); });
  if (relation == nullptr) (void)apply_statement(consumer);  // says what is wrong
  kafka::Properties properties = fdw::load_table(relation).properties;
  pg::call([&] { table_close(relation, AccessShareLock); });
  return properties;
}

}  // namespace

Oid server_of(const Consumer& consumer) {
  return pg::call([&] {
    const Oid server = get_foreign_server_oid(consumer.server.c_str(), false);
    pg::check_server_usage(server, GetUserId());
    return server;
  });
}

fdw::Connection load_connection(const Consumer& consumer, Oid user, kafka::Reading reading) {
  kafka::Properties properties = source_properties(consumer);
  if (reading == kafka::Reading::many) properties.emplace("fetch.wait.max.ms", fetch_wait_ms);
  const Oid server = pg::call([&] { return get_foreign_server_oid(consumer.server.c_str(), false); });
  return fdw::load_connection(server, user, properties, reading);
}

Survey survey_log(kafka::Client& client, const fdw::Connection& few, const Consumer& consumer,
                  const PartitionStates& stored, const std::function<bool(int32_t)>& is_own) {
  Surveyor surveyor(client, consumer, stored);
  for (size_t topic = 0; topic < consumer.topics.size(); ++topic) surveyor.look(static_cast<int32_t>(topic), is_own);
  surveyor.compare_topics();
  surveyor.compare_identities(few);
  return surveyor.finish();
}

const Failure* stopping_gap(const Consumer& consumer, const Survey& survey) noexcept {
  return consumer.on_gap == OnGap::stop && !survey.gaps.empty() ? &survey.gaps.front().failure : nullptr;
}

}  // namespace kafka_fdw::ingest

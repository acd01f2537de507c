#include "ingest/identity_check.h"

#include <algorithm>

#include "pg/wait.h"

namespace kafka_fdw::ingest {

namespace {

std::vector<kafka::Range> ranges_of(const std::map<Place, Identity>& identities) {
  std::vector<kafka::Range> ranges;
  ranges.reserve(identities.size());
  for (const auto& [place, identity] : identities)
    ranges.push_back({place.first, place.second, identity.offset, identity.offset + 1});
  return ranges;
}

}  // namespace

IdentityCheck::IdentityCheck(const fdw::Connection& connection, const std::vector<std::string>& topics,
                             std::map<Place, Identity> identities, std::vector<std::string> topic_ids)
    : identities_(std::move(identities)),
      connection_(connection),
      lease_(fdw::lease_client(connection_)),
      topic_ids_(std::move(topic_ids)),
      asked_at_(pg::Clock::now()) {
  if (std::ranges::any_of(topic_ids_, [](const std::string& id) { return !id.empty(); }))
    topic_ids_now_ = lease_->client().topic_ids(topics, fdw::connect_timeout());
  reader_.emplace(lease_->client(), topics, ranges_of(identities_));
}

void IdentityCheck::abandon() noexcept {
  batch_.clear();
  reader_.reset();
  lease_.reset();
}

std::map<Place, Identity> IdentityCheck::wait() {
  while (!is_complete()) {
    if (pg::Clock::now() - asked_at_ > fdw::connect_timeout())
      throw kafka::Error(
          kafka::ErrorClass::timed_out,
          "could not look at the last messages taken within " + std::to_string(fdw::connect_timeout().count()) + " ms",
          lease_->client().last_trouble());
    pg::wait_readable(lease_->client().event_descriptor(), std::chrono::milliseconds(500));
  }
  batch_.clear();
  reader_.reset();
  lease_->give_back();
  lease_.reset();
  return others_;
}

/// Whether all is known.
bool IdentityCheck::is_complete() {
  const bool messages = poll();
  if (topic_ids_now_ && topic_ids_now_->ready()) compare_topics();
  return messages && !topic_ids_now_;
}

void IdentityCheck::compare_topics() {
  const std::vector<std::string> now = topic_ids_now_->take();
  topic_ids_now_.reset();
  for (const auto& [place, identity] : identities_) {
    const auto topic = static_cast<size_t>(place.first);
    if (!topic_ids_[topic].empty() && !now[topic].empty() && topic_ids_[topic] != now[topic])
      others_.emplace(place, identity);
  }
}

/// Whether the messages are known.
bool IdentityCheck::poll() {
  kafka::Client& client = lease_->client();
  client.drain_events();
  client.serve_errors();
  try {
    const auto status = reader_->poll(batch_, identities_.size(), SIZE_MAX);
    for (const kafka::Message& message : batch_.messages()) {
      const Place place{message.topic, message.partition};
      const Identity& identity = identities_.at(place);
      if (identity_of(message) != identity) others_.emplace(place, identity);
    }
    if (status == kafka::RangeReader::Status::finished) return true;
  } catch (const kafka::Error& error) {
    // Just deleted by retention: it proves nothing.
    if (error.error_class() == kafka::ErrorClass::out_of_range) return true;
    throw;
  }
  note_ends();
  for (const auto& position : reader_->positions()) {
    const Place place{position.topic, position.partition};
    if (position.next_offset <= identities_.at(place).offset && !others_.contains(place)) return false;
  }
  return true;
}

/// A log that ends before the message is another one.
void IdentityCheck::note_ends() {
  for (const auto& position : reader_->positions()) {
    const Place place{position.topic, position.partition};
    const Identity& identity = identities_.at(place);
    if (position.at_end && position.next_offset <= identity.offset) others_.emplace(place, identity);
  }
}

}  // namespace kafka_fdw::ingest

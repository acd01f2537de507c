#include "ingest/identity_check.h"

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
                             std::map<Place, Identity> identities)
    : identities_(std::move(identities)),
      connection_(connection),
      lease_(fdw::lease_client(connection_)),
      asked_at_(pg::Clock::now()) {
  reader_.emplace(lease_->client(), topics, ranges_of(identities_));
}

void IdentityCheck::abandon() noexcept {
  batch_.clear();
  reader_.reset();
  lease_.reset();
}

std::map<Place, Identity> IdentityCheck::wait() {
  while (!poll()) {
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

#include "ingest/feed.h"

namespace kafka_fdw::ingest {

void Feed::abandon() noexcept {
  batch_.clear();  // messages must not outlive their handle
  reader_.reset();
  lease_.reset();
}

void Feed::connect(const fdw::Connection& connection) { lease_.emplace(fdw::lease_client(connection)); }

void Feed::follow(const std::vector<kafka::Range>& ranges) {
  partitions_.clear();
  for (const kafka::Range& range : ranges) partitions_.emplace(range.topic, range.partition);
  reader_.emplace(client(), consumer_.topics, ranges);
  finished_ = false;
}

void Feed::fill(size_t most_messages, size_t most_bytes) {
  using Status = kafka::RangeReader::Status;
  client().drain_events();
  client().serve_errors();
  while (batch_.size() < most_messages && batch_.bytes() < most_bytes) {
    const Status status = reader_->poll(batch_, most_messages - batch_.size(), most_bytes - batch_.bytes());
    finished_ = status == Status::finished;
    if (status != Status::messages) break;
  }
}

Offsets advanced(const kafka::RangeReader& reader, const PartitionStates& stored) {
  Offsets next;
  for (const kafka::RangeReader::Position& position : reader.positions()) {
    const Place place{position.topic, position.partition};
    const auto old = stored.find(place);
    if (old == stored.end() || position.next_offset > old->second.next_offset) next[place] = position.next_offset;
  }
  return next;
}

std::vector<int32_t> Feed::partitions(int32_t topic) const {
  std::vector<int32_t> result;
  for (const Place& place : partitions_)
    if (place.first == topic) result.push_back(place.second);
  return result;
}

}  // namespace kafka_fdw::ingest

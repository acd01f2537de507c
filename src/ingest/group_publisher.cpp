#include "ingest/group_publisher.h"

extern "C" {
#include "access/xlog.h"
}

namespace kafka_fdw::ingest {

GroupPublisher::GroupPublisher(const fdw::Connection& connection, const std::string& group,
                               const std::vector<std::string>& topics)
    : topics_(topics), group_(group) {
  committer_.emplace(connection.properties, group);
}

void GroupPublisher::note(const PartitionStates& stored, XLogRecPtr position) {
  // What was noted before may be flushed by now; under load the newest commit never is when it is looked at.
  if (position_ != InvalidXLogRecPtr && position_ <= pg::call([] { return GetFlushRecPtr(nullptr); }))
    durable_ = noted_;
  noted_.clear();
  for (const auto& [place, state] : stored)
    noted_[{topics_[static_cast<size_t>(place.first)], place.second}] = state.next_offset;
  position_ = position;
}

void GroupPublisher::publish(const Status& status) {
  if (position_ != InvalidXLogRecPtr && position_ <= pg::call([] { return GetFlushRecPtr(nullptr); }))
    durable_ = noted_;
  if (committer_->poll() == kafka::GroupCommitter::State::failed) {
    told_.clear();
    if (committer_->error() != logged_) {
      logged_ = committer_->error();
      status.log("could not publish offsets of consumer group \"" + group_ + "\": " + logged_);
    }
  }
  if (durable_ != told_ && committer_->commit(durable_)) told_ = durable_;
}

}  // namespace kafka_fdw::ingest

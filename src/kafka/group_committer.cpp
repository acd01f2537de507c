#include "kafka/group_committer.h"

#include "kafka/client_config.h"
#include "kafka/group_member.h"
#include "kafka/journal.h"
#include "kafka/pool.h"
#include "kafka/rdkafka_types.h"

namespace kafka_fdw::kafka {

struct GroupCommitter::Impl final : Reapable {
  Impl(const Properties& properties, const std::string& group)
      : journal(properties),
        member(make_group_member(properties, group, listener)),
        answers(rd_kafka_queue_new(member.get())),
        troubles(rd_kafka_queue_get_consumer(member.get())) {}

  /// Of a broker that answered, for each partition, or of the request as a whole.
  rd_kafka_resp_err_t error_of(rd_kafka_event_t* event) const {
    if (const rd_kafka_resp_err_t error = rd_kafka_event_error(event)) return error;
    const rd_kafka_topic_partition_list_t* list = rd_kafka_event_topic_partition_list(event);
    for (int i = 0; list != nullptr && i < list->cnt; ++i)
      if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) return list->elems[i].err;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  }

  Journal journal;
  IgnoreErrors listener;
  GroupMember member;
  QueueHandle answers;
  QueueHandle troubles;  ///< of looking for the group's coordinator, without which nothing is answered
  bool waiting = false;
  std::string error;
};

GroupCommitter::GroupCommitter(const Properties& properties, const std::string& group)
    : impl_(std::make_unique<Impl>(properties, group)) {}

GroupCommitter::~GroupCommitter() { Reaper::destroy(std::move(impl_)); }

bool GroupCommitter::commit(const Offsets& offsets) {
  if (impl_->waiting) return false;
  const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
  for (const auto& [place, offset] : offsets)
    rd_kafka_topic_partition_list_add(list.get(), place.first.c_str(), place.second)->offset = offset;
  const rd_kafka_resp_err_t error =
      rd_kafka_commit_queue(impl_->member.get(), list.get(), impl_->answers.get(), nullptr, nullptr);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
    impl_->waiting = true;
  else
    impl_->error = rd_kafka_err2str(error);
  return true;
}

GroupCommitter::State GroupCommitter::poll() {
  while (const EventHandle event{rd_kafka_queue_poll(impl_->answers.get(), 0)}) {
    if (rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_OFFSET_COMMIT) continue;
    impl_->waiting = false;
    const rd_kafka_resp_err_t error = impl_->error_of(event.get());
    impl_->error = error == RD_KAFKA_RESP_ERR_NO_ERROR ? "" : impl_->journal.redacted(rd_kafka_err2str(error));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return State::failed;
  }
  while (const EventHandle event{rd_kafka_queue_poll(impl_->troubles.get(), 0)}) {
    if (rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_ERROR) continue;
    impl_->error = impl_->journal.redacted(rd_kafka_event_error_string(event.get()));
    return State::failed;
  }
  return impl_->waiting ? State::waiting : State::idle;
}

const std::string& GroupCommitter::error() const noexcept { return impl_->error; }

}  // namespace kafka_fdw::kafka

#include "kafka/group_member.h"
#include "kafka/insist.h"

namespace kafka_fdw::kafka {
namespace {

// rd_kafka_ListConsumerGroupOffsets would do without a second client, but before 2.1 it crashes when the coordinator
// answers with an error.

/// What the member was told about its group, as far as waiting does not mend it.
rd_kafka_resp_err_t told_error(rd_kafka_t* member) {
  const QueueHandle queue(rd_kafka_queue_get_consumer(member));
  while (const MessageHandle message{rd_kafka_consume_queue(queue.get(), 0)}) {
    if (permanent_class(message->err)) return message->err;
  }
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/// Fills in the offsets of the list; negative ones where nothing is committed.
rd_kafka_resp_err_t ask(rd_kafka_t* member, rd_kafka_topic_partition_list_t* list, int timeout_ms) {
  const rd_kafka_resp_err_t error = rd_kafka_committed(member, list, timeout_ms);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    const rd_kafka_resp_err_t told = told_error(member);
    return told != RD_KAFKA_RESP_ERR_NO_ERROR ? told : error;
  }
  for (int i = 0; i < list->cnt; ++i)
    if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) return list->elems[i].err;
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

[[noreturn]] void throw_for_group(ErrorClass error_class, const std::string& group, const std::string& topic,
                                  rd_kafka_resp_err_t error) {
  if (error == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
    throw Error(error_class, "permission denied for Kafka consumer group \"" + group + "\"");
  if (error_class == ErrorClass::unknown_topic || error_class == ErrorClass::not_authorized)
    throw_for_topic(error_class, topic, error);
  throw Error(error_class,
              "could not read the offsets of consumer group \"" + group + "\": " + rd_kafka_err2str(error));
}

}  // namespace

GroupMember make_group_member(Properties properties, const std::string& group, ErrorListener& listener) {
  properties.insert_or_assign("group.id", group);
  ConfHandle conf = make_consumer_conf(properties, listener);
  char reason[512];
  GroupMember member(rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), reason, sizeof(reason)));
  if (!member) throw Error(ErrorClass::bad_property, "could not make a client of consumer group \"" + group + "\"");
  (void)conf.release();  // the handle owns it now
  return member;
}

std::vector<std::optional<int64_t>> query_committed_offsets(const Properties& properties, const std::string& group,
                                                            const std::string& topic,
                                                            const std::vector<int32_t>& partitions, Deadline deadline,
                                                            const std::stop_token& stop) {
  if (partitions.empty()) return {};
  const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const int32_t partition : partitions) rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
  IgnoreErrors listener;
  const GroupMember member = make_group_member(properties, group, listener);
  insist(
      deadline, stop, [&](int timeout_ms) { return ask(member.get(), list.get(), timeout_ms); },
      [&](ErrorClass error_class, rd_kafka_resp_err_t error) { throw_for_group(error_class, group, topic, error); });
  std::vector<std::optional<int64_t>> offsets;
  offsets.reserve(partitions.size());
  for (int i = 0; i < list->cnt; ++i) {
    const int64_t offset = list->elems[i].offset;
    offsets.push_back(offset < 0 ? std::nullopt : std::optional(offset));
  }
  return offsets;
}

}  // namespace kafka_fdw::kafka

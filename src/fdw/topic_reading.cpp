#include "fdw/topic_reading.h"

extern "C" {
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
}

namespace kafka_fdw::fdw {

struct TopicReading::Parts {
  Parts(const Table& given, MemoryContext context)
      : table(given), topic(table, GetUserId(), context, GetActiveSnapshot()), source(topic) {}
  Table table;
  TopicView topic;
  KafkaSource source;
};

TopicReading::TopicReading(const Table& table)
    : context_(pg::call(
          [] { return AllocSetContextCreate(CurTransactionContext, "kafka_fdw reading", ALLOCSET_DEFAULT_SIZES); })) {
  try {
    parts_ = &pg::make_owned<Parts>(context_, table, context_);
  } catch (...) {
    MemoryContextDelete(context_);
    throw;
  }
}

TopicReading::~TopicReading() { MemoryContextDelete(context_); }

TopicView& TopicReading::topic() noexcept { return parts_->topic; }

KafkaSource& TopicReading::source() noexcept { return parts_->source; }

void TopicReading::close() {
  parts_->source.close();
  parts_->topic.close();
}

}  // namespace kafka_fdw::fdw

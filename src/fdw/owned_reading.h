#pragma once

#include "fdw/kafka_source.h"
#include "fdw/topic_view.h"

extern "C" {
#include "utils/memutils.h"
#include "utils/snapmgr.h"
}

namespace kafka_fdw::fdw {

/// What reads a topic for a scope that is no scan. A memory context of the transaction owns it, for the reason that
/// ScopedLease has.
class OwnedReading {
 public:
  OwnedReading(const Table& table, Oid user)
      : context_(pg::call(
            [] { return AllocSetContextCreate(CurTransactionContext, "kafka_fdw reading", ALLOCSET_DEFAULT_SIZES); })) {
    try {
      parts_ = &pg::make_owned<Parts>(context_, table, user, context_);
    } catch (...) {
      MemoryContextDelete(context_);
      throw;
    }
  }
  ~OwnedReading() { MemoryContextDelete(context_); }
  OwnedReading(const OwnedReading&) = delete;
  OwnedReading& operator=(const OwnedReading&) = delete;

  TopicView& topic() noexcept { return parts_->topic; }
  KafkaSource& source() noexcept { return parts_->source; }

  /// In good order: the client is kept for others.
  void close() {
    parts_->source.close();
    parts_->topic.close();
  }

  /// What is made in it goes before the client does.
  MemoryContext context() const noexcept { return context_; }

 private:
  struct Parts {
    Parts(const Table& given, Oid user, MemoryContext context)
        : table(given), topic(table, user, context, GetActiveSnapshot(), kafka::Reading::few), source(topic) {}
    Table table;
    TopicView topic;
    KafkaSource source;
  };
  MemoryContext context_;
  Parts* parts_ = nullptr;
};

}  // namespace kafka_fdw::fdw

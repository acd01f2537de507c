#include "ingest/applying.h"

#include "ingest/fail.h"
#include "ingest/lookup.h"

namespace kafka_fdw::ingest {

namespace {

Applying* innermost = nullptr;

}  // namespace

Applying::Applying(ConsumerId consumer) : consumer_(consumer), outer_(innermost) { innermost = this; }

Applying::~Applying() { innermost = outer_; }

void refuse_within_batch(const Consumer& consumer) {
  for (const Applying* applying = innermost; applying != nullptr; applying = applying->outer_)
    if (applying->consumer_ == consumer.id)
      fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "a batch of " + describe(consumer) + " cannot change it",
           "Let another session do it, or raise an exception to have the consumer stop.");
}

}  // namespace kafka_fdw::ingest

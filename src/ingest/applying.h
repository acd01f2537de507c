#pragma once

#include "ingest/consumer.h"

namespace kafka_fdw::ingest {

/// Marks, for a scope, that this process applies messages of the consumer.
class Applying {
 public:
  explicit Applying(ConsumerId consumer);
  ~Applying();
  Applying(const Applying&) = delete;
  Applying& operator=(const Applying&) = delete;

 private:
  ConsumerId consumer_;
  Applying* outer_;
  friend void refuse_within_batch(const Consumer& consumer);
};

/// Throws pg::Error 55000 where a statement or a trigger, which applies a batch of the consumer, would change it.
void refuse_within_batch(const Consumer& consumer);

}  // namespace kafka_fdw::ingest

#include "fdw/message_source.h"

namespace kafka_fdw::fdw {

namespace {

BoundBatch* current_batch = nullptr;

}  // namespace

BoundBatch* bound_batch() noexcept { return current_batch; }

void set_bound_batch(BoundBatch* batch) noexcept { current_batch = batch; }

}  // namespace kafka_fdw::fdw

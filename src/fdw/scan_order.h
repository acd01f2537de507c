#pragma once

#include <cstdint>

#include "kafka/message.h"
#include "pg/boundary.h"

extern "C" {
#include "nodes/pg_list.h"
}

namespace kafka_fdw::fdw {

/// The order in which a scan gives its messages.
struct ScanOrder {
  enum class Kind : uint8_t {
    none,          ///< as they come
    by_partition,  ///< one partition after the other, each by offset
    by_offset      ///< all partitions together by offset, those of one offset by partition
  };
  Kind kind = Kind::none;
  bool partition_descending = false;
  bool offset_descending = false;

  /// Whether a comes before b. Not for Kind::none.
  bool precedes(const kafka::Message& a, const kafka::Message& b) const noexcept;
};

/// As a list of integers for a plan. May raise: call it inside pg::call.
List* order_to_list(const ScanOrder& order);
ScanOrder order_from_list(const List* list);

}  // namespace kafka_fdw::fdw

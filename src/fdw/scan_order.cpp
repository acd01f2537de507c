#include "fdw/scan_order.h"

namespace kafka_fdw::fdw {

bool ScanOrder::precedes(const kafka::Message& a, const kafka::Message& b) const noexcept {
  const bool by_partition = kind == Kind::by_partition ? a.partition != b.partition : a.offset == b.offset;
  if (by_partition) return partition_descending ? a.partition > b.partition : a.partition < b.partition;
  return offset_descending ? a.offset > b.offset : a.offset < b.offset;
}

List* order_to_list(const ScanOrder& order) {
  return list_make3_int(static_cast<int>(order.kind), order.partition_descending ? 1 : 0,
                        order.offset_descending ? 1 : 0);
}

ScanOrder order_from_list(const List* list) {
  return {.kind = static_cast<ScanOrder::Kind>(list_nth_int(list, 0)),
          .partition_descending = list_nth_int(list, 1) != 0,
          .offset_descending = list_nth_int(list, 2) != 0};
}

}  // namespace kafka_fdw::fdw

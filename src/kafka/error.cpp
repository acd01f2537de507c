#include "kafka/error.h"

namespace kafka_fdw::kafka {

const char* Error::sqlstate() const noexcept {
  switch (class_) {
    case ErrorClass::unreachable:
    case ErrorClass::no_leader:
      return "08006";
    case ErrorClass::timed_out:
      return "57014";
    case ErrorClass::unknown_topic:
      return "42704";
    case ErrorClass::authentication:
      return "28000";
    case ErrorClass::not_authorized:
      return "42501";
    case ErrorClass::out_of_range:
      return "58P01";
    case ErrorClass::bad_property:
      return "22023";
    case ErrorClass::fatal:
    case ErrorClass::other:
      break;
  }
  return "58000";
}

}  // namespace kafka_fdw::kafka

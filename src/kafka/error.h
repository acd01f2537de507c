#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace kafka_fdw::kafka {

/// What went wrong, as far as callers act on it; each class has one SQLSTATE.
enum class ErrorClass : uint8_t {
  unreachable,     ///< 08006: no broker could be reached
  no_leader,       ///< 08006: brokers answer, but none leads a partition
  timed_out,       ///< 57014-class for reads: see sqlstate()
  unknown_topic,   ///< 42704
  authentication,  ///< 28000
  not_authorized,  ///< 42501
  out_of_range,    ///< 58P01: the offset is not in the log
  bad_property,    ///< 22023
  fatal,           ///< 58000: the client handle is unusable
  other            ///< 58000
};

class Error : public std::runtime_error {
 public:
  Error(ErrorClass error_class, const std::string& message, std::string detail = {}, std::string hint = {})
      : std::runtime_error(message), class_(error_class), detail_(std::move(detail)), hint_(std::move(hint)) {}

  ErrorClass error_class() const noexcept { return class_; }
  const char* sqlstate() const noexcept;  ///< five characters, static
  const std::string& detail() const noexcept { return detail_; }
  const std::string& hint() const noexcept { return hint_; }

 private:
  ErrorClass class_;
  std::string detail_;
  std::string hint_;
};

}  // namespace kafka_fdw::kafka

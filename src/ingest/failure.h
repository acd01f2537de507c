#pragma once

#include <optional>
#include <string>

#include "kafka/error.h"
#include "kafka/message.h"
#include "pg/row_builder.h"

namespace kafka_fdw::ingest {

/// What a worker does about an error.
enum class FailureClass : uint8_t {
  transient,    ///< back off and try again from the stored offsets
  missing,      ///< the topic does not exist (yet): likewise, but it is waited for rather than complained of
  bad_message,  ///< narrow it down to the message; the consumer stops there
  bad_log,      ///< the stored offset is not in the log: the consumer stops
  bad_consumer  ///< a person must change something: tried again when the catalog changes
};

/// An error with what the status views show of it.
struct Failure {
  FailureClass failure_class = FailureClass::bad_consumer;
  std::string message;
  std::string detail;
  std::string hint;
  std::string sqlstate;
  std::string column;  ///< at fault; empty: none in particular
  std::optional<std::string> topic;
  std::optional<int32_t> partition;
  std::optional<int64_t> offset;
};

/// The SQLSTATE of what is not in the log any more. No message fails with it.
inline constexpr const char* not_in_log = "58P01";

/// The class of an error that PostgreSQL raised: while a statement ran, or otherwise.
FailureClass classify(int sqlstate);

/// The exception in flight, in a catch block.
Failure failure_of_current_exception();
Failure failure_of_error(const ErrorData& error);

/// A message that did not decode.
Failure failure_of_row(const pg::RowError& error);

/// Whether a smaller batch may get past it: a limit of time, of memory, or of what PostgreSQL can do at once.
bool is_too_much(const Failure& failure);

}  // namespace kafka_fdw::ingest

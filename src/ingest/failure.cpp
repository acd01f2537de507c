#include "ingest/failure.h"

extern "C" {
#include "utils/errcodes.h"
}

namespace kafka_fdw::ingest {

namespace {

std::string text_of(const char* text) { return text == nullptr ? std::string() : std::string(text); }

FailureClass classify(kafka::ErrorClass error_class) {
  switch (error_class) {
    case kafka::ErrorClass::unknown_topic:
      return FailureClass::missing;
    case kafka::ErrorClass::out_of_range:
      return FailureClass::bad_log;
    case kafka::ErrorClass::authentication:
    case kafka::ErrorClass::not_authorized:
    case kafka::ErrorClass::bad_property:
      return FailureClass::bad_consumer;
    case kafka::ErrorClass::unreachable:
    case kafka::ErrorClass::no_leader:
    case kafka::ErrorClass::timed_out:
    case kafka::ErrorClass::fatal:
    case kafka::ErrorClass::other:
      return FailureClass::transient;
  }
  return FailureClass::bad_consumer;
}

}  // namespace

FailureClass classify(int sqlstate) {
  switch (sqlstate) {
    case ERRCODE_T_R_SERIALIZATION_FAILURE:
    case ERRCODE_T_R_DEADLOCK_DETECTED:
    case ERRCODE_LOCK_NOT_AVAILABLE:
    case ERRCODE_QUERY_CANCELED:
    case ERRCODE_READ_ONLY_SQL_TRANSACTION:
    case ERRCODE_ADMIN_SHUTDOWN:
    case ERRCODE_CRASH_SHUTDOWN:
    case ERRCODE_CANNOT_CONNECT_NOW:
      return FailureClass::transient;
    case ERRCODE_CARDINALITY_VIOLATION:
    case ERRCODE_WITH_CHECK_OPTION_VIOLATION:
    case ERRCODE_RAISE_EXCEPTION:
      return FailureClass::bad_message;
    default:
      break;
  }
  const int category = ERRCODE_TO_CATEGORY(sqlstate);
  if (category == ERRCODE_CONNECTION_EXCEPTION || category == ERRCODE_INSUFFICIENT_RESOURCES ||
      category == ERRCODE_PROGRAM_LIMIT_EXCEEDED)
    return FailureClass::transient;
  if (category == ERRCODE_DATA_EXCEPTION || category == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION)
    return FailureClass::bad_message;
  return FailureClass::bad_consumer;
}

Failure failure_of_error(const ErrorData& error) {
  Failure failure;
  failure.failure_class = classify(error.sqlerrcode);
  failure.message = text_of(error.message);
  failure.detail = text_of(error.detail);
  failure.hint = text_of(error.hint);
  failure.sqlstate = unpack_sql_state(error.sqlerrcode);
  failure.column = text_of(error.column_name);
  if (error.context != nullptr) failure.detail += (failure.detail.empty() ? "" : "\n") + text_of(error.context);
  return failure;
}

Failure failure_of_row(const pg::RowError& error) {
  Failure failure;
  failure.failure_class = FailureClass::bad_message;
  failure.message = error.message;
  failure.sqlstate = unpack_sql_state(error.sqlstate);
  failure.column = error.column;
  return failure;
}

bool is_too_much(const Failure& failure) {
  return failure.sqlstate == "57014" || failure.sqlstate == "53200" || failure.sqlstate.starts_with("54");
}

Failure failure_of_current_exception() {
  Failure failure = failure_of_error(*pg::error_of_current_exception());
  try {
    throw;
  } catch (const kafka::Error& error) {
    failure.failure_class = classify(error.error_class());
  } catch (...) {
    // Its SQLSTATE has said all.
  }
  return failure;
}

}  // namespace kafka_fdw::ingest

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
  if (category == ERRCODE_CONNECTION_EXCEPTION || category == ERRCODE_INSUFFICIENT_RESOURCES)
    return FailureClass::transient;
  // A limit that a batch exceeds, its halves may not; one that a message exceeds (an index row too large) is that
  // message's fault.
  if (category == ERRCODE_DATA_EXCEPTION || category == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION ||
      category == ERRCODE_PROGRAM_LIMIT_EXCEEDED)
    return FailureClass::bad_message;
  return FailureClass::bad_consumer;
}

Failure failure_of_current_exception() {
  Failure failure;
  try {
    throw;
  } catch (const pg::Error& error) {
    const ErrorData* data = error.data().get();
    failure.failure_class = classify(data->sqlerrcode);
    failure.message = text_of(data->message);
    failure.detail = text_of(data->detail);
    failure.hint = text_of(data->hint);
    failure.sqlstate = unpack_sql_state(data->sqlerrcode);
    if (data->context != nullptr) failure.detail += (failure.detail.empty() ? "" : "\n") + text_of(data->context);
  } catch (const kafka::Error& error) {
    failure.failure_class = classify(error.error_class());
    failure.message = error.what();
    failure.detail = error.detail();
    failure.hint = error.hint();
    failure.sqlstate = error.sqlstate();
  } catch (const std::exception& error) {
    failure.message = error.what();
    failure.sqlstate = "XX000";
  }
  return failure;
}

}  // namespace kafka_fdw::ingest

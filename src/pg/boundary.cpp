#include "pg/boundary.h"

extern "C" {
#include "access/xact.h"
}

#include "decode/value.h"
#include "kafka/error.h"
#include "pg/utf8.h"

namespace kafka_fdw::pg {

namespace {

int64_t live_objects = 0;

/// What an error says, in the server's encoding but for words of a broker, or in UTF-8 where it shows parts of a
/// message.
struct Parts {
  const char* sqlstate;
  const char* message;
  const char* detail = "";
  const char* hint = "";
  bool utf8 = false;
};

/// An ErrorData as ereport would have made it, with the context lines of this moment. Errors while making it come out
/// instead.
ErrorPtr make_error(Parts parts) {
  return adopt_error(run_guarded(
      [](void* arg) {
        auto* p = static_cast<Parts*>(arg);
        ereport(ERROR, (errcode(sqlstate_of(p->sqlstate)),
                        errmsg_internal("%s", p->utf8 ? readable_utf8(p->message) : readable(p->message)),
                        p->detail[0] != '\0' ? errdetail_internal("%s", readable(p->detail)) : 0,
                        p->hint[0] != '\0' ? errhint("%s", readable(p->hint)) : 0));
      },
      &parts));
}

}  // namespace

int sqlstate_of(const char* code) noexcept { return MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4]); }

ErrorData* run_guarded(void (*f)(void*), void* arg) {
  MemoryContext caller = CurrentMemoryContext;
  ErrorData* volatile error = nullptr;
  PG_TRY();
  { f(arg); }
  PG_CATCH();
  {
    // Not in the caller's context: a worker looks at the error after the transaction has gone. In one of its own,
    // because FreeErrorData leaves some of what CopyErrorData copies.
    MemoryContextSwitchTo(AllocSetContextCreate(TopMemoryContext, "kafka_fdw error", ALLOCSET_SMALL_SIZES));
    error = CopyErrorData();
    FlushErrorState();
    MemoryContextSwitchTo(caller);
  }
  PG_END_TRY();
  return error;
}

ErrorPtr adopt_error(ErrorData* error) {
  return {error, [](ErrorData* data) { MemoryContextDelete(GetMemoryChunkContext(data)); }};
}

void Error::set_detail(const char* detail) const {
  data_->detail = call([&] { return MemoryContextStrdup(GetMemoryChunkContext(data_.get()), detail); });
}

ErrorPtr error_of_current_exception() noexcept {
  try {
    throw;
  } catch (const Error& e) {
    return e.data();
  } catch (const kafka::Error& e) {
    return make_error({e.sqlstate(), e.what(), e.detail().c_str(), e.hint().c_str()});
  } catch (const decode::Error& e) {
    return make_error({.sqlstate = e.sqlstate(), .message = e.what(), .utf8 = true});
  } catch (const std::bad_alloc&) {
    return make_error({"53200", "out of memory"});
  } catch (const std::exception& e) {
    return make_error({"XX000", e.what()});
  } catch (...) {
    return make_error({"XX000", "unknown C++ exception"});
  }
}

ErrorData* keep_current_exception() noexcept {
  // In storage of its own: no destructor runs at the process's end.
  alignas(ErrorPtr) static char storage[sizeof(ErrorPtr)];
  static ErrorPtr& kept = *new (storage) ErrorPtr;
  kept = error_of_current_exception();
  return kept.get();
}

void raise(ErrorData* error) {
  ReThrowError(error);
  pg_unreachable();
}

Subtransaction::Subtransaction() : memory_(CurrentMemoryContext), owner_(CurrentResourceOwner) {
  call([this] {
    BeginInternalSubTransaction(nullptr);
    MemoryContextSwitchTo(memory_);
  });
}

void Subtransaction::commit() {
  call([this] {
    ReleaseCurrentSubTransaction();
    MemoryContextSwitchTo(memory_);
    CurrentResourceOwner = owner_;
  });
  open_ = false;
}

Subtransaction::~Subtransaction() {
  if (!open_) return;
  // An error while rolling back is PostgreSQL's to escalate: it must not turn into an exception in a destructor.
  RollbackAndReleaseCurrentSubTransaction();
  MemoryContextSwitchTo(memory_);
  CurrentResourceOwner = owner_;
}

int64_t owned_objects() noexcept { return live_objects; }

void count_owned_objects(int change) noexcept { live_objects += change; }

}  // namespace kafka_fdw::pg

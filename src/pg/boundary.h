#pragma once

extern "C" {
#include "postgres.h"

#include "utils/elog.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
}

#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

/// The boundary between PostgreSQL, which raises errors by longjmp, and C++, which raises exceptions. Three rules:
/// 1. Every function that PostgreSQL calls is one call of `entry`.
/// 2. Every PostgreSQL function that may raise is called inside `call`.
/// 3. A caught pg::Error goes on to `entry` or to `in_subtransaction`: PostgreSQL's state needs an abort after an
/// error.
namespace kafka_fdw::pg {

/// An error that outlives the transaction that it ended.
using ErrorPtr = std::shared_ptr<ErrorData>;

/// A PostgreSQL error on its way through C++ frames, whole: SQLSTATE, detail, hint, context.
class Error {
 public:
  explicit Error(ErrorPtr data) noexcept : data_(std::move(data)) {}
  const ErrorPtr& data() const noexcept { return data_; }
  int sqlstate() const noexcept { return data_->sqlerrcode; }
  void set_detail(const char* detail) const;  ///< copied

 private:
  ErrorPtr data_;
};

/// PostgreSQL's number for the five characters.
int sqlstate_of(const char* code) noexcept;

/// Takes over what run_guarded returned.
ErrorPtr adopt_error(ErrorData* error);

/// Runs f(arg) and returns the error that it raised, in memory that lives until it is freed, or null.
/// Not inlined, so that no caller's local lives across its sigsetjmp.
ErrorData* run_guarded(void (*f)(void*), void* arg);

/// Calls PostgreSQL code that may raise, and turns its error into a C++ exception. Costs 3–5 ns: per batch or per row,
/// not per field. f is a leaf: a longjmp skips its frame, so nothing in it may have a destructor, and it must not
/// throw.
template <class F>
auto call(F&& f) -> std::invoke_result_t<F> {
  using Callable = std::remove_reference_t<F>;
  using Result = std::invoke_result_t<F>;
  static_assert(std::is_trivially_destructible_v<Callable>, "capture by reference or by plain value");
  if constexpr (std::is_void_v<Result>) {
    auto thunk = [](void* arg) { (*static_cast<Callable*>(arg))(); };
    void* arg = const_cast<std::remove_const_t<Callable>*>(&f);
    if (ErrorData* error = run_guarded(thunk, arg)) throw Error(adopt_error(error));
  } else {
    static_assert(std::is_trivially_destructible_v<Result>, "return plain data");
    struct State {
      Callable* f;
      Result result;
    } state{&f, {}};
    auto thunk = [](void* arg) {
      auto* s = static_cast<State*>(arg);
      s->result = (*s->f)();
    };
    if (ErrorData* error = run_guarded(thunk, &state)) throw Error(adopt_error(error));
    return state.result;
  }
}

/// The exception in flight as a PostgreSQL error: pg::Error unchanged, the Errors of kafka and decode
/// with their SQLSTATE, std::bad_alloc as out of memory, others as internal errors. Only inside a catch block.
ErrorPtr error_of_current_exception() noexcept;

/// Keeps the error until the next one is kept, for raise. Only inside a catch block.
ErrorData* keep_current_exception() noexcept;

/// Raises the error in PostgreSQL's way. No C++ object that needs its destructor may be alive in the caller.
[[noreturn]] void raise(ErrorData* error);

/// The one statement of every function that PostgreSQL calls: runs f, and reports what it throws when every destructor
/// has run and the exception itself is gone, so that the longjmp skips nothing.
template <class F>
auto entry(F&& f) -> std::invoke_result_t<F> {
  ErrorData* error = nullptr;
  try {
    return f();
  } catch (...) {
    error = keep_current_exception();
  }
  raise(error);
}

/// An internal subtransaction: rolled back at the end of its scope unless committed.
/// The memory context stays the caller's throughout; the resource owner is the subtransaction's until its end.
class Subtransaction {
 public:
  Subtransaction();
  ~Subtransaction();
  void commit();
  Subtransaction(const Subtransaction&) = delete;
  Subtransaction& operator=(const Subtransaction&) = delete;

 private:
  MemoryContext memory_;
  ResourceOwner owner_;
  bool open_ = true;
};

/// Runs f in a subtransaction. Null: f succeeded and the subtransaction is committed; else it was rolled back, and this
/// is f's error. f may throw.
template <class F>
ErrorPtr in_subtransaction(F&& f) {
  Subtransaction subtransaction;
  try {
    f();
    subtransaction.commit();
  } catch (...) {
    return error_of_current_exception();
  }
  return nullptr;
}

/// C++ objects that memory contexts own and that are alive now: for tests of leaks.
int64_t owned_objects() noexcept;
void count_owned_objects(int change) noexcept;

/// Makes a T that dies with its memory context: at the end of the query, on error, on cancel, on a subtransaction's
/// abort. The callback is registered last and cannot fail, so T is destroyed exactly when it was constructed.
template <class T, class... Args>
T& make_owned(MemoryContext context, Args&&... args) {
  static_assert(alignof(T) <= MAXIMUM_ALIGNOF);
  struct Block {
    MemoryContextCallback callback;
    alignas(T) char object[sizeof(T)];
  };
  auto* block = call([&] { return static_cast<Block*>(MemoryContextAllocZero(context, sizeof(Block))); });
  T* object = new (block->object) T(std::forward<Args>(args)...);
  block->callback.func = [](void* p) {
    static_cast<T*>(p)->~T();
    count_owned_objects(-1);
  };
  block->callback.arg = object;
  MemoryContextRegisterResetCallback(context, &block->callback);
  count_owned_objects(1);
  return *object;
}

/// Adds a line of context to every PostgreSQL error that is raised while it lives. Describe is called when one is: it
/// must call errcontext.
template <class Describe>
class ErrorContext {
 public:
  explicit ErrorContext(Describe describe) : describe_(describe) {
    static_assert(std::is_trivially_destructible_v<Describe>);
    callback_.callback = [](void* arg) { static_cast<ErrorContext*>(arg)->describe_(); };
    callback_.arg = this;
    callback_.previous = error_context_stack;
    error_context_stack = &callback_;
  }
  ~ErrorContext() { error_context_stack = callback_.previous; }
  ErrorContext(const ErrorContext&) = delete;
  ErrorContext& operator=(const ErrorContext&) = delete;

 private:
  Describe describe_;
  ErrorContextCallback callback_;
};

}  // namespace kafka_fdw::pg

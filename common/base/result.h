// Errors are values: what can fail returns Result<T> or Status.
//
// Not here: the translation to errno (client/fuse_reply.h) and to the wire (common/rpc/wire.h).
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace cairn {

// One code for each different reaction of a caller, and no more.
enum class Errc : uint8_t {
  // Known: the answer is no. Each of these is one errno of the mount.
  not_found = 1,   // ENOENT
  exists,          // EEXIST
  not_empty,       // ENOTEMPTY
  not_directory,   // ENOTDIR
  is_directory,    // EISDIR
  no_space,        // ENOSPC
  no_attribute,    // ENODATA
  too_big,         // E2BIG, EFBIG, ERANGE: a value beyond a limit that "what" names
  name_too_long,   // ENAMETOOLONG
  too_many_links,  // EMLINK
  not_permitted,   // EPERM
  access_denied,   // EACCES
  invalid,         // EINVAL: a malformed argument, message or record from outside
  cross_device,    // EXDEV
  not_supported,   // ENOTSUP
  stale_handle,    // ESTALE: the inode is gone
  // Known: something changed. Refresh the map, the lease or the session, and ask again.
  stale_epoch,
  stale_boot,  // the chunkserver has restarted since the append
  no_session,  // the session has expired; what it had dirty is lost
  busy,
  // Unknown: it may have happened.
  unavailable,
  timed_out,
  // This copy is bad; the stripe may still be whole.
  corrupt,
  io,
  interrupted,  // EINTR
};
const char* name_of(Errc code);  // "not_found", for logs and --json

struct Error {
  Errc code;
  std::string what;  // for a person: the operation, the id, the peer, what to do next
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  Result(Errc code, std::string what) : state_(std::in_place_index<1>, Error{code, std::move(what)}) {}
  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return *std::get_if<0>(&state_); }
  const T& value() const& { return *std::get_if<0>(&state_); }
  T&& value() && { return std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const { return *std::get_if<1>(&state_); }
  Errc code() const { return error().code; }

 private:
  std::variant<T, Error> state_;  // value() of an error is a broken invariant: a null dereference
};

// Success without a value. `return {};` is success.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : failed_(true), error_(std::move(error)) {}
  Status(Errc code, std::string what) : failed_(true), error_{code, std::move(what)} {}
  bool ok() const { return !failed_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return error_; }
  Errc code() const { return error_.code; }

 private:
  bool failed_ = false;
  Error error_{};
};

}  // namespace cairn

#define CAIRN_CONCAT_(a, b) a##b
#define CAIRN_CONCAT(a, b) CAIRN_CONCAT_(a, b)

// TRY(expr): on failure returns its error from the calling function. The two macros of the project: early
// return cannot be a function.
#define TRY(expr)                                     \
  do {                                                \
    if (auto try_status = (expr); !try_status.ok()) { \
      return ::cairn::Error(try_status.error());      \
    }                                                 \
  } while (false)

// ASSIGN(auto x, expr): declares or assigns x from a Result, or returns its error.
#define ASSIGN(lhs, expr) ASSIGN_(lhs, expr, CAIRN_CONCAT(assign_result_, __LINE__))
#define ASSIGN_(lhs, expr, name)                       \
  auto name = (expr);                                  \
  if (!name.ok()) return ::cairn::Error(name.error()); \
  lhs = std::move(name).value()

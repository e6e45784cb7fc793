#include "common/base/errno_error.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace cairn {
namespace {

std::string describe(std::string_view operation, std::string_view object, int error_number) {
  return fmt::format("{} {}: {}", operation, object, std::generic_category().message(error_number));
}

Errc file_code(int error_number) {
  switch (error_number) {
    case ENOENT:
      return Errc::not_found;
    case EEXIST:
      return Errc::exists;
    case ENOTEMPTY:
      return Errc::not_empty;
    case ENOSPC:
    case EDQUOT:
      return Errc::no_space;
    case EOPNOTSUPP:
      return Errc::not_supported;
    default:
      return Errc::io;
  }
}

Errc socket_code(int error_number) {
  switch (error_number) {
    case ETIMEDOUT:
      return Errc::timed_out;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
      return Errc::io;
    default:
      return Errc::unavailable;
  }
}

}  // namespace

Error file_error(std::string_view operation, std::string_view object, int error_number) {
  return Error{file_code(error_number), describe(operation, object, error_number)};
}

Error socket_error(std::string_view operation, std::string_view object, int error_number) {
  return Error{socket_code(error_number), describe(operation, object, error_number)};
}

}  // namespace cairn

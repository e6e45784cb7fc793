#include "common/base/result.h"

namespace cairn {

const char* name_of(Errc code) {
  switch (code) {
    case Errc::not_found:
      return "not_found";
    case Errc::exists:
      return "exists";
    case Errc::not_empty:
      return "not_empty";
    case Errc::not_directory:
      return "not_directory";
    case Errc::is_directory:
      return "is_directory";
    case Errc::no_space:
      return "no_space";
    case Errc::no_attribute:
      return "no_attribute";
    case Errc::too_big:
      return "too_big";
    case Errc::name_too_long:
      return "name_too_long";
    case Errc::too_many_links:
      return "too_many_links";
    case Errc::not_permitted:
      return "not_permitted";
    case Errc::access_denied:
      return "access_denied";
    case Errc::invalid:
      return "invalid";
    case Errc::cross_device:
      return "cross_device";
    case Errc::not_supported:
      return "not_supported";
    case Errc::stale_handle:
      return "stale_handle";
    case Errc::stale_epoch:
      return "stale_epoch";
    case Errc::stale_boot:
      return "stale_boot";
    case Errc::no_session:
      return "no_session";
    case Errc::busy:
      return "busy";
    case Errc::unavailable:
      return "unavailable";
    case Errc::timed_out:
      return "timed_out";
    case Errc::corrupt:
      return "corrupt";
    case Errc::io:
      return "io";
    case Errc::interrupted:
      return "interrupted";
  }
  return "unknown";
}

}  // namespace cairn

// From the errno of a system call to an Error of ours. The way back, to the kernel's errno of a mount, is
// client/fuse_reply.h.
#pragma once

#include <string_view>

#include "common/base/result.h"

namespace cairn {

// For calls on files. "what" reads: operation object: errno's text.
Error file_error(std::string_view operation, std::string_view object, int error_number);
// For calls on sockets: unavailable, timed_out, or io for what is this machine's own trouble (no descriptors, no
// memory).
Error socket_error(std::string_view operation, std::string_view object, int error_number);

}  // namespace cairn

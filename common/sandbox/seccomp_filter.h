// The system calls that a sandboxed program may make: a list of what is allowed, as a program for the kernel.
#pragma once

#include <string>

#include "common/base/result.h"

namespace cairn::sandbox {

// Of struct sock_filter, for this machine's architecture. A call that is not listed answers ENOSYS, as on a kernel
// without it: programs have a way around that. Another architecture's calls (32 bits, x32) end the program.
Result<std::string> seccomp_filter();

}  // namespace cairn::sandbox

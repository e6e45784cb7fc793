// How much a process and all that descend from it use, read from the host's /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace cairn::sandbox {

struct Usage {
  uint64_t cpu_ns = 0;        // with that of children which have been waited for; in ticks of 10 ms
  uint64_t memory_bytes = 0;  // what is mapped and resident, without pages of files; shared pages count for each
  uint32_t tasks = 0;         // processes and threads, without the first process
};
Usage usage_of(pid_t root);
// The same memory, but shared pages are shared out: exact, and slower. Where the kernel does not tell, as above.
uint64_t exact_memory_of(pid_t root);

// How many bytes lie in the /scratch of what descends from it, as far as one of these may be looked at.
uint64_t scratch_bytes_of(pid_t root);
// How many processes and threads there are of a user.
uint32_t tasks_of_user(uid_t uid);

}  // namespace cairn::sandbox

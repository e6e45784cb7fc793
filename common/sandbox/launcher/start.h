// How the first process of the sandbox comes to be: in namespaces of our own making, or through bubblewrap.
#pragma once

#include <sys/types.h>

#include "common/sandbox/launcher/plan_view.h"

namespace cairn::sandbox {

struct Started {
  pid_t pid = -1;  // what is killed to end all: init, or bubblewrap
  int pidfd = -1;
  int report_fd = -1;            // where it writes its Report
  const char* failed = nullptr;  // the step; errno says why
};
// cgroup_fd: where it is born, or -1.
Started start_own(const PlanView& plan, int cgroup_fd);
Started start_bubblewrap(const PlanView& plan, int cgroup_fd);

// clone3 without a stack: a fork with flags. 0 in the child; -1 with errno.
pid_t fork_with(uint64_t flags, int cgroup_fd, int* pidfd);

}  // namespace cairn::sandbox

// A cgroup v2 for one run: memory and processes bounded by the kernel, all together and without samples.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "common/sandbox/launcher/plan_view.h"

namespace cairn::sandbox {

class Cgroup {
 public:
  // Makes one below the plan's, and sets its bounds. Null on success, or the step that failed, with errno.
  const char* make(const PlanView& plan);
  bool made() const { return fd_ >= 0; }
  int fd() const { return fd_; }  // for CLONE_INTO_CGROUP
  uint64_t cpu_ns() const;
  uint64_t memory_bytes() const;
  bool memory_ran_out() const;
  bool processes_ran_out() const;
  void remove();  // when nobody is in it

 private:
  uint64_t number_in(const char* file, const char* key) const;
  bool set(const char* file, uint64_t value) const;
  char path_[512] = {};
  int fd_ = -1;
};

}  // namespace cairn::sandbox

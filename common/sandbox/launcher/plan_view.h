// The plan as the launcher reads it: mapped, with pointers into it. common/sandbox/plan.h says what it holds.
#pragma once

#include <linux/filter.h>

#include <string_view>

#include "common/sandbox/plan.h"

namespace cairn::sandbox {

class PlanView {
 public:
  // Maps kPlanFd. Null if this is no plan of ours.
  static const PlanView* map();

  const Plan& plan() const { return *plan_; }
  bool has(Layer layer) const { return (plan_->layers & layer) != 0; }
  char* const* argv() const { return argv_; }
  char* const* environment() const { return environment_; }
  char* const* readonly_paths() const { return readonly_paths_; }  // ends with null
  const char* cgroup() const { return cgroup_; }                   // empty: none
  const char* launcher() const { return launcher_; }               // the path of this program
  const char* bubblewrap() const { return bubblewrap_; }           // the path of bwrap
  sock_fprog filter() const;
  std::string_view program() const { return {at(plan_->program_at), plan_->program_bytes}; }

 private:
  PlanView() = default;
  const char* at(uint64_t offset) const { return reinterpret_cast<const char*>(plan_) + offset; }

  const Plan* plan_ = nullptr;
  char** argv_ = nullptr;
  char** environment_ = nullptr;
  char** readonly_paths_ = nullptr;
  const char* cgroup_ = nullptr;
  const char* launcher_ = nullptr;
  const char* bubblewrap_ = nullptr;
};

}  // namespace cairn::sandbox

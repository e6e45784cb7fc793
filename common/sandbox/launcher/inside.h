// What happens within the new namespaces, before and while the program runs. Linear code of one thread; what fails is
// reported, and ends all.
#pragma once

#include "common/sandbox/launcher/plan_view.h"
#include "common/sandbox/launcher/report.h"

namespace cairn::sandbox {

// The id that the program has within its namespace. Outside it is one that no account has, or the caller's.
inline constexpr uint32_t kInsideId = 1000;

// root.cc: the root that the program sees, and then the only one. /scratch belongs to id. Says in the report whether
// there is a /proc.
void enter_own_root(const PlanView& plan, uint32_t id, int report_fd, Report& report);
// restrict.cc. The first needs a capability, so it comes before the second, and before root becomes somebody else.
void empty_bounding_set(const PlanView& plan, int report_fd);
void drop_capabilities(const PlanView& plan, int report_fd);
// What only the program has, not init: rlimits, Landlock, system calls. Afterwards only execve and failing are left.
// foreign_tasks: how many processes and threads of the same id are counted with its own, being outside.
void restrict_program(const PlanView& plan, uint32_t foreign_tasks, int report_fd);
uint32_t landlock_abi();
// init.cc, as init of the namespace: starts the program, reaps whoever is left to it, reports, and exits.
[[noreturn]] void be_init(const PlanView& plan, uint32_t foreign_tasks, int report_fd, Report report);

}  // namespace cairn::sandbox

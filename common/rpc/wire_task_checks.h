// Checks of what several messages of thrift/task.thrift have. Only for wire_task*.cc.
#pragma once

#include <map>
#include <string>

#include "common/meta/jobs.h"
#include "common/rpc/wire_checks.h"
#include "common/tasks/job.h"

namespace cairn::wire_checks {

inline Status check_job(int64_t job) { return job == 0 ? Status(invalid("job 0")) : Status(); }
inline Result<JobPhase> phase_of(int32_t phase, JobPhase first, JobPhase last) {
  TRY(check_between("the phase of a job", phase, static_cast<int>(first), static_cast<int>(last)));
  return static_cast<JobPhase>(phase);
}
inline Result<std::string> op_of(const std::string& op) {
  TRY(check_text("operator", op, kMaxLabelBytes));
  if (op.empty()) return invalid("a job without an operator");
  return op;
}
inline Result<std::map<std::string, std::string>> arguments_of(const std::map<std::string, std::string>& arguments) {
  if (arguments.size() > kMaxJobArguments)
    return Error{Errc::too_big, fmt::format("{} arguments of a job; at most {}", arguments.size(), kMaxJobArguments)};
  size_t bytes = 0;
  for (const auto& [name, text] : arguments) {
    TRY(check_size("an argument", text.size(), tasks::kMaxArgumentBytes));
    bytes += name.size() + text.size();
  }
  TRY(check_size("arguments", bytes, kMaxJobArgumentBytes));
  return arguments;
}

}  // namespace cairn::wire_checks

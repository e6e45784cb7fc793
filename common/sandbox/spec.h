// A spec, checked and written down as the launcher reads it (plan.h).
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/sandbox/plan.h"
#include "common/sandbox/sandbox.h"

namespace cairn::sandbox {

struct PlanParts {
  uint32_t layers = kLayerAll;
  bool bubblewrap = false, probe = false;
  const SandboxOptions& options;
  const std::string& filter;
};
// A memfd that holds the plan.
Result<UniqueFd> write_plan(const SandboxSpec& spec, const PlanParts& parts);

}  // namespace cairn::sandbox

// The real ProgramRunner: each program in a sandbox of its own. From any thread.
#pragma once

#include <memory>

#include "common/sandbox/sandbox.h"
#include "common/tasks/program_runner.h"

namespace cairn::programs {

class SandboxedRunner final : public tasks::ProgramRunner {
 public:
  // not_supported: this machine gives no sandbox; the message says what to set.
  static Result<std::unique_ptr<SandboxedRunner>> open(sandbox::SandboxOptions options);
  Result<std::unique_ptr<tasks::ProgramRun>> start(const tasks::ProgramOrder& order) override;
  const sandbox::Abilities& abilities() const { return sandbox_->abilities(); }

 private:
  explicit SandboxedRunner(std::unique_ptr<sandbox::Sandbox> sandbox) : sandbox_(std::move(sandbox)) {}
  const std::unique_ptr<sandbox::Sandbox> sandbox_;
};

}  // namespace cairn::programs

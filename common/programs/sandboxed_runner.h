// The real ProgramRunner: each program in a sandbox of its own. From any thread. Costs nothing until the first program.
#pragma once

#include <memory>

#include "common/base/thread.h"
#include "common/sandbox/sandbox.h"
#include "common/tasks/program_runner.h"

namespace cairn::programs {

class SandboxedRunner final : public tasks::ProgramRunner {
 public:
  explicit SandboxedRunner(sandbox::SandboxOptions options = {}) : options_(std::move(options)) {}
  // not_supported: this machine gives no sandbox; the message says what to set.
  Result<std::unique_ptr<tasks::ProgramRun>> start(const tasks::ProgramOrder& order) override;

 private:
  Result<const sandbox::Sandbox*> opened();

  const sandbox::SandboxOptions options_;
  Mutex mutex_;
  std::unique_ptr<const sandbox::Sandbox> sandbox_;  // guarded by mutex_; from the first program on
};

}  // namespace cairn::programs

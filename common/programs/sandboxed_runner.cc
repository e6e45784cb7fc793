#include "common/programs/sandboxed_runner.h"

#include <fmt/format.h>

#include "common/tasks/utf8.h"

namespace cairn::programs {
namespace {

constexpr size_t kToldBytes = 2048;                   // of standard error, in a message
constexpr int kNotExecutable = 126, kNotFound = 127;  // what sh ends with

class SandboxedRun final : public tasks::ProgramRun {
 public:
  static Result<std::unique_ptr<tasks::ProgramRun>> start(const sandbox::Sandbox& sandbox,
                                                          const sandbox::SandboxSpec& spec) {
    auto run = std::make_unique<SandboxedRun>();
    ASSIGN(run->run_, sandbox.start(spec, [out = &run->output_](std::string_view bytes) {
      *out += bytes;
      return Status();
    }));
    return {std::move(run)};
  }
  Status feed(std::string_view input) override { return run_->feed(input); }
  void cancel() override { run_->cancel(); }
  Result<std::string> finish() override {
    ASSIGN(const sandbox::Outcome outcome, run_->finish());
    if (outcome.ok()) return std::move(output_);
    const bool not_here = outcome.exit_code == kNotExecutable || outcome.exit_code == kNotFound;
    const Errc code = not_here ? Errc::io : Errc::invalid;  // another server may have the program
    std::string_view errors = outcome.error_tail;
    while (errors.ends_with('\n')) errors.remove_suffix(1);
    if (errors.size() > kToldBytes) errors.remove_prefix(errors.size() - kToldBytes);
    if (errors.empty()) return {code, fmt::format("the program: {}", outcome.message())};
    return {code, fmt::format("the program: {}; it said: {}", outcome.message(), tasks::replace_invalid_utf8(errors))};
  }

 private:
  std::string output_;  // outlives run_, which writes to it
  std::unique_ptr<sandbox::Run> run_;
};

}  // namespace

Result<const sandbox::Sandbox*> SandboxedRunner::opened() {
  const Lock lock(mutex_);
  if (sandbox_ == nullptr) {
    ASSIGN(sandbox_, sandbox::Sandbox::open(options_));
  }
  return sandbox_.get();
}

Result<std::unique_ptr<tasks::ProgramRun>> SandboxedRunner::start(const tasks::ProgramOrder& order) {
  ASSIGN(const sandbox::Sandbox* const sandbox, opened());
  sandbox::SandboxSpec spec;
  spec.argv = {"sh", "-c", order.command};
  spec.environment = order.environment;
  spec.program = order.shipped;
  spec.limits.wall = order.wall;
  spec.limits.cpu = order.cpu;
  spec.limits.memory_bytes = order.memory_bytes;
  spec.limits.scratch_bytes = order.scratch_bytes;
  spec.limits.output_bytes = order.output_bytes;
  spec.limits.processes = order.processes;
  return SandboxedRun::start(*sandbox, spec);
}

}  // namespace cairn::programs

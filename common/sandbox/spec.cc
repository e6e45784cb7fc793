#include "common/sandbox/spec.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "common/base/config.h"
#include "common/base/errno_error.h"

namespace cairn::sandbox {
namespace {

using namespace std::string_view_literals;
constexpr Duration kMostTime = std::chrono::hours(24 * 7);
constexpr uint64_t kMiB = 1u << 20, kTiB = uint64_t{1} << 40;

Error refused(std::string what) { return {Errc::invalid, "the sandbox refuses: " + std::move(what)}; }

Status check_word(const std::string& word, const char* kind) {
  if (word.find('\0') != std::string::npos) return refused(fmt::format("a NUL byte in the {}", kind));
  if (word.size() > kMaxWordBytes - 1)
    return refused(fmt::format("a word of {} bytes in the {}; at most {}", word.size(), kind, kMaxWordBytes - 1));
  return {};
}

Status check_words(const SandboxSpec& spec) {
  if (spec.argv.empty() || spec.argv[0].empty()) return refused("no program is named");
  if (spec.argv.size() > kMaxWords || spec.environment.size() > kMaxWords)
    return refused(fmt::format("more than {} words of the command, or of the environment", kMaxWords));
  size_t bytes = 0;
  for (const std::string& word : spec.argv) {
    TRY(check_word(word, "command"));
    bytes += word.size() + 1;
  }
  for (const auto& [name, value] : spec.environment) {
    if (name.empty() || name.find('=') != std::string::npos)
      return refused(fmt::format("\"{}\" is no name of an environment variable", name));
    TRY(check_word(name, "environment"));
    TRY(check_word(value, "environment"));
    bytes += name.size() + value.size() + 2;
  }
  if (bytes > kMaxPlanBytes)
    return refused(fmt::format("command and environment of {} bytes; at most {}", bytes, kMaxPlanBytes));
  if (spec.program.size() > kMaxProgramBytes)
    return refused(fmt::format("a program of {} bytes; at most {}", spec.program.size(), kMaxProgramBytes));
  return {};
}

Status check_time(const char* name, Duration value) {
  if (value >= 1ms && value <= kMostTime) return {};
  return refused(fmt::format("{} of {} ns; from 1ms to {}", name, value.count(), format_duration(kMostTime)));
}
Status check_bytes(const char* name, uint64_t value, uint64_t least, uint64_t most) {
  if (value >= least && value <= most) return {};
  return refused(fmt::format("{} of {} bytes; from {} to {}", name, value, format_size(least), format_size(most)));
}
Status check_count(const char* name, uint32_t value, uint32_t least, uint32_t most) {
  if (value >= least && value <= most) return {};
  return refused(fmt::format("{} {}; from {} to {}", value, name, least, most));
}

void add(std::string& out, std::string_view text) { out.append(text).push_back('\0'); }

void add_environment(std::string& out, Plan& plan, const std::map<std::string, std::string>& given) {
  std::map<std::string, std::string> all = given;
  const std::string scratch = kScratchPath;
  all.try_emplace("PATH", "/usr/local/bin:/usr/bin:/bin");
  all.try_emplace("HOME", scratch);
  all.try_emplace("TMPDIR", scratch);
  all.try_emplace("LANG", "C.UTF-8");
  for (const auto& [name, value] : all) add(out, name + "=" + value);
  plan.variables = static_cast<uint32_t>(all.size());
}

std::string encode(const SandboxSpec& spec, const PlanParts& parts) {
  Plan plan;
  plan.layers = parts.layers;
  plan.bubblewrap = parts.bubblewrap ? 1 : 0;
  plan.probe = parts.probe ? 1 : 0;
  plan.wall_ns = spec.limits.wall.count();
  plan.cpu_ns = spec.limits.cpu.count();
  plan.memory_bytes = spec.limits.memory_bytes;
  plan.scratch_bytes = spec.limits.scratch_bytes;
  plan.processes = spec.limits.processes;
  plan.descriptors = spec.limits.descriptors;
  plan.words = static_cast<uint32_t>(spec.argv.size());
  plan.readonly_paths = static_cast<uint32_t>(parts.options.readonly_paths.size());
  std::string out(sizeof(Plan), '\0');
  for (const std::string& word : spec.argv) add(out, word);
  add_environment(out, plan, spec.environment);
  for (const std::string& path : parts.options.readonly_paths) add(out, path);
  add(out, parts.options.cgroup);
  add(out, parts.options.launcher);
  add(out, parts.options.bubblewrap);
  out.resize((out.size() + 15) / 16 * 16);  // sock_filter is aligned
  plan.filter_at = out.size();
  plan.filter_bytes = parts.filter.size();
  out += parts.filter;
  plan.program_at = out.size();
  plan.program_bytes = spec.program.size();
  out += spec.program;
  std::memcpy(out.data(), &plan, sizeof plan);
  return out;
}

}  // namespace

Status check_spec(const SandboxSpec& spec) {
  TRY(check_words(spec));
  TRY(check_time("wall time", spec.limits.wall));
  TRY(check_time("cpu time", spec.limits.cpu));
  TRY(check_bytes("memory", spec.limits.memory_bytes, 8 * kMiB, kTiB));
  TRY(check_bytes("output", spec.limits.output_bytes, 0, 1024 * kTiB));
  TRY(check_bytes("scratch", spec.limits.scratch_bytes, 64 << 10, kTiB));
  TRY(check_count("processes", spec.limits.processes, 1, 256));
  return check_count("descriptors", spec.limits.descriptors, 8, 65536);
}

Result<UniqueFd> write_plan(const SandboxSpec& spec, const PlanParts& parts) {
  const std::string plan = encode(spec, parts);
  UniqueFd file(::memfd_create("cairn-sandbox-plan", MFD_CLOEXEC));
  if (!file.valid()) return file_error("memfd_create", "plan", errno);
  for (size_t at = 0; at < plan.size();) {
    const ssize_t written = ::write(file.get(), plan.data() + at, plan.size() - at);
    if (written < 0) return file_error("write", "plan", errno);
    at += static_cast<size_t>(written);
  }
  return file;
}

}  // namespace cairn::sandbox

// What happened, in words.
#include <fmt/format.h>

#include <cstring>

#include "common/base/config.h"
#include "common/sandbox/sandbox.h"

namespace cairn::sandbox {
namespace {

std::string hit_text(const Outcome& outcome) {
  const Limits& limits = outcome.limits;
  switch (outcome.hit) {
    case Hit::none:
      return "";
    case Hit::wall:
      return fmt::format("it ran longer than its bound, {} of wall time", format_duration(limits.wall));
    case Hit::cpu:
      return fmt::format("it used more than its bound, {} of cpu time", format_duration(limits.cpu));
    case Hit::memory:
      return fmt::format("it used more than its bound, {} of memory", format_size(limits.memory_bytes));
    case Hit::output:
      return fmt::format("it wrote more than its bound, {} of output", format_size(limits.output_bytes));
    case Hit::scratch:
      return fmt::format("it wrote more than its bound, {} of scratch space", format_size(limits.scratch_bytes));
    case Hit::cancelled:
      return "it was cancelled";
  }
  return "";
}

}  // namespace

std::string Outcome::message() const {
  if (ok()) return "";
  std::string text;
  if (hit != Hit::none) {
    text = hit_text(*this);
  } else if (signal != 0) {
    text = fmt::format("ended by signal {} ({})", signal, ::strsignal(signal));
  } else {
    text = fmt::format("exit code {}", exit_code);
  }
  if (scratch_was_full) text += fmt::format("; its scratch space of {} was full", format_size(limits.scratch_bytes));
  if (had_all_processes) text += fmt::format("; it had as many processes as it may have, {}", limits.processes);
  return text;
}

std::string Abilities::text() const {
  const char* ways[] = {"none", "namespaces of our own", "namespaces of our own, without one for users (as root)",
                        "bubblewrap"};
  std::string out = fmt::format("sandbox: {}\n", ways[static_cast<size_t>(way)]);
  if (way == Way::none) return out + refusal + "\n";
  out += landlock_abi > 0 ? fmt::format("Landlock: ABI {}\n", landlock_abi)
                          : std::string("Landlock: this kernel has none; the mount namespace stands alone\n");
  out += proc ? "/proc: of the program's own processes\n" : "/proc: none\n";
  out += cgroup.empty() ? std::string("memory, processes: rlimits, and samples each 10 ms (no cgroup is given)\n")
                        : fmt::format("memory, processes: cgroup {}\n", cgroup);
  return out;
}

}  // namespace cairn::sandbox

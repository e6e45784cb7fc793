// Processes that outlive this command, and are never confused with a later process of the same number.
//
// A process is named by its pid, its start time and the machine's boot; signals go through a pidfd that was checked
// against these.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace cairn::tools {

struct ProcessId {
  pid_t pid = 0;             // 0: none
  uint64_t start_ticks = 0;  // since boot, field 22 of /proc/PID/stat
  std::string boot;          // /proc/sys/kernel/random/boot_id
};

Result<ProcessId> identify(pid_t pid);   // not_found if it is gone
bool running(const ProcessId& process);  // false for zombies and for another process of the same number

// Starts a program in a session of its own, with its output appended to log. Fails if it cannot be executed.
Result<ProcessId> start_detached(const std::vector<std::string>& words, const std::string& log);
// Runs a program to its end, with our own output; returns its exit code.
Result<int> run_and_wait(const std::vector<std::string>& words);

Status send_signal(const ProcessId& process, int number);            // ok if it is gone already
Status wait_until_gone(const ProcessId& process, Duration at_most);  // timed_out names the pid
// SIGTERM, and SIGKILL after the grace time. Says (true) if it had to be killed.
Result<bool> terminate(const ProcessId& process, Duration grace);

// The last lines of a log, for an error message.
std::string tail_of(const std::string& path, size_t lines);
// A program that lies beside this one; not_found says how to build it.
Result<std::string> sibling_program(const std::string& name);

}  // namespace cairn::tools

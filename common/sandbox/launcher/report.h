// What init tells the supervisor through a pipe: that something could not be set up, or how the program ended.
#pragma once

#include <cstdint>

namespace cairn::sandbox {

struct Report {
  int32_t error = 0;   // an errno: step failed
  int32_t status = 0;  // as of waitpid()
  uint32_t landlock_abi = 0;
  uint8_t proc = 0, scratch_was_full = 0, unused[2] = {};
  char step[112] = {};
};

// For whoever sets up; one write, so that a pipe keeps it whole.
[[noreturn]] void report_failure(int report_fd, const char* step, int error_number);
void send_report(int report_fd, const Report& report);

}  // namespace cairn::sandbox

// cairn cache warm: files and trees are read into a mount's block cache, by the mount itself.
//
// Several threads ask it for ranges; nothing is copied to this program or into the kernel's cache.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"

namespace cairn::tools {

struct WarmReport {
  uint64_t files = 0, bytes = 0;  // that are warm now
  uint64_t failures = 0;          // files that are not, or not wholly
  std::string first_failure;
  uint64_t milliseconds = 0;
};

// An error: a path that is not there or not under a mount. Progress goes to standard error unless quiet.
Result<WarmReport> warm(const std::vector<std::string>& paths, uint32_t threads, bool quiet);

}  // namespace cairn::tools

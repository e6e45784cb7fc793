// One sentence about a cluster, and what to do next. Pure: green only where it is true.
#pragma once

#include <string>

#include "common/meta/admin.h"

namespace cairn::tools {

enum class Condition : uint8_t {
  healthy,      // everything is fully redundant and new data can be written with full protection
  degraded,     // everything can be read; protection, or room for new data, is reduced
  unavailable,  // some data cannot be read now, or none can be written
};
const char* name_of(Condition condition);

struct Verdict {
  Condition condition = Condition::healthy;
  std::string what;    // "2 of 6 chunkservers do not answer (3, 5); everything can be read, 0 more losses are survived"
  std::string advice;  // empty when there is nothing to do
};
Verdict verdict_of(const ClusterStatus& status);

}  // namespace cairn::tools

// Logging to stderr through spdlog: "2026-11-20T18:00:00.123Z cairn-metaserver[42] info: text".
//
// main() calls set_up_logging once; every other part says spdlog::info(...) and the like. Secrets and file contents are
// never logged; what can happen for each request is logged at debug or counted in metrics.h.
#pragma once

#include <string>

#include "common/base/result.h"

namespace cairn {

// level: trace, debug, info, warn, error or off. Anything else is invalid, and names these.
Status set_up_logging(const std::string& program, const std::string& level);

}  // namespace cairn

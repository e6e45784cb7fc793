// Fetches results of tasks that were too large for the metaserver from the workers that keep them.
#pragma once

#include <string>

#include "common/base/clock.h"
#include "common/base/network.h"
#include "common/meta/jobs.h"

namespace cairn {

// All of the partial, checked against its length and checksum. timeout: of each piece. not_found: the worker does not
// have it any more; corrupt: other bytes; unavailable, timed_out: it cannot be reached now.
Result<std::string> fetch_partial(Network& network, Clock& clock, JobId job, const TaskResult& result,
                                  Duration timeout = std::chrono::seconds(10));

}  // namespace cairn

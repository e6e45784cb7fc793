// How much of a core the calling thread has used since its start, in user and kernel.
//
// A fiber of a simulation has no thread of its own and no real time: there it is 0, so that a run is the same each
// time.
#pragma once

#include "common/base/clock.h"

namespace cairn {

Duration thread_cpu_time();

}  // namespace cairn

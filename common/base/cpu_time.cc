#include "common/base/cpu_time.h"

#include <time.h>

#include "common/base/thread.h"

namespace cairn {

Duration thread_cpu_time() {
  if (current_scheduler != nullptr) return {};
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace cairn

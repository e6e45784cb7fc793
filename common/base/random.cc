#include "common/base/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace cairn {

uint64_t random_seed() {
  uint64_t seed = 0;
  for (;;) {
    // Eight bytes come whole or not at all; only a signal before the pool is ready interrupts.
    const ssize_t n = ::getrandom(&seed, sizeof seed, 0);
    if (n == sizeof seed) return seed;
    if (n < 0 && errno == EINTR) continue;
    std::perror("getrandom");
    std::abort();  // ids that could repeat would endanger data
  }
}

}  // namespace cairn

#include "chunkserver/worker/attempt.h"

#include <time.h>

#include "chunkserver/worker/merge_attempt.h"
#include "chunkserver/worker/task_attempt.h"

namespace cairn {
namespace {

uint64_t thread_cpu_ms() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<uint64_t>(used.tv_sec) * 1000 + static_cast<uint64_t>(used.tv_nsec) / 1'000'000;
}

}  // namespace

FinishTask Attempt::run() {
  FinishTask finish;
  finish.ref = ref();
  finish.server = parts_.own;
  const uint64_t cpu_before = thread_cpu_ms(), received_before = parts_.counted.received();
  const Status done = work(finish);
  finish.counters.cpu_ms = thread_cpu_ms() - cpu_before;
  finish.counters.bytes_network = parts_.counted.received() - received_before;
  if (!done.ok()) {
    const TaskCounters counters = finish.counters;
    finish = {};
    finish.ref = ref();
    finish.server = parts_.own;
    finish.counters = counters;
    finish.failure = done.error();
  }
  return finish;
}

std::unique_ptr<Attempt> make_attempt(AttemptParts parts, Assignment assignment) {
  if (assignment.ref.phase == JobPhase::merging) return std::make_unique<MergeAttempt>(parts, std::move(assignment));
  return std::make_unique<TaskAttempt>(parts, std::move(assignment));
}

}  // namespace cairn

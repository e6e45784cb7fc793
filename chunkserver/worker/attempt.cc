#include "chunkserver/worker/attempt.h"

#include "chunkserver/worker/merge_attempt.h"
#include "chunkserver/worker/task_attempt.h"
#include "common/base/cpu_time.h"

namespace cairn {

FinishTask Attempt::run() {
  FinishTask finish;
  finish.ref = ref();
  finish.server = parts_.own;
  const Duration cpu_before = thread_cpu_time();
  const uint64_t received_before = parts_.counted.received();
  const Status done = work(finish);
  finish.counters.cpu_ms = static_cast<uint64_t>((thread_cpu_time() - cpu_before) / 1ms);
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

// What all attempts have in common: their parts, their counters, and that they can be cancelled.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "chunkserver/worker/counting_network.h"
#include "chunkserver/worker/job_cache.h"
#include "chunkserver/worker/spool.h"
#include "common/base/disk.h"
#include "common/stripe/shard_calls.h"

namespace cairn {

// What a slot of a worker has for its attempts, one at a time. All of it outlives them.
struct AttemptParts {
  Network& network;  // not counted: for a client of its own
  const Address& metaserver;
  MetaClient& meta;
  JobCache& jobs;
  Clock& clock;
  Disk& disk;
  const std::string& data_directory;
  ServerId own{};           // the server whose shards lie there
  ShardTransport& servers;  // all of them, over `counted`
  CountingNetwork& counted;
  Spool& spool;
  uint32_t inline_partial = kMaxInlinePartial;  // bytes of a result that is told; a larger one is spooled
  uint64_t seed = 0;                            // of the nonces of its sessions; 0: from the kernel
};

// run() is called once, by one thread; the rest by any.
class Attempt {
 public:
  virtual ~Attempt() = default;

  // How it ended, for the metaserver. Errc::interrupted as failure: it was cancelled, and nobody wants to know.
  FinishTask run();
  // Tells the metaserver. Repeated by the caller while it cannot be known whether it arrived.
  virtual Result<TaskVerdict> report(const FinishTask& finish) { return parts_.meta.finish_task(finish); }
  virtual void cancel() { cancelled_ = true; }
  uint64_t bytes_done() const { return bytes_done_; }
  const TaskRef& ref() const { return assignment_.ref; }

 protected:
  Attempt(AttemptParts parts, Assignment assignment) : parts_(parts), assignment_(std::move(assignment)) {}
  // Fills in the results; counters of local and decoded bytes too.
  virtual Status work(FinishTask& finish) = 0;
  Status check_cancelled() const {
    return cancelled_ ? Status{Errc::interrupted, "the attempt was cancelled"} : Status{};
  }

  const AttemptParts parts_;
  const Assignment assignment_;
  std::atomic<uint64_t> bytes_done_ = 0;

 private:
  std::atomic<bool> cancelled_ = false;
};

// A TaskAttempt or a MergeAttempt, as the assignment has it.
std::unique_ptr<Attempt> make_attempt(AttemptParts parts, Assignment assignment);

}  // namespace cairn

// The submitter's side of a job: a session to submit it in, and calls that see it to its end.
//
// The session is no mount's. It is renewed by whoever waits (keep_alive) and replaced when it was lost: a job does not
// depend on it. One thread.
#pragma once

#include <memory>
#include <vector>

#include "common/base/clock.h"
#include "common/meta/jobs.h"
#include "common/rpc/meta_client.h"

namespace cairn {

class JobClient {
 public:
  // Opens the session. The clock outlives this. seed: of its sessions' nonces; 0: from the kernel.
  static Result<JobClient> connect(std::unique_ptr<MetaClient> meta, Clock& clock, uint64_t seed = 0);
  JobClient(JobClient&&) = default;
  ~JobClient();  // ends the session

  MetaClient& meta() { return *meta_; }
  // With all of its inputs. If they cannot be told the job is cancelled.
  Result<JobId> submit(SubmitJob job, const std::vector<JobInput>& inputs);
  Status cancel(JobId job);
  // Renews the session if it is time; for loops.
  Status keep_alive();
  // The same, and how the job is. Goes on with another session if that one is lost.
  Result<JobStatus> look(JobId job);

 private:
  JobClient(std::unique_ptr<MetaClient> meta, Clock& clock, uint64_t seed)
      : meta_(std::move(meta)), clock_(clock), seed_(seed) {}
  Status open();

  std::unique_ptr<MetaClient> meta_;
  Clock& clock_;
  uint64_t seed_;
  uint64_t opened_ = 0;  // sessions asked for
  Instant renew_at_;
};

}  // namespace cairn

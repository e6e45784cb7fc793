// The command line's side of a job: a session to submit it in, and calls that see it to its end.
//
// The session is no mount's. It is renewed by whoever waits (keep_alive) and replaced when it was lost: a job does not
// depend on it. One thread.
#pragma once

#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/meta/jobs.h"
#include "common/rpc/meta_client.h"

namespace cairn::tools {

class JobClient {
 public:
  static Result<JobClient> connect(const Address& metaserver);
  JobClient(JobClient&&) = default;
  ~JobClient();  // ends the session

  MetaClient& meta() { return *meta_; }
  // With all of its inputs. If they cannot be told the job is cancelled.
  Result<JobId> submit(SubmitJob job, const std::vector<JobInput>& inputs);
  Status cancel(JobId job);
  // Renews the session if it is time; for loops.
  Status keep_alive();

 private:
  explicit JobClient(std::unique_ptr<MetaClient> meta) : meta_(std::move(meta)) {}
  Status open();

  std::unique_ptr<MetaClient> meta_;
  Instant renew_at_;
};

// "7", as printed by run --detach and list. invalid: something else.
Result<JobId> parse_job(const std::string& text);

}  // namespace cairn::tools

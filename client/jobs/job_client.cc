#include "client/jobs/job_client.h"

#include <unistd.h>

#include <algorithm>

#include "client/filesystem.h"
#include "common/base/random.h"

namespace cairn {

Result<JobClient> JobClient::connect(std::unique_ptr<MetaClient> meta, Clock& clock, uint64_t seed) {
  JobClient client(std::move(meta), clock, seed);
  TRY(client.open());
  return client;
}

JobClient::~JobClient() {
  if (meta_ != nullptr) (void)meta_->close_session();  // it would end by itself
}

Status JobClient::open() {
  SessionRequest request;
  request.name = "cairn task";
  request.host = Filesystem::host();
  request.pid = ::getpid();
  request.nonce = seed_ == 0 ? random_seed() : mix64(seed_ + ++opened_);
  ASSIGN(const SessionGrant grant, meta_->open_session(request));
  renew_at_ = clock_.now() + grant.ttl / 4;
  return {};
}

Status JobClient::keep_alive() {
  if (clock_.now() < renew_at_) return {};
  const auto renewed = meta_->renew_session();
  if (renewed.ok()) {
    renew_at_ = clock_.now() + renewed->ttl / 4;
    return {};
  }
  if (renewed.code() == Errc::no_session) return open();
  renew_at_ = clock_.now() + 1s;
  return {};  // the metaserver restarts; what is asked of it next says so
}

Result<JobStatus> JobClient::look(JobId job) {
  TRY(keep_alive());
  Result<JobStatus> status = meta_->job_status(job);
  if (status.ok() || status.code() != Errc::no_session) return status;
  TRY(open());
  return meta_->job_status(job);
}

Result<JobId> JobClient::submit(SubmitJob job, const std::vector<JobInput>& inputs) {
  job.inputs = static_cast<uint32_t>(inputs.size());
  ASSIGN(const JobId id, meta_->submit_job(job));
  for (uint32_t first = 0; first < inputs.size();) {
    const auto upper = std::min<size_t>(inputs.size(), first + kMaxInputsPage);
    const auto begin = inputs.begin() + static_cast<ptrdiff_t>(first);
    const Status told = meta_->add_job_inputs({id, first, {begin, inputs.begin() + static_cast<ptrdiff_t>(upper)}});
    if (!told.ok()) {
      (void)meta_->cancel_job(id);
      return told.error();
    }
    first = static_cast<uint32_t>(upper);
  }
  return id;
}

Status JobClient::cancel(JobId job) {
  const Status cancelled = meta_->cancel_job(job);
  if (cancelled.ok() || cancelled.code() != Errc::no_session) return cancelled;
  TRY(open());
  return meta_->cancel_job(job);
}

}  // namespace cairn

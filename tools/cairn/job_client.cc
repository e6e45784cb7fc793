#include "tools/cairn/job_client.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "client/filesystem.h"
#include "common/base/random.h"
#include "tools/cairn/locate.h"

namespace cairn::tools {

Result<JobClient> JobClient::connect(const Address& metaserver) {
  ASSIGN(std::unique_ptr<MetaClient> meta, connect_metaserver(metaserver));
  JobClient client(std::move(meta));
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
  request.nonce = random_seed();
  ASSIGN(const SessionGrant grant, meta_->open_session(request));
  renew_at_ = real_clock().now() + grant.ttl / 4;
  return {};
}

Status JobClient::keep_alive() {
  if (real_clock().now() < renew_at_) return {};
  const auto renewed = meta_->renew_session();
  if (renewed.ok()) {
    renew_at_ = real_clock().now() + renewed->ttl / 4;
    return {};
  }
  if (renewed.code() == Errc::no_session) return open();
  renew_at_ = real_clock().now() + 1s;
  return {};  // the metaserver restarts; what is asked of it next says so
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

Result<JobId> parse_job(const std::string& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number > 0) return JobId{number};
  return {Errc::invalid, fmt::format("\"{}\" is no job; see them by: cairn task list", text)};
}

}  // namespace cairn::tools

#include "tests/chunkserver/worker/fake_jobs.h"

#include <algorithm>

#include "Metaserver.h"
#include "common/rpc/wire.h"

namespace cairn::test {
namespace {

constexpr Duration kDeadline = 20s;

}  // namespace

class FakeJobs::Handler : public thrift::MetaserverNull {
 public:
  explicit Handler(FakeJobs& jobs) : jobs_(jobs) {}

  void open_session(thrift::OpenSessionReply& reply, const thrift::OpenSessionRequest&) override {
    Lock lock(jobs_.mutex_);
    jobs_.changed_.notify_all();
    const auto session = static_cast<uint64_t>(++jobs_.sessions_);
    answer(reply, Result<SessionGrant>({SessionId{session}, 20s, Incarnation{7}, false, 1}));
  }
  void close_session(thrift::EmptyReply& reply, const thrift::CloseSessionRequest&) override {
    ++jobs_.closed_sessions;
    answer(reply, Status());
  }
  void renew_session(thrift::RenewReply& reply, const thrift::RenewRequest& request) override {
    if (ended(request.session)) return answer(reply, Error{Errc::no_session, "ended"});
    answer(reply, Result<RenewedSession>({20s, Epoch{3}, 1}));
  }
  void get_job(thrift::JobDescriptionReply& reply, const thrift::JobDescriptionRequest& request) override {
    ++jobs_.descriptions;
    JobDescription page = jobs_.about;
    const auto first = static_cast<ptrdiff_t>(request.first);
    page.files.assign(jobs_.about.files.begin() + first,
                      std::min(jobs_.about.files.end(), jobs_.about.files.begin() + first + 1));  // one a page
    page.complete = static_cast<size_t>(first) + 1 >= jobs_.about.files.size();
    answer(reply, Result<JobDescription>(std::move(page)));
  }
  void job_layout(thrift::JobLayoutReply& reply, const thrift::JobLayoutRequest& request) override {
    const auto call = from_wire(request);
    if (!call.ok()) return answer(reply, call.error());
    const JobLayout& whole = jobs_.layouts.at(call->file);
    JobLayout page = whole;
    page.extents.clear();
    page.covered_until = call->end;
    for (const Extent& extent : whole.extents) {
      if (extent.end() <= call->begin || extent.offset >= call->end) continue;
      if (page.extents.size() == jobs_.extents_of_a_page) {
        page.covered_until = extent.offset;
        break;
      }
      page.extents.push_back(extent);
    }
    answer(reply, Result<JobLayout>(std::move(page)));
  }
  void poll_tasks(thrift::TaskPollReply& reply, const thrift::TaskPollRequest& request) override {
    const auto poll = from_wire(request);
    if (!poll.ok()) return answer(reply, poll.error());
    if (ended(request.session)) return answer(reply, Error{Errc::no_session, "ended"});
    Lock lock(jobs_.mutex_);
    jobs_.polls_.push_back(*poll);
    jobs_.changed_.notify_all();
    jobs_.changed_.wait_until(lock, real_clock().now() + std::min<Duration>(poll->wait, 50ms),
                              [&] { return jobs_.stopping_ || !jobs_.orders_.empty(); });
    TaskOrders orders;
    if (!jobs_.orders_.empty()) {
      orders = std::move(jobs_.orders_.front());
      jobs_.orders_.pop_front();
    }
    answer(reply, Result<TaskOrders>(std::move(orders)));
  }
  void finish_task(thrift::TaskVerdictReply& reply, const thrift::FinishTaskRequest& request) override {
    const auto finish = from_wire(request);
    if (!finish.ok()) return answer(reply, finish.error());
    if (ended(request.mutation.session)) return answer(reply, Error{Errc::no_session, "ended"});
    Lock lock(jobs_.mutex_);
    jobs_.finished_.push_back(*finish);
    jobs_.changed_.notify_all();
    if (jobs_.refusals_ > 0) {
      --jobs_.refusals_;
      return answer(reply, Error{Errc::unavailable, "lost"});
    }
    answer(reply, Result<TaskVerdict>(TaskVerdict::accepted));
  }
  void job_results(thrift::JobResultsReply& reply, const thrift::JobResultsRequest& request) override {
    const auto first = std::min(static_cast<size_t>(request.first), jobs_.results.size());
    const size_t end = std::min(first + static_cast<size_t>(request.limit), jobs_.results.size());
    JobResults page;
    page.results.assign(jobs_.results.begin() + static_cast<ptrdiff_t>(first),
                        jobs_.results.begin() + static_cast<ptrdiff_t>(end));
    page.next = static_cast<uint32_t>(end);
    page.complete = end == jobs_.results.size();
    answer(reply, Result<JobResults>(std::move(page)));
  }
  void lost_result(thrift::EmptyReply& reply, const thrift::LostResultRequest& request) override {
    const auto lost = from_wire(request);
    if (!lost.ok()) return answer(reply, lost.error());
    Lock lock(jobs_.mutex_);
    jobs_.lost_.push_back(*lost);
    answer(reply, Status());
  }

 private:
  bool ended(int64_t session) {
    Lock lock(jobs_.mutex_);
    return session < jobs_.oldest_session_;
  }
  FakeJobs& jobs_;
};

FakeJobs::FakeJobs() {
  server_ = std::make_unique<RpcServer>(real_network(), real_clock(), [this](CallTails&) {
    return std::make_shared<thrift::MetaserverProcessor>(std::make_shared<Handler>(*this));
  });
}
FakeJobs::~FakeJobs() { stop(); }
std::vector<LostResult> FakeJobs::lost() {
  Lock lock(mutex_);
  return lost_;
}
Status FakeJobs::start(uint16_t port) { return server_->start({"127.0.0.1", port}); }
void FakeJobs::stop() {
  {
    Lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  server_->stop();
}

void FakeJobs::order(TaskOrders orders) {
  Lock lock(mutex_);
  orders_.push_back(std::move(orders));
  changed_.notify_all();
}
void FakeJobs::end_sessions() {
  Lock lock(mutex_);
  oldest_session_ = sessions_ + 1;
}
void FakeJobs::refuse_next_finish(int count) {
  Lock lock(mutex_);
  refusals_ = count;
}

template <typename Item>
std::optional<Item> FakeJobs::take(std::deque<Item>& items) {
  Lock lock(mutex_);
  changed_.wait_until(lock, real_clock().now() + kDeadline, [&] { return !items.empty(); });
  if (items.empty()) return std::nullopt;
  Item first = std::move(items.front());
  items.pop_front();
  return first;
}
std::optional<FinishTask> FakeJobs::next_finish() { return take(finished_); }
std::optional<TaskPoll> FakeJobs::next_poll() {
  {
    Lock lock(mutex_);
    polls_.clear();
  }
  return take(polls_);
}
bool FakeJobs::wait_for_sessions(int count) {
  Lock lock(mutex_);
  return changed_.wait_until(lock, real_clock().now() + kDeadline, [&] { return sessions_ >= count; });
}

}  // namespace cairn::test

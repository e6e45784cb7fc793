// A metaserver that has one job, whose orders a test gives, and that notes what a worker says.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/network.h"
#include "common/base/thread.h"
#include "common/meta/jobs.h"
#include "common/rpc/rpc_server.h"

namespace cairn::test {

class FakeJobs {
 public:
  FakeJobs();
  ~FakeJobs();
  Status start(uint16_t port = 0);
  void stop();
  Address address() const { return server_->address(); }

  // What there is. Set before the worker asks.
  JobDescription about;
  std::vector<JobLayout> layouts;  // of each file, whole
  size_t extents_of_a_page = 1000;
  std::vector<TaskResult> results;  // by task

  void order(TaskOrders orders);       // with the next poll
  void end_sessions();                 // every call of an older session says so
  void refuse_next_finish(int count);  // with unavailable: whether it was taken cannot be known
  // What came. These wait for it, and return an empty answer after a deadline that only a broken test meets.
  std::optional<FinishTask> next_finish();
  std::optional<TaskPoll> next_poll();  // the first that came after the last one that was returned
  bool wait_for_sessions(int count);    // opened so far
  std::vector<LostResult> lost();       // so far
  std::atomic<int> descriptions = 0, closed_sessions = 0;

 private:
  class Handler;
  template <typename Item>
  std::optional<Item> take(std::deque<Item>& items);

  std::unique_ptr<RpcServer> server_;
  Mutex mutex_;  // guards what follows
  CondVar changed_;
  std::deque<TaskOrders> orders_;
  std::deque<FinishTask> finished_;
  std::deque<TaskPoll> polls_;
  std::vector<LostResult> lost_;
  int sessions_ = 0, refusals_ = 0;
  int64_t oldest_session_ = 1;
  bool stopping_ = false;
};

}  // namespace cairn::test

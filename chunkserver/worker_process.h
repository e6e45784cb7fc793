// The worker beside a data directory (chunkserver/worker): a process of its own, which cairn-chunkserver starts,
// watches and ends.
//
//   ready() --> started --> runs --ends by itself--> pause 1 s, doubled up to 1 min --> started again
//                            |  after a minute of running the next pause is 1 s again
//                            '--stop()--> SIGTERM, SIGKILL after the grace time
//
// A process of its own, because an operator may take much memory and time, or crash: bytes are served meanwhile as if
// nothing were. RestartPlan is the pure core; WorkerProcess drives it on a thread, which also keeps the worker alive:
// the kernel ends it when the thread that started it is gone (PR_SET_PDEATHSIG in the worker's main).
// start() and stop() are called by one thread; pid() by any.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/thread.h"
#include "common/base/unique_fd.h"

namespace cairn {

class RestartPlan {
 public:
  static constexpr Duration kFirstPause = 1s, kLongestPause = 60s, kWellAfter = 60s;

  // How long to wait before it is started again, having run for so long.
  Duration on_end(Duration ran);

 private:
  Duration pause_ = kFirstPause;
};

class WorkerProcess {
 public:
  struct Options {
    std::vector<std::string> words;               // the program, by its path, and its arguments
    std::function<bool(Instant deadline)> ready;  // waits until it may be started, or the deadline: asked again then
    Duration grace = 10s;                         // between SIGTERM and SIGKILL
  };
  WorkerProcess(Clock& clock, Options options) : clock_(clock), options_(std::move(options)) {}
  ~WorkerProcess() { stop(); }

  Status start();  // fails only for want of descriptors; a worker that cannot be run is tried again and logged
  void stop();     // returns when the process is gone
  pid_t pid() const { return pid_; }  // 0: it does not run

 private:
  void run();
  bool stopping() const { return stopping_; }
  Result<UniqueFd> spawn();  // a pidfd
  // Until the process has ended or stop() was called.
  void watch(const UniqueFd& process);
  void reap(const UniqueFd& process, Duration ran);
  void pause(Duration duration);

  Clock& clock_;
  const Options options_;
  RestartPlan plan_;  // of the thread
  std::atomic<pid_t> pid_ = 0;
  std::atomic<bool> stopping_ = false;
  UniqueFd stop_;  // eventfd: becomes readable for good
  Thread thread_;
};

}  // namespace cairn

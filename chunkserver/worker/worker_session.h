// The session in whose name a worker calls the metaserver: kept alive, and replaced when it is lost.
//
// It is not a mount's: it keeps nothing that others would have to wait for, and the only mount of a cluster stays the
// only one. One thread renews it. Any thread.
#pragma once

#include <string>

#include "client/sessions/session_core.h"
#include "common/base/thread.h"
#include "common/rpc/meta_client.h"

namespace cairn {

class WorkerSession {
 public:
  // seed: of the sessions' nonces; 0: from the kernel.
  WorkerSession(MetaClient& meta, Clock& clock, std::string name, uint64_t seed = 0)
      : meta_(meta), clock_(clock), name_(std::move(name)), seed_(seed), core_(0s, clock.now()) {}
  ~WorkerSession() { stop(); }

  void start();  // opens a session as soon as the metaserver answers
  // A call of this session said no_session: another one is opened. Returns at once.
  void lost(SessionId session);
  bool wait_until_open(Instant deadline);
  void stop();  // ends the thread, not the session

 private:
  void run();
  void open();
  void renew();

  MetaClient& meta_;
  Clock& clock_;
  const std::string name_;
  const uint64_t seed_;
  uint64_t opened_ = 0;  // of the thread: sessions asked for
  Mutex mutex_;          // guards what follows
  CondVar changed_;
  SessionCore core_;
  bool open_ = false;
  bool stopping_ = false;
  Thread thread_;
};

}  // namespace cairn

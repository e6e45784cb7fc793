// One mount of a Filesystem: made, served until it is unmounted, and taken down.
//
//   mount()  the kernel knows the mount point; nothing is answered yet
//   run()    workers answer; on_ready is called once a stat of the mount point has succeeded. Returns when somebody has
//   unmounted it,
//            or after stop(), SIGTERM, SIGINT or SIGHUP: then the mount point is taken away first, while requests are
//            still answered, so that the kernel can write back the dirty pages of mappings.
// Afterwards the owner closes the Filesystem, which flushes what is buffered.
//
// The three signals must be blocked in every thread of the process (block_stop_signals() before the first thread is
// made). A worker that waits for a server that does not answer is taken for as long; others are started up to
// `workers`, and four stay when idle. More than that many programs stuck on dead servers make the others wait.
#pragma once

#include <fuse_lowlevel.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client/fuse/fuse_ops.h"

namespace cairn {

struct MountOptions {
  std::string mountpoint;    // absolute
  std::string source;        // shown in the mount table: HOST:PORT
  bool allow_other = false;  // other users than the one who mounts; as root the default of the command line
  uint32_t workers = 64;
  uint32_t read_ahead_kib = 4096;   // of the kernel, for sequential readers
  std::vector<std::string> kernel;  // further options of mount(8): ro, noexec, dev, ...
};

void block_stop_signals();

class MountSession {
 public:
  static Result<std::unique_ptr<MountSession>> mount(Filesystem& filesystem, MountOptions options);
  ~MountSession();
  MountSession(const MountSession&) = delete;
  MountSession& operator=(const MountSession&) = delete;

  // Once. on_ready is called from a thread of the session, with what went wrong if the mount does not answer (run()
  // then ends).
  Status run(const std::function<void(const Status&)>& on_ready);
  void stop();  // from any thread: run() comes to its end

 private:
  MountSession(Filesystem& filesystem, MountOptions options);
  Status check_and_tune();
  void watch(const std::function<void(const Status&)>& on_ready);
  void take_down();

  MountOptions options_;
  Filesystem& filesystem_;
  KernelCache cache_;
  MovedDirectories directories_;
  SecondTries second_tries_;
  FuseFront front_;
  fuse_session* session_ = nullptr;
  std::atomic<bool> stop_asked_{false};
  std::atomic<bool> loop_ended_{false};
  pthread_t loop_thread_{};
};

}  // namespace cairn

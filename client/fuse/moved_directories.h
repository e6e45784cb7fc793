// Where this kernel last learnt each directory to be, so that one that another mount has moved is looked for again.
//
// Linux keeps one name for a directory. A lookup that finds it under another name moves it there, with what hangs below
// it, mounts and working directories too; but inside of a rename between two directories it cannot (d_splice_alias),
// and the rename fails with ESTALE, the second time as well. So when an answer names a directory where the kernel has
// not known it, this process stats that path itself, outside of any rename. The kernel repeats what met ESTALE once,
// and looks up the directories on the way first: these lookups wait for the stat, for 20 ms at most.
//
// Any thread. Memory: one entry for each directory that the kernel knows.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "common/base/types.h"
#include "common/meta/attributes.h"
#include "common/meta/requests.h"

namespace cairn {

class MovedDirectories {
 public:
  explicit MovedDirectories(std::string mountpoint);
  ~MovedDirectories();  // after stop()

  // The kernel is about to be told this entry, or has renamed by itself.
  void told(const Entry& entry);
  void renamed(const Rename& done);
  void forgotten(InodeId inode);
  // A lookup of this thread of a program begins.
  void wait_until_seen(pid_t thread);

  void begin_stop();
  // The thread may be in a stat: end the connection to the kernel first, which ends that.
  void stop();

 private:
  class Places;
  void run();
  void look(const std::string& path);

  const std::string mountpoint_;
  std::atomic<size_t> unseen_{0};  // queued, or being looked at
  std::atomic<pid_t> self_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<Places> places_;  // guarded by mutex_, as the rest
  std::deque<std::string> queue_;   // paths; at most kMaxQueued
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cairn

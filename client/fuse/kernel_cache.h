// What this mount's kernel may keep, and for how long: names, attributes and pages.
//
//   sole mount   names and attributes are good for Filesystem::cache_ttl(), at most 1 s; pages stay from one open to
//                the next
//   shared       timeouts 0, and descriptors without pages: the client's own caches answer, under leases. Pages of
//                mappings there are, under leases too (Filesystem::fill_pages)
//
// When another mount joins (become_shared), what was granted by time is waited out: nothing has to be remembered for
// each name, absent names are covered too, and no directory is torn from under a shell that stands in it. Meanwhile the
// other mount waits, at most as long as a timeout is. Why not more with several mounts: decision 7.
//
// Notifications of the kernel may block until a READ of the same pages is answered: never send one from inside a
// request. forget_later() leaves it to a thread of its own. All calls from any thread. mutex_ guards the tables and is
// not held while the kernel is notified.
#pragma once

#include <fuse_lowlevel.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unordered_set>
#include <vector>

#include "client/filesystem.h"
#include "common/base/clock.h"

namespace cairn {

class KernelCache : public CacheListener {
 public:
  KernelCache(Filesystem& filesystem, Clock& clock);
  ~KernelCache() override;  // after stop()

  // From when the kernel can be notified. session must outlive stop().
  void start(fuse_session* session);
  void stop();

  // The right to answer with a timeout. Held until the answer is with the kernel, so that become_shared() knows of it.
  class Grant {
   public:
    explicit Grant(KernelCache& cache);
    double timeout() const { return timeout_; }  // seconds

   private:
    std::shared_lock<std::shared_mutex> gate_;
    double timeout_;
  };

  // An open or create that succeeds.
  struct Open {
    bool direct = false;  // reads and writes of the descriptor come to the client each time
    bool keep = false;    // the kernel's pages of this inode are current and may stay
  };
  Open opened(InodeId inode);
  void forgotten(InodeId inode);  // the kernel evicted it, with its pages

  // The kernel believes something of this inode that is no longer so (an append that landed elsewhere): mended soon.
  void forget_later(InodeId inode);

  // The kernel asks for security.capability before every write(2). Remembers inodes without one while this mount is
  // sole.
  bool known_without_capability(InodeId inode);
  void remember_without_capability(InodeId inode);
  void capability_changed(InodeId inode);

  void drop_pages(InodeId inode, uint64_t from, uint64_t to) override;
  void become_shared() override;

 private:
  void notify(InodeId inode, uint64_t from, uint64_t to);
  void run();

  Filesystem& filesystem_;
  Clock& clock_;
  std::shared_mutex gate_;                 // shared: an answer with a timeout is under way
  std::atomic<int64_t> granted_until_{0};  // monotonic ns; when the last granted timeout ends

  std::mutex mutex_;
  std::condition_variable changed_;
  fuse_session* session_ = nullptr;
  bool stopping_ = false;
  std::unordered_set<uint64_t> current_;             // opened since this mount is sole: pages are this period's
  std::unordered_set<uint64_t> without_capability_;  // bounded by kMaxRemembered
  std::vector<InodeId> queue_;                       // for forget_later
  std::thread thread_;
};

}  // namespace cairn

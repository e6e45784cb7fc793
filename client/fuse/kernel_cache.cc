#include "client/fuse/kernel_cache.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace cairn {
namespace {

constexpr size_t kMaxRemembered = 1u << 16;
// How long names and attributes are granted, at most: what another mount waits for when it joins. A name that is still
// used is looked up again this often, which the client's own cache answers.
constexpr Duration kMaxTimeout = 1s;
// Between computing a timeout and the kernel's start of counting it.
constexpr Duration kAnswerSlack = 200ms;

}  // namespace

KernelCache::KernelCache(Filesystem& filesystem, Clock& clock) : filesystem_(filesystem), clock_(clock) {}

KernelCache::~KernelCache() { stop(); }

void KernelCache::start(fuse_session* session) {
  {
    const std::lock_guard lock(mutex_);
    session_ = session;
    stopping_ = false;
  }
  thread_ = std::thread([this] { run(); });
}

void KernelCache::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    session_ = nullptr;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

KernelCache::Grant::Grant(KernelCache& cache) : gate_(cache.gate_) {
  const Duration ttl = std::min(cache.filesystem_.cache_ttl(), kMaxTimeout);
  timeout_ = std::chrono::duration<double>(ttl).count();
  if (ttl <= Duration::zero()) return;
  const int64_t until = (cache.clock_.now() + ttl).ns;
  int64_t known = cache.granted_until_.load(std::memory_order_relaxed);
  while (known < until && !cache.granted_until_.compare_exchange_weak(known, until)) {
  }
}

KernelCache::Open KernelCache::opened(InodeId inode) {
  // sole() is asked inside the mutex: become_shared() comes after it has turned false, and then clears the table.
  const std::lock_guard lock(mutex_);
  if (!filesystem_.sole()) return {.direct = true, .keep = false};
  return {.direct = false, .keep = !current_.insert(raw(inode)).second};
}

void KernelCache::forgotten(InodeId inode) {
  const std::lock_guard lock(mutex_);
  current_.erase(raw(inode));
  without_capability_.erase(raw(inode));
}

void KernelCache::forget_later(InodeId inode) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(inode);
  }
  changed_.notify_all();
}

bool KernelCache::known_without_capability(InodeId inode) {
  const std::lock_guard lock(mutex_);
  return filesystem_.sole() && without_capability_.contains(raw(inode));
}

void KernelCache::remember_without_capability(InodeId inode) {
  const std::lock_guard lock(mutex_);
  if (!filesystem_.sole()) return;
  if (without_capability_.size() >= kMaxRemembered) without_capability_.clear();
  without_capability_.insert(raw(inode));
}

void KernelCache::capability_changed(InodeId inode) {
  const std::lock_guard lock(mutex_);
  without_capability_.erase(raw(inode));
}

void KernelCache::drop_pages(InodeId inode, uint64_t from, uint64_t to) { notify(inode, from, to); }

void KernelCache::become_shared() {
  {
    const std::lock_guard lock(mutex_);
    current_.clear();
    without_capability_.clear();
  }
  { const std::unique_lock wait_for_answers(gate_); }  // from here on every answer has timeout 0
  const Duration left = Instant{granted_until_.load()} + kAnswerSlack - clock_.now();
  if (left <= Duration::zero()) return;
  spdlog::info("another mount has joined: waiting {} ms until the kernel's names and attributes have expired",
               std::chrono::duration_cast<std::chrono::milliseconds>(left).count());
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, left, [this] { return stopping_; });
}

void KernelCache::notify(InodeId inode, uint64_t from, uint64_t to) {
  fuse_session* session = nullptr;
  {
    const std::lock_guard lock(mutex_);
    session = session_;
  }
  if (session == nullptr) return;
  // A length of 0 reaches to the end. Attributes go in any case.
  const off_t length = to >= static_cast<uint64_t>(INT64_MAX) ? 0 : static_cast<off_t>(to - from);
  const int result = fuse_lowlevel_notify_inval_inode(session, raw(inode), static_cast<off_t>(from), length);
  // ENOENT: the kernel does not know the inode. ENOTCONN, ENODEV, EBADF: the mount is going away, with all its caches.
  if (result != 0 && result != -ENOENT && result != -ENOTCONN && result != -ENODEV && result != -EBADF) {
    spdlog::error("the kernel refused to drop its pages of inode {}: {}", raw(inode), std::strerror(-result));
  }
}

void KernelCache::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    std::vector<InodeId> inodes;
    inodes.swap(queue_);
    lock.unlock();
    for (const InodeId inode : inodes) notify(inode, 0, INT64_MAX);
    lock.lock();
  }
}

}  // namespace cairn

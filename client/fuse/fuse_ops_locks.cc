// fcntl and flock: what the kernel asks, and how who waits is answered later, or gives up at a signal.
#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <cstdint>

#include "client/fuse/fuse_ops.h"
#include "client/fuse/fuse_reply.h"
#include "client/sessions/lock_keeper.h"

namespace cairn::fuse_ops {
namespace {

LockMode mode_of(int type) {
  switch (type) {
    case F_RDLCK:
      return LockMode::shared;
    case F_WRLCK:
      return LockMode::exclusive;
    default:
      return LockMode::none;
  }
}

// libfuse has made length 0 of "up to the end".
LockRange range_of(const struct flock& lock) {
  const auto first = static_cast<uint64_t>(lock.l_start);
  return {first, lock.l_len == 0 ? kLockEnd : first + static_cast<uint64_t>(lock.l_len) - 1};
}

void reply_lock(fuse_req_t request, const LockResult& result) {
  if (!result.ok()) return reply_error(request, result.error());
  switch (*result) {
    case LockOutcome::granted:
      fuse_reply_err(request, 0);
      return;
    case LockOutcome::deadlock:
      fuse_reply_err(request, EDEADLK);
      return;
    case LockOutcome::no_room:
      fuse_reply_err(request, ENOLCK);
      return;
    case LockOutcome::conflict:
    case LockOutcome::queued:
    case LockOutcome::reclaim_first:
      fuse_reply_err(request, EAGAIN);
      return;
  }
}

// Called by libfuse with the request's own mutex held, so it may not answer; and perhaps after the answer, so it gets
// the name and not the wait itself.
void on_interrupt(fuse_req_t request, void* name) {
  front_of(request).filesystem.locks().interrupt(reinterpret_cast<uintptr_t>(name));
}

// The request may be answered, and be gone, at any moment after lock() was called.
void set(fuse_req_t request, const LockKeeper::Request& wanted) {
  LockKeeper& locks = front_of(request).filesystem.locks();
  const uint64_t name = locks.begin([request](const LockResult& result) { reply_lock(request, result); });
  if (wanted.mode != LockMode::none) fuse_req_interrupt_func(request, on_interrupt, reinterpret_cast<void*>(name));
  locks.lock(name, wanted);
}

}  // namespace

void getlk(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file, struct flock* lock) {
  const LockKeeper::Request wanted{.inode = InodeId{inode},
                                   .owner = {LockKind::posix, file->lock_owner},
                                   .handle = file->fh,
                                   .pid = lock->l_pid,
                                   .range = range_of(*lock),
                                   .mode = mode_of(lock->l_type)};
  const Result<std::optional<LockInfo>> found = front_of(request).filesystem.locks().test(wanted);
  if (!found.ok()) return reply_error(request, found.error());
  struct flock answer = *lock;
  answer.l_whence = SEEK_SET;
  if (!*found) {
    answer.l_type = F_UNLCK;
  } else {
    const HeldLock& holder = (*found)->lock;
    answer.l_type = holder.mode == LockMode::exclusive ? F_WRLCK : F_RDLCK;
    answer.l_start = static_cast<off_t>(holder.range.first);
    answer.l_len = holder.range.last == kLockEnd ? 0 : static_cast<off_t>(holder.range.last - holder.range.first + 1);
    // A process of another machine has no number here.
    answer.l_pid = (*found)->host == front_of(request).filesystem.host() ? holder.pid : 0;
  }
  fuse_reply_lock(request, &answer);
}

void setlk(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file, struct flock* lock, int wait) {
  set(request, {.inode = InodeId{inode},
                .owner = {LockKind::posix, file->lock_owner},
                .handle = file->fh,
                .pid = lock->l_pid,
                .range = range_of(*lock),
                .mode = mode_of(lock->l_type),
                .wait = wait != 0 && lock->l_type != F_UNLCK});
}

void flock(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file, int operation) {
  const bool exclusive = (operation & LOCK_EX) != 0;
  const bool unlock = (operation & LOCK_UN) != 0;
  set(request, {.inode = InodeId{inode},
                .owner = {LockKind::flock, file->lock_owner},
                .handle = file->fh,
                .pid = fuse_req_ctx(request)->pid,
                .range = {},
                .mode = unlock      ? LockMode::none
                        : exclusive ? LockMode::exclusive
                                    : LockMode::shared,
                .wait = !unlock && (operation & LOCK_NB) == 0});
}

}  // namespace cairn::fuse_ops

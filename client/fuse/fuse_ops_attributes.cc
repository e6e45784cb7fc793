// The connection's settings, and what stat, chmod, truncate, utimes and df ask.
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <ctime>

#include "client/fuse/fuse_ops.h"
#include "client/fuse/fuse_reply.h"

namespace cairn::fuse_ops {
namespace {

// Not in the list, on purpose: the writeback cache (a size that grew on another mount would stay stale),
// AUTO_INVAL_DATA (each of our own writes changes mtime and would drop the file's pages), HANDLE_KILLPRIV (the kernel
// then clears set-id bits by setattr), splice (our data is in memory).
constexpr unsigned kWanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_PARALLEL_DIROPS |
                             FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
                             FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS;
constexpr unsigned kMaxBackground = 64;  // read-ahead and direct I/O under way at once

constexpr uint32_t kStatfsBlockBytes = 4096;
constexpr uint64_t kFreeInodes = uint64_t{1} << 32;  // there is no limit; df -i needs a number

Time time_of(const timespec& time) { return {time.tv_sec, static_cast<uint32_t>(time.tv_nsec)}; }

Time wall_time() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return time_of(now);
}

}  // namespace

void init(void*, fuse_conn_info* connection) {
  connection->want = kWanted & connection->capable;
  connection->max_write = kMaxRequestBytes;
  connection->max_read = kMaxRequestBytes;
  connection->max_background = kMaxBackground;
  connection->congestion_threshold = kMaxBackground / 4 * 3;
  connection->time_gran = 1;
}

void getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) {
  FuseFront& front = front_of(request);
  reply_attributes(request, front.cache, front.filesystem.get_attributes(InodeId{inode}));
}

void setattr(fuse_req_t request, fuse_ino_t inode, struct stat* attributes, int which, fuse_file_info*) {
  FuseFront& front = front_of(request);
  SetAttributes change;
  change.inode = InodeId{inode};
  if (which & FUSE_SET_ATTR_MODE) change.mode = attributes->st_mode & 07777;
  if (which & FUSE_SET_ATTR_UID) change.uid = attributes->st_uid;
  if (which & FUSE_SET_ATTR_GID) change.gid = attributes->st_gid;
  if (which & FUSE_SET_ATTR_SIZE) change.size = static_cast<uint64_t>(attributes->st_size);
  if (which & FUSE_SET_ATTR_ATIME) change.atime = time_of(attributes->st_atim);
  if (which & FUSE_SET_ATTR_ATIME_NOW) change.atime = wall_time();
  if (which & FUSE_SET_ATTR_MTIME) change.mtime = time_of(attributes->st_mtim);
  if (which & FUSE_SET_ATTR_MTIME_NOW) change.mtime = wall_time();
  if (which & FUSE_SET_ATTR_CTIME) change.ctime = time_of(attributes->st_ctim);
  reply_attributes(request, front.cache, front.filesystem.set_attributes(change));
}

void statfs(fuse_req_t request, fuse_ino_t) {
  const Result<FilesystemSpace> space = front_of(request).filesystem.statfs();
  if (!space.ok()) return reply_error(request, space.error());
  struct statvfs out {};
  out.f_bsize = kStatfsBlockBytes;
  out.f_frsize = kStatfsBlockBytes;
  out.f_blocks = space->total_bytes / kStatfsBlockBytes;
  out.f_bfree = space->free_bytes / kStatfsBlockBytes;
  out.f_bavail = out.f_bfree;
  out.f_files = space->inodes + kFreeInodes;
  out.f_ffree = kFreeInodes;
  out.f_favail = kFreeInodes;
  out.f_namemax = kMaxNameBytes;
  fuse_reply_statfs(request, &out);
}

}  // namespace cairn::fuse_ops

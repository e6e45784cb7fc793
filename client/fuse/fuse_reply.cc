#include "client/fuse/fuse_reply.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>

#include "client/fuse/fuse_ops.h"
#include "common/base/clock.h"

namespace cairn {
namespace {

void log_sometimes(const Error& error) {
  static std::atomic<int64_t> next_ns{0};  // only thins the log out
  const int64_t now = real_clock().now().ns;
  int64_t next = next_ns.load(std::memory_order_relaxed);
  if (now < next || !next_ns.compare_exchange_strong(next, now + Duration(1s).count())) return;
  spdlog::warn("a program was told \"input/output error\": {} ({})", error.what, name_of(error.code));
}

void set_time(timespec& to, const Time& from) {
  to.tv_sec = from.seconds;
  to.tv_nsec = from.nanoseconds;
}

}  // namespace

int errno_of(Errc code) {
  switch (code) {
    case Errc::not_found:
      return ENOENT;
    case Errc::exists:
      return EEXIST;
    case Errc::not_empty:
      return ENOTEMPTY;
    case Errc::not_directory:
      return ENOTDIR;
    case Errc::is_directory:
      return EISDIR;
    case Errc::no_space:
      return ENOSPC;
    case Errc::no_attribute:
      return ENODATA;
    case Errc::too_big:
      return EFBIG;
    case Errc::name_too_long:
      return ENAMETOOLONG;
    case Errc::too_many_links:
      return EMLINK;
    case Errc::not_permitted:
      return EPERM;
    case Errc::access_denied:
      return EACCES;
    case Errc::invalid:
      return EINVAL;
    case Errc::cross_device:
      return EXDEV;
    case Errc::not_supported:
      return EOPNOTSUPP;
    case Errc::stale_handle:
      return ESTALE;
    case Errc::busy:
      return EBUSY;
    case Errc::interrupted:
      return EINTR;
    // What the client library could not mend by asking again. Programs know how to handle EIO, and nothing else here.
    case Errc::stale_epoch:
    case Errc::stale_boot:
    case Errc::no_session:
    case Errc::unavailable:
    case Errc::timed_out:
    case Errc::corrupt:
    case Errc::io:
      return EIO;
  }
  return EIO;
}

struct stat stat_of(const Attributes& attributes) {
  struct stat out {};
  out.st_ino = raw(attributes.inode);
  out.st_mode = attributes.mode;
  out.st_nlink = attributes.links;
  out.st_uid = attributes.uid;
  out.st_gid = attributes.gid;
  out.st_rdev = attributes.rdev;
  out.st_size = static_cast<off_t>(attributes.size);
  out.st_blksize = kPreferredIoBytes;
  out.st_blocks = static_cast<blkcnt_t>((attributes.stored + 511) / 512);
  set_time(out.st_atim, attributes.atime);
  set_time(out.st_mtim, attributes.mtime);
  set_time(out.st_ctim, attributes.ctime);
  return out;
}

fuse_entry_param entry_of(const Entry& entry, double timeout) {
  fuse_entry_param out{};
  out.ino = raw(entry.attributes.inode);
  out.generation = entry.attributes.generation;
  out.attr = stat_of(entry.attributes);
  out.attr_timeout = timeout;
  out.entry_timeout = timeout;
  return out;
}

void reply_error(fuse_req_t request, const Error& error) {
  const int number = errno_of(error.code);
  if (number == EIO) log_sometimes(error);
  if (number == ESTALE) front_of(request).second_tries.refused(fuse_req_ctx(request)->pid);
  fuse_reply_err(request, number);
}

void reply_status(fuse_req_t request, const Status& status) {
  if (!status.ok()) return reply_error(request, status.error());
  fuse_reply_err(request, 0);
}

void reply_attributes(fuse_req_t request, KernelCache& cache, const Result<Attributes>& result) {
  if (!result.ok()) return reply_error(request, result.error());
  const struct stat attributes = stat_of(*result);
  const KernelCache::Grant grant(cache);
  fuse_reply_attr(request, &attributes, grant.timeout());
}

void reply_entry(fuse_req_t request, KernelCache& cache, const Result<Entry>& result) {
  if (!result.ok()) return reply_error(request, result.error());
  const KernelCache::Grant grant(cache);
  const fuse_entry_param entry = entry_of(*result, grant.timeout());
  fuse_reply_entry(request, &entry);
}

void reply_absent(fuse_req_t request, KernelCache& cache) {
  const KernelCache::Grant grant(cache);
  if (grant.timeout() <= 0) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  fuse_entry_param absent{};  // inode 0
  absent.entry_timeout = grant.timeout();
  fuse_reply_entry(request, &absent);
}

void reply_sized(fuse_req_t request, const std::string& value, size_t room) {
  if (room == 0) {
    fuse_reply_xattr(request, value.size());
  } else if (value.size() > room) {
    fuse_reply_err(request, ERANGE);
  } else {
    fuse_reply_buf(request, value.data(), value.size());
  }
}

}  // namespace cairn

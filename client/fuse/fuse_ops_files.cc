// Files: open, create, their bytes, fsync.
#include <fcntl.h>
#include <linux/falloc.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

#include "client/fuse/fuse_ops.h"
#include "client/fuse/fuse_reply.h"
#include "client/sessions/lock_keeper.h"

namespace cairn::fuse_ops {
namespace {

struct FreeDeleter {
  void operator()(void* memory) const { std::free(memory); }
};

// The worker's own buffer for answers to READ: page-aligned, so that the kernel's copy and ours run at full speed;
// freed with the worker.
std::span<uint8_t> reply_buffer(size_t size) {
  static thread_local std::unique_ptr<uint8_t, FreeDeleter> buffer(
      static_cast<uint8_t*>(std::aligned_alloc(4096, kMaxRequestBytes)));
  if (buffer == nullptr || size > kMaxRequestBytes) return {};
  return {buffer.get(), size};
}

void keep_or_drop_pages(FuseFront& front, InodeId inode, fuse_file_info* file) {
  const KernelCache::Open open = front.cache.opened(inode);
  file->keep_cache = open.keep ? 1 : 0;
  // Otherwise O_DIRECT is done by the kernel, which keeps it coherent with the pages and mmap of other descriptors.
  file->direct_io = open.direct ? 1 : 0;
}

bool writes(const fuse_file_info& file) { return (file.flags & O_ACCMODE) != O_RDONLY; }

// The kernel names the owner of requests that programs wait for themselves; those that fill or write back pages have
// none.
bool is_of_pages(const fuse_file_info& file) { return file.lock_owner == 0; }

// The kernel dropped the request (its caller was killed) and will not send a release.
void take_back(FuseFront& front, InodeId inode, FileHandle handle) {
  if (const Status status = front.filesystem.release(handle); !status.ok())
    spdlog::warn("release of inode {}: {}", raw(inode), status.error().what);
}

}  // namespace

void open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  FuseFront& front = front_of(request);
  const Result<FileHandle> handle = front.filesystem.open(InodeId{inode}, (file->flags & O_TRUNC) != 0, writes(*file));
  if (!handle.ok()) return reply_error(request, handle.error());
  file->fh = *handle;
  keep_or_drop_pages(front, InodeId{inode}, file);
  if (fuse_reply_open(request, file) == -ENOENT) take_back(front, InodeId{inode}, *handle);
}

void create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* file) {
  FuseFront& front = front_of(request);
  const fuse_ctx* caller = fuse_req_ctx(request);
  MakeNode node;
  node.parent = InodeId{parent};
  node.name = name;
  node.mode = S_IFREG | (mode & 07777);
  node.uid = caller->uid;
  node.gid = caller->gid;
  const Result<Filesystem::Created> made = front.filesystem.create(node);
  if (!made.ok()) {
    // Another mount made the file after this kernel had looked. ESTALE: the kernel looks again and opens what is there,
    // with its checks.
    const bool look_again = made.code() == Errc::exists && (file->flags & O_EXCL) == 0;
    if (look_again) return reply_error(request, {Errc::stale_handle, made.error().what});
    return reply_error(request, made.error());
  }
  const InodeId inode = made->entry.attributes.inode;
  file->fh = made->handle;
  keep_or_drop_pages(front, inode, file);
  const KernelCache::Grant grant(front.cache);
  const fuse_entry_param entry = entry_of(made->entry, grant.timeout());
  if (fuse_reply_create(request, &entry, file) == -ENOENT) take_back(front, inode, made->handle);
}

void read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info* file) {
  const std::span<uint8_t> buffer = reply_buffer(size);
  if (buffer.size() != size) {
    fuse_reply_err(request, size > kMaxRequestBytes ? EINVAL : ENOMEM);
    return;
  }
  Filesystem& filesystem = front_of(request).filesystem;
  const auto from = static_cast<uint64_t>(offset);
  const Result<size_t> got = is_of_pages(*file) ? filesystem.fill_pages(InodeId{inode}, from, buffer)
                                                : filesystem.read(InodeId{inode}, from, buffer);
  if (!got.ok()) return reply_error(request, got.error());
  fuse_reply_buf(request, reinterpret_cast<const char*>(buffer.data()), *got);
}

void write(fuse_req_t request, fuse_ino_t inode, const char* data, size_t size, off_t offset, fuse_file_info* file) {
  FuseFront& front = front_of(request);
  const InodeId id{inode};
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(data), size);
  // Pages of a mapping are written back by the kernel where they belong, whatever the descriptor says.
  if (file->writepage) {
    if (const Status written = front.filesystem.write_pages(id, static_cast<uint64_t>(offset), bytes); !written.ok())
      return reply_error(request, written.error());
    fuse_reply_write(request, size);
    return;
  }
  if ((file->flags & O_APPEND) != 0) {
    const Result<uint64_t> at = front.filesystem.append(id, bytes);
    if (!at.ok()) return reply_error(request, at.error());
    // Only where it went through pages, which have it in the wrong place now: else a notification would do harm, since
    // it makes the kernel drop the size that another process is just being told.
    if (is_of_pages(*file) && *at != static_cast<uint64_t>(offset)) front.cache.forget_later(id);
  } else if (const Status written = front.filesystem.write(id, static_cast<uint64_t>(offset), bytes); !written.ok()) {
    return reply_error(request, written.error());
  }
  front.filesystem.wrote_beside_pages(id, is_of_pages(*file));
  if ((file->flags & O_DSYNC) != 0) {  // O_SYNC includes it
    if (const Status synced = front.filesystem.fsync(file->fh); !synced.ok())
      return reply_error(request, synced.error());
  }
  fuse_reply_write(request, size);
}

void fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length, fuse_file_info*) {
  Filesystem& filesystem = front_of(request).filesystem;
  const InodeId id{inode};
  const auto from = static_cast<uint64_t>(offset);
  const auto bytes = static_cast<uint64_t>(length);
  if (mode == FALLOC_FL_KEEP_SIZE)
    return reply_status(request, {});  // space is not reserved: nothing is overwritten in place
  if (mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) || mode == (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE)) {
    return reply_status(request, filesystem.zero_range(id, from, bytes, false));
  }
  if (mode == FALLOC_FL_ZERO_RANGE) return reply_status(request, filesystem.zero_range(id, from, bytes, true));
  if (mode != 0) return reply_error(request, {Errc::not_supported, "fallocate of this mode"});
  // The kernel holds the inode's lock, so no write of this mount comes between the two calls.
  const Result<Attributes> now = filesystem.get_attributes(id);
  if (!now.ok()) return reply_error(request, now.error());
  if (now->size >= from + bytes) return reply_status(request, {});
  SetAttributes grow;
  grow.inode = id;
  grow.size = from + bytes;
  const Result<Attributes> grown = filesystem.set_attributes(grow);
  if (!grown.ok()) return reply_error(request, grown.error());
  reply_status(request, {});
}

void flush(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  Filesystem& filesystem = front_of(request).filesystem;
  const Status flushed = filesystem.flush(file->fh);
  // Only now, so that who gets the lock next finds what was written under it.
  filesystem.locks().closed(InodeId{inode}, {LockKind::posix, file->lock_owner});
  reply_status(request, flushed);
}

void release(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  FuseFront& front = front_of(request);
  front.filesystem.locks().released(InodeId{inode}, file->fh);
  reply_status(request, front.filesystem.release(file->fh));
}

void fsync(fuse_req_t request, fuse_ino_t, int, fuse_file_info* file) {
  reply_status(request, front_of(request).filesystem.fsync(file->fh));
}

}  // namespace cairn::fuse_ops

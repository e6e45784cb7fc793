// The kernel's requests, one short function each: unpack, call the Filesystem, answer by fuse_reply.h.
//
// Workers of libfuse call these from several threads at once; a request is answered before its function returns, but
// for a lock that must wait: it is answered later by another thread (lock_keeper.h).
// Permissions are checked by the kernel (default_permissions), the umask is applied by it, and lookup counts need not
// be kept: inodes are named by their id. What is left out on purpose is answered by libfuse with ENOSYS, once, and the
// kernel then does it itself: lseek (SEEK_DATA finds data everywhere), copy_file_range (copied through the page cache),
// access, poll.
#pragma once

#include <fuse_lowlevel.h>

#include "client/filesystem.h"
#include "client/fuse/kernel_cache.h"
#include "client/fuse/moved_directories.h"
#include "client/fuse/second_tries.h"

namespace cairn {

// What every request finds as its userdata.
struct FuseFront {
  Filesystem& filesystem;
  KernelCache& cache;
  MovedDirectories& directories;
  SecondTries& second_tries;
};
inline FuseFront& front_of(fuse_req_t request) { return *static_cast<FuseFront*>(fuse_req_userdata(request)); }

inline constexpr uint32_t kMaxRequestBytes = 1u << 20;  // of one read or write; what libfuse 3.14 can carry

const fuse_lowlevel_ops& fuse_operations();

namespace fuse_ops {

// fuse_ops_names.cc
void lookup(fuse_req_t request, fuse_ino_t parent, const char* name);
void mknod(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, dev_t device);
void mkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode);
void symlink(fuse_req_t request, const char* target, fuse_ino_t parent, const char* name);
void link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t parent, const char* name);
void readlink(fuse_req_t request, fuse_ino_t inode);
void unlink(fuse_req_t request, fuse_ino_t parent, const char* name);
void rmdir(fuse_req_t request, fuse_ino_t parent, const char* name);
void rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent, const char* new_name,
            unsigned flags);
void forget(fuse_req_t request, fuse_ino_t inode, uint64_t lookups);
void forget_multi(fuse_req_t request, size_t count, fuse_forget_data* forgets);

// fuse_ops_attributes.cc
void init(void* userdata, fuse_conn_info* connection);
void getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file);
void setattr(fuse_req_t request, fuse_ino_t inode, struct stat* attributes, int which, fuse_file_info* file);
void statfs(fuse_req_t request, fuse_ino_t inode);

// fuse_ops_files.cc
void open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file);
void create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* file);
void read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info* file);
void write(fuse_req_t request, fuse_ino_t inode, const char* data, size_t size, off_t offset, fuse_file_info* file);
void fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length, fuse_file_info* file);
void flush(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file);
void release(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file);
void fsync(fuse_req_t request, fuse_ino_t inode, int data_only, fuse_file_info* file);

// fuse_ops_locks.cc
void getlk(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file, struct flock* lock);
void setlk(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file, struct flock* lock, int wait);
void flock(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file, int operation);

// fuse_ops_directories.cc
void readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info* file);
void readdirplus(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info* file);
void fsyncdir(fuse_req_t request, fuse_ino_t inode, int data_only, fuse_file_info* file);

// fuse_ops_xattrs.cc
void getxattr(fuse_req_t request, fuse_ino_t inode, const char* name, size_t size);
void setxattr(fuse_req_t request, fuse_ino_t inode, const char* name, const char* value, size_t size, int flags);
void listxattr(fuse_req_t request, fuse_ino_t inode, size_t size);
void removexattr(fuse_req_t request, fuse_ino_t inode, const char* name);

}  // namespace fuse_ops
}  // namespace cairn

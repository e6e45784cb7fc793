// Names: lookup, making and removing them, rename. Each change is durable when it is answered.
#include <sys/stat.h>

#include "client/fuse/fuse_ops.h"
#include "client/fuse/fuse_reply.h"

namespace cairn::fuse_ops {
namespace {

// A new node of the caller, in the caller's group; the metaserver puts the group of a set-group-id directory in its
// place.
MakeNode node_of(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  const fuse_ctx* caller = fuse_req_ctx(request);
  MakeNode node;
  node.parent = InodeId{parent};
  node.name = name;
  node.mode = mode;
  node.uid = caller->uid;
  node.gid = caller->gid;
  return node;
}

void reply_known(fuse_req_t request, FuseFront& front, const Result<Entry>& entry) {
  if (entry.ok()) front.directories.told(*entry);
  reply_entry(request, front.cache, entry);
}

void make(fuse_req_t request, const MakeNode& node) {
  FuseFront& front = front_of(request);
  reply_known(request, front, front.filesystem.make_node(node));
}

void forgotten(FuseFront& front, InodeId inode) {
  front.cache.forgotten(inode);
  front.directories.forgotten(inode);
}

}  // namespace

void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  FuseFront& front = front_of(request);
  const pid_t thread = fuse_req_ctx(request)->pid;
  front.directories.wait_until_seen(thread);
  const Result<Entry> found = front.second_tries.lookup(thread, InodeId{parent}, name);
  if (!found.ok() && found.code() == Errc::not_found) return reply_absent(request, front.cache);
  reply_known(request, front, found);
}

void mknod(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, dev_t device) {
  MakeNode node = node_of(request, parent, name, mode);
  node.rdev = device;
  make(request, node);
}

void mkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  make(request, node_of(request, parent, name, S_IFDIR | (mode & 07777)));
}

void symlink(fuse_req_t request, const char* target, fuse_ino_t parent, const char* name) {
  MakeNode node = node_of(request, parent, name, S_IFLNK | 0777);
  node.target = target;
  make(request, node);
}

void link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t parent, const char* name) {
  FuseFront& front = front_of(request);
  reply_entry(request, front.cache, front.filesystem.link({InodeId{inode}, InodeId{parent}, name}));
}

void readlink(fuse_req_t request, fuse_ino_t inode) {
  const Result<std::string> target = front_of(request).filesystem.readlink(InodeId{inode});
  if (!target.ok()) return reply_error(request, target.error());
  fuse_reply_readlink(request, target->c_str());
}

void unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  reply_status(request, front_of(request).filesystem.unlink(InodeId{parent}, name));
}

void rmdir(fuse_req_t request, fuse_ino_t parent, const char* name) {
  reply_status(request, front_of(request).filesystem.rmdir(InodeId{parent}, name));
}

void rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent, const char* new_name,
            unsigned flags) {
  FuseFront& front = front_of(request);
  const Rename wanted{InodeId{parent}, name, InodeId{new_parent}, new_name, flags};
  const Status done = front.filesystem.rename(wanted);
  if (done.ok()) front.directories.renamed(wanted);
  reply_status(request, done);
}

void forget(fuse_req_t request, fuse_ino_t inode, uint64_t) {
  forgotten(front_of(request), InodeId{inode});
  fuse_reply_none(request);
}

void forget_multi(fuse_req_t request, size_t count, fuse_forget_data* forgets) {
  for (size_t i = 0; i < count; ++i) forgotten(front_of(request), InodeId{forgets[i].ino});
  fuse_reply_none(request);
}

}  // namespace cairn::fuse_ops

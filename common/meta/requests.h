// The metaserver's mutating calls and their replies, in our own types: what MetaClient sends, service.cc receives, the
// command log stores and the state machine applies. thrift/metaserver.thrift has the same fields with their meaning.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/meta/attributes.h"
#include "common/meta/cluster.h"
#include "common/stripe/geometry.h"

namespace cairn {

// A retry carries the same session and request and is answered from the stored outcome.
struct Mutation {
  SessionId session{};
  RequestId request{};
  RequestId lowest_unanswered{};
};

struct MakeNode {
  InodeId parent{};
  std::string name;
  uint32_t mode = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t rdev = 0;
  std::string target;
};
// A regular file without a name, pinned to the session until it forgets it or ends: what somebody writes who gives its
// content away later, or not at all.
struct MakeAnonymous {
  InodeId like{};      // a directory or regular file, whose storage class it gets
  std::string policy;  // or the class of this policy, as the xattr cairn.policy has it; empty: like's
};
struct LinkNode {
  InodeId inode{};
  InodeId parent{};
  std::string name;
};
struct RemoveName {
  InodeId parent{};
  std::string name;
  bool directory = false;
};
struct Removed {
  InodeId inode{};
  uint32_t links_left = 0;  // 0: an orphan, pinned to the session until it says ForgetOrphans or ends
  bool directory = false;
};
struct Rename {
  InodeId old_parent{};
  std::string old_name;
  InodeId new_parent{};
  std::string new_name;
  uint32_t flags = 0;
};
struct Renamed {
  Attributes moved;
  InodeId replaced{};
  uint32_t replaced_links_left = 0;
};
struct SetAttributes {
  InodeId inode{};
  std::optional<uint32_t> mode, uid, gid;
  std::optional<uint64_t> size;
  std::optional<Time> atime, mtime, ctime;
};
struct SetXattr {
  InodeId inode{};
  std::string name, value;
  uint32_t flags = 0;
};
struct RemoveXattr {
  InodeId inode{};
  std::string name;
};
struct TrimRange {
  InodeId inode{};
  uint64_t offset = 0, length = 0;
  Time mtime;
};
struct ForgetOrphans {
  std::vector<InodeId> inodes;
};
struct FileCommit {
  InodeId inode{};
  std::vector<Extent> extents;
  uint64_t size_at_least = 0;
  Time mtime;
  std::optional<std::string> inline_data;
};
struct ChunkCommit {
  ChunkId chunk{};
  Epoch writer_epoch{};
  uint64_t committed_from = 0, committed_to = 0;
};
struct Commit {
  std::vector<FileCommit> files;
  std::vector<ChunkCommit> chunks;
};
struct Committed {
  std::vector<Attributes> files;  // in the order of the request; inode 0 for those that are gone
  std::vector<InodeId> gone;
};
struct GrantChunks {
  ClassId storage_class{};
  uint32_t count = 1;
  std::vector<ServerId> avoid;
};
struct SealChunks {
  std::vector<ChunkId> chunks;
};

// Answers of the calls that only look.
struct DirectoryPage {
  std::vector<Entry> entries;
  bool complete = false;
  InodeId parent{};  // of the directory itself, for ".."
};
struct Layout {
  Attributes attributes;
  std::vector<Extent> extents;
  std::vector<ChunkInfo> chunks;
  std::optional<std::string> inline_data;
  uint64_t covered_until = 0;
};
struct FilesystemSpace {
  uint64_t total_bytes = 0, free_bytes = 0, inodes = 0;
};

}  // namespace cairn

// The filesystem without FUSE: what the mount, tests and tools call.
//
// Calls are blocking and may come from any thread. Each takes effect at one moment between its start and its end, for
// all mounts (docs/coherence.md). What write() accepted is buffered for at most 5 s; what fsync() acknowledged survives
// (docs/failure_model.md). Inodes are named by their id; there is no per-inode state that a caller must free, but
// open() handles must be released. Permissions are not checked here: the kernel does (mount option
// default_permissions).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/network.h"
#include "common/base/result.h"
#include "common/meta/attributes.h"
#include "common/meta/requests.h"

namespace cairn {

struct FilesystemOptions {
  Address metaserver;
  std::string name = "client";       // shown in status
  uint64_t dirty_bytes = 96u << 20;  // buffered writes, in all; a writer waits beyond this
  uint64_t cache_bytes = 64u << 20;  // clean cells in memory
  Duration flush_after = 5s;         // no dirty byte is older
  Duration io_timeout = 30s;         // of one call to a server that does not answer
  Duration patience = 10s;           // with silent chunkservers, before "no space" is believed
  uint32_t cached_inodes = 50'000;   // with their attributes and layouts
  uint32_t cached_names = 100'000;
  uint64_t listing_bytes = 16u << 20;  // of directories that were read from front to back; one has at most a quarter
  uint64_t detail_bytes = 8u << 20;    // of xattrs and symlink targets; those of one inode have at most a quarter
  uint64_t seed = 0;                   // of the session's nonce; 0: from the kernel. A simulation gives its own.

  // The disk tier of the block cache (disk_cache.h): a directory for this mount alone; empty: none.
  std::string cache_directory;
  uint64_t cache_disk_bytes = 10ull << 30;    // that it may take there
  uint64_t cache_keep_free_bytes = 1u << 30;  // of that directory's filesystem
};

// Told when the kernel's caches must change. Called from threads of the Filesystem that no call waits for.
class CacheListener {
 public:
  virtual ~CacheListener() = default;
  // Drops the pages of [from, to); dirty ones are written back first. May wait for pages that are being read.
  virtual void drop_pages(InodeId inode, uint64_t from, uint64_t to) = 0;
  // Keep no names and attributes from now on: another mount has joined.
  virtual void become_shared() = 0;
};

using FileHandle = uint64_t;

class LockKeeper;

class Filesystem {
 public:
  // Connects and opens a session.
  static Result<std::unique_ptr<Filesystem>> mount(Network& network, Clock& clock, FilesystemOptions options);
  ~Filesystem();  // without close(): as a crash, buffered data is lost
  // Flushes everything, ends the session. Says what could not be written.
  Status close();

  void set_listener(CacheListener* listener);
  // True while this is the only mount: the kernel may keep names and attributes for cache_ttl().
  bool sole() const;
  Duration cache_ttl() const;  // 0 while there are other mounts

  Result<Entry> lookup(InodeId parent, const std::string& name);
  Result<Attributes> get_attributes(InodeId inode);  // with what is still buffered
  Result<Attributes> set_attributes(const SetAttributes& request);
  Result<Entry> make_node(const MakeNode& request);  // mkdir, mknod, symlink, and the file of create()
  Result<std::string> readlink(InodeId inode);
  Result<Entry> link(const LinkNode& request);
  Status unlink(InodeId parent, const std::string& name);
  Status rmdir(InodeId parent, const std::string& name);
  Status rename(const Rename& request);
  // Entries behind that cookie, in the order of cookies, at most `limit`. Without attributes each has its inode and its
  // type (S_IFMT of the mode), and attributes are nobody's lease: they are true when the call is answered, not later.
  Result<DirectoryPage> read_directory(InodeId inode, uint64_t after_cookie, uint32_t limit, bool attributes);
  Result<FilesystemSpace> statfs();
  Result<std::string> get_xattr(InodeId inode, const std::string& name);
  Result<std::vector<std::string>> list_xattrs(InodeId inode);
  Status set_xattr(const SetXattr& request);
  Status remove_xattr(const RemoveXattr& request);

  // Keeps the inode alive when its last name goes, on whichever mount.
  Result<FileHandle> open(InodeId inode, bool truncate, bool writable = true);
  struct Created {
    Entry entry;
    FileHandle handle = 0;
  };
  Result<Created> create(const MakeNode& request);  // exists if the name is taken
  // A file without a name, which is gone with its last handle: what is given away later (common/meta/jobs.h), or never.
  struct Anonymous {
    Attributes attributes;
    FileHandle handle = 0;
  };
  Result<Anonymous> create_anonymous(const MakeAnonymous& request);
  Status flush(FileHandle handle);  // close(2) of one descriptor: reports write errors
  Status release(FileHandle handle);

  // At most into.size() bytes; fewer only at the end of the file. One snapshot of the inode.
  Result<size_t> read(InodeId inode, uint64_t offset, std::span<uint8_t> into);
  // The same for pages that the kernel keeps, and holds locked until it is answered: true until they are dropped.
  Result<size_t> fill_pages(InodeId inode, uint64_t offset, std::span<uint8_t> into);
  Status write(InodeId inode, uint64_t offset, std::span<const uint8_t> data);
  Status write_pages(InodeId inode, uint64_t offset, std::span<const uint8_t> data);  // dirty ones of a mapping
  // A write of a descriptor: `cached`, the kernel has put it into pages itself; otherwise pages there are old now.
  void wrote_beside_pages(InodeId inode, bool cached);
  Result<uint64_t> append(InodeId inode, std::span<const uint8_t> data);  // at the end as it is now; returns the offset
  Status zero_range(InodeId inode, uint64_t offset, uint64_t length,
                    bool may_grow);  // reads as zeros; space is given back
  Status sync(InodeId inode);        // what is buffered of it is durable
  // fsync: the same, and each descriptor hears of a loss, although others have heard of it already.
  Status fsync(FileHandle handle);
  Status sync_all();  // every dirty inode: fsync of the root, cairn sync

  LockKeeper& locks();  // flock and fcntl, over all mounts (lock_keeper.h)

  // The block cache (filesystem_cache.cc). warm() fetches the committed bytes [offset, offset + length) of a file into
  // its disk tier, or into memory where there is none.
  Status warm(InodeId inode, uint64_t offset, uint64_t length);
  void drop_cache();  // both tiers
  std::string cache_json() const;
  std::string cache_trouble() const;  // why there is no disk tier although one was asked for; empty: all is well

  // For tests and tools.
  std::string statistics_json()
      const;  // counters: reads, writes, cells, decoded stripes, messages by call, dirty and cached bytes
  uint64_t lost_sessions() const;  // how often the metaserver ended this mount's session, with what was buffered
  Address metaserver() const;
  static std::string host();  // as the session names it

 private:
  struct State;
  explicit Filesystem(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cairn

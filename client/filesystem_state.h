// The parts of one Filesystem, and what its source files share.
//
//   filesystem.cc             mount, close, handles
//   filesystem_names.cc       lookup, create, rename, remove, directories
//   filesystem_attributes.cc  attributes and extended attributes
//   filesystem_data.cc        read, write, truncate, sync
//   filesystem_cache.cc       the disk tier, and what tools ask about the block cache
//
// Members are destroyed in reverse order: threads before what they use.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>

#include "client/cache/cache_directory.h"
#include "client/client_context.h"
#include "client/filesystem.h"
#include "client/read/read_ahead.h"
#include "client/read/read_path.h"
#include "client/sessions/lock_keeper.h"
#include "client/sessions/orphan_reaper.h"
#include "client/write/chunk_pool.h"
#include "client/write/flusher.h"

namespace cairn {

struct Filesystem::State {
  State(Network& network, Clock& clock, FilesystemOptions options);
  ~State();
  Status open_session();
  void open_disk_cache(Incarnation incarnation);  // filesystem_cache.cc
  void start();
  void stop_threads();

  // --- what is cached ---
  using Asked = ClientContext::Asked;
  Asked asking() const { return context.asking(); }
  // Takes an answer's attributes in and returns them with what is buffered. leased: as MetaClient says it.
  Attributes learn(const Attributes& answer, const Asked& asked, uint64_t leased);
  // The answer of our own change to the inode.
  Attributes changed(const Attributes& answer, const Asked& asked);
  void invalidate(InodeId inode);     // attributes and listing: an own call changed them without saying to what
  void forget_xattrs(InodeId inode);  // and attributes: an own call changed them
  void forget(Inode& inode);          // all that is cached of it; its mutex is held
  void forget_names();                // and listings, xattrs, targets: of all inodes, also of those that were let go
  void note_name(NameCache::Change& change, NameCache::Known known, const Asked& asked);
  Status remove(const RemoveName& request);
  InodeId known_child(InodeId parent, const std::string& name);  // 0: not known
  // From the directory's listing. Nothing: not known, or not with attributes that are wanted.
  std::optional<DirectoryPage> known_page(Inode& directory, uint64_t after_cookie, uint32_t limit, bool attributes);
  std::optional<Attributes> known_attributes(InodeId inode);
  Result<Attributes> attributes(InodeId inode);  // also asks the metaserver
  void wake_all();
  SessionRequest session_request();
  void lose_session();  // what was buffered under it is lost

  // --- namespace ---
  void learn_made(const Entry& entry, const std::string& target, const Asked& asked, uint64_t leased);
  void orphaned(InodeId inode, uint32_t links_left);
  void forget_if_orphan(const std::shared_ptr<Inode>& inode);
  // Whether a failed change may have happened all the same.
  static bool unknown_fate(Errc code);

  // --- data ---
  Status know(const std::shared_ptr<Inode>& inode);      // its class is known
  Status know_end(const std::shared_ptr<Inode>& inode);  // and its size: the write lease is held
  Result<size_t> read(const std::shared_ptr<Inode>& inode, uint64_t offset, std::span<uint8_t> into, bool of_pages);
  // Alone with the inode: nothing is flushing, no writer or flush begins until end_change.
  void begin_change(const std::shared_ptr<Inode>& inode);
  void end_change(const std::shared_ptr<Inode>& inode);
  Result<Attributes> truncate(const std::shared_ptr<Inode>& inode, const SetAttributes& request);
  // No offset: append. of_pages: the kernel writes back pages of a mapping, perhaps because they are to be dropped.
  Result<uint64_t> write(InodeId id, std::optional<uint64_t> offset, std::span<const uint8_t> data, bool of_pages);
  Result<uint64_t> buffer(const std::shared_ptr<Inode>& inode, Lock& lock, std::optional<uint64_t> offset,
                          std::span<const uint8_t> data);

  struct Handle {
    std::shared_ptr<Inode> inode;
    bool writable = false;
    uint64_t losses_told = 0;  // by flush()
    uint64_t failures_told = 0;
    uint64_t losses_synced = 0;  // told by fsync()
  };
  FileHandle add_handle(const std::shared_ptr<Inode>& inode, bool writable);  // open_handles was raised
  // After that: the inode is there, and the metaserver asks this mount before it frees it.
  Status confirm_open(const std::shared_ptr<Inode>& inode);
  std::shared_ptr<Inode> inode_of(FileHandle handle);

  std::optional<CacheDirectory> cache_directory;  // outlives the cache in it
  std::string cache_trouble;                      // written before the first thread begins
  ClientContext context;
  ReadPath reader;
  ChunkPool pool;
  OrphanReaper orphans;
  Flusher flusher;
  LockKeeper locks;
  std::unique_ptr<ReadAhead> ahead;
  std::atomic<CacheListener*> listener = nullptr;

  Mutex handles_mutex;
  std::map<FileHandle, Handle> handles;  // guarded by handles_mutex
  FileHandle next_handle = 1;            // the same
  uint64_t sessions = 0;                 // opened so far; used by one thread at a time
  bool closed = false;                   // used by close() and the destructor only
};

}  // namespace cairn

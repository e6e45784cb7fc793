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

#include "client/cache_directory.h"
#include "client/chunk_pool.h"
#include "client/client_context.h"
#include "client/filesystem.h"
#include "client/flusher.h"
#include "client/orphan_reaper.h"
#include "client/read_ahead.h"
#include "client/read_path.h"

namespace cairn {

struct Filesystem::State {
  State(Network& network, Clock& clock, FilesystemOptions options);
  ~State();
  Status open_session();
  void open_disk_cache(Incarnation incarnation);  // filesystem_cache.cc
  void start();
  void stop_threads();

  // --- what is cached ---
  // When an answer was asked for, so that it is only cached if nothing has changed since.
  struct Asked {
    uint64_t at = 0;
    uint64_t trust_epoch = 0;
  };
  Asked asking() const { return {context.changes_now(), context.session->trust_epoch()}; }
  bool may_cache(const Asked& asked) const {
    return context.session->trusted() && context.session->trust_epoch() == asked.trust_epoch;
  }
  // Takes an answer's attributes in and returns them with what is buffered.
  Attributes learn(const Attributes& answer, const Asked& asked);
  // The answer of our own change to the inode.
  Attributes changed(const Attributes& answer, const Asked& asked);
  void invalidate(InodeId inode);  // attributes: an own call changed them without saying to what
  void drop_caches();
  void wake_all(const Error& error);

  // --- namespace ---
  void learn_made(const Entry& entry, const Asked& asked);
  void orphaned(InodeId inode, uint32_t links_left);
  void forget_if_orphan(const std::shared_ptr<Inode>& inode);
  // Whether a failed change may have happened all the same.
  static bool unknown_fate(Errc code);

  // --- data ---
  Status know(const std::shared_ptr<Inode>& inode);  // its class and size are known, if of an earlier time
  // Alone with the inode: nothing is flushing, no writer or flush begins until end_change.
  void begin_change(const std::shared_ptr<Inode>& inode);
  void end_change(const std::shared_ptr<Inode>& inode);
  Result<Attributes> truncate(const std::shared_ptr<Inode>& inode, const SetAttributes& request);
  Result<uint64_t> write(InodeId id, std::optional<uint64_t> offset, std::span<const uint8_t> data);  // nothing: append

  struct Handle {
    std::shared_ptr<Inode> inode;
    uint64_t losses_told = 0;
    uint64_t failures_told = 0;
  };
  FileHandle add_handle(const std::shared_ptr<Inode>& inode);  // the inode's open_handles was raised
  std::shared_ptr<Inode> inode_of(FileHandle handle);

  std::optional<CacheDirectory> cache_directory;  // outlives the cache in it
  std::string cache_trouble;                      // written before the first thread begins
  ClientContext context;
  ReadPath reader;
  ChunkPool pool;
  OrphanReaper orphans;
  Flusher flusher;
  std::unique_ptr<ReadAhead> ahead;
  std::atomic<CacheListener*> listener = nullptr;

  Mutex handles_mutex;
  std::map<FileHandle, Handle> handles;  // guarded by handles_mutex
  FileHandle next_handle = 1;            // the same
  bool closed = false;                   // used by close() and the destructor only
};

}  // namespace cairn

// What a flush takes of one inode, and how it will be stored: inline, or as runs of bytes.
//
// Taking moves the dirty layer (or the front of a stream) to a flushing layer, whole writes only. Besides the dirty
// bytes a flush may store again
//   - the inline content of a file that grows out of its inode,
//   - the committed end of a file that is appended to: from the start of its unfilled 4 KiB block, or of its 64 KiB
//   unit when that
//     has gathered several extents, so that a log of synced lines does not become a million extents.
// Not here: stripes (packer.h), the flush itself (flush_job.h).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/inodes/inode_cache.h"
#include "client/read/read_path.h"
#include "client/write/packer.h"

namespace cairn {

struct FlushFile {
  std::shared_ptr<Inode> inode;
  std::shared_ptr<FlushLayer> layer;
  uint32_t generation = 0;
  uint64_t failures_before = 0;                   // of the inode's flushes when this was taken
  std::optional<std::string> inline_data;         // the whole content
  std::shared_ptr<const std::string> old_inline;  // bytes below the layer's that move into extents
  std::optional<uint64_t> rewrite_from;           // committed bytes from here to the layer's first are stored again
  std::vector<uint8_t> rewritten;                 // those bytes, once loaded
  std::vector<Extent> extents;                    // where they are, once stored
};

enum class Taken : uint8_t {
  yes,
  nothing,  // it has nothing dirty
  busy,     // an earlier flush or a truncation must end first: whoever ends it registers the inode again
  unknown,  // ReadPath::ensure_head first
};

struct TakeRule {
  bool may_overlap = false;  // behind flushes that are still under way: streams
  bool trusted = false;      // the cached layout is true, so committed bytes may be stored again
  uint64_t stripe_bytes = 0;
  uint64_t most_bytes = UINT64_MAX;  // of a stream: cut behind a whole write
};

// Takes the inode's mutex.
Taken take(const std::shared_ptr<Inode>& inode, const TakeRule& rule, FlushFile& file);

// Loads the bytes of rewrite_from; does without the rewriting if they cannot be read.
void load_rewritten(FlushFile& file, ReadPath& reader);

// The runs to store, added behind runs, as file `index` of the flush. Valid as long as file.
void add_runs(const FlushFile& file, uint32_t index, std::vector<PackRun>& runs);

// After the commit, with the inode's mutex: remembers the end of a file that is appended to.
void remember_tail(const FlushFile& file);

}  // namespace cairn

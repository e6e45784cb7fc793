// What this mount may know of one inode without asking, while other mounts may change it; and what its kernel keeps.
//
//   held        none --answer or acquire--> read / write --recall--> read / none      (the sole mount needs none)
//   recalling   programs' calls wait; what is buffered is flushed, the kernel's pages are dropped; then it is given
//   back
//
// Guarded by the inode's mutex. The rules are in docs/coherence.md; lease_keeper.h keeps them.
#pragma once

#include <cstdint>
#include <vector>

namespace cairn {

struct PageRange {
  uint64_t from = 0, to = 0;
};

struct InodeLease {
  enum class Held : uint8_t { none, read, write };
  Held held = Held::none;
  bool wanted = false;  // a recall waits for the pins
  bool recalling = false;
  uint32_t pins = 0;         // calls that have acquired it and are not done: a recall waits for them
  uint32_t own_changes = 0;  // calls of ours that change the inode at the metaserver now: what is cached is old or new

  // Pages of the kernel: of mappings, and of descriptors that were opened by the sole mount.
  bool pages = false;                // there may be some
  bool dropping = false;             // the kernel is being told to drop them, and waits for locked ones
  bool filled_meanwhile = false;     // one was filled during that
  std::vector<PageRange> waiting{};  // requests that hold pages locked, empty, until there is a lease
};

}  // namespace cairn

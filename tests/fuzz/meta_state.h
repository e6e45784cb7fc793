// A small metadata state that targets start from: every table has a row, ids are small numbers.
//
//   session 1 (a mount)    /d  /d/in  /a with extents  /b inline  /l a symlink  /a2 a second name  an orphan of session
//   1 servers 1 .. 7         chunk 1 open, code (2,1)    chunk 2 sealed    dead stripes in both
#pragma once

#include <memory>

#include "metaserver/state/metadata_keys.h"
#include "metaserver/store/memory_store.h"

namespace cairn::fuzz {

struct MetaState {
  std::vector<StoreWrite> rows;
  LogIndex applied{};
  Incarnation incarnation{};
  SessionId session{};        // open
  uint64_t next_request = 0;  // of that session

  static const MetaState& small();
  std::unique_ptr<MemoryStore> store() const;  // with just these rows
};

// Of every row that a refused request must not change: all but its stored outcome and the applied index.
uint64_t visible_hash(const StoreView& view);

}  // namespace cairn::fuzz

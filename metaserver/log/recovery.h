// From what a crash left to a store that holds every acknowledged command: replays the log from the store's applied
// index.
//
//   log     |----- trimmed -----|======= kept =======|        log.first - 1 <= applied <= log.last, or we do not start
//   store   applied ----------------------^ replay -->|
//
// An empty store and an empty log are a new database: the log gets its first segment, then the store its genesis rows,
// flushed; a crash between the two begins again with the same incarnation. Single-threaded, before anything else runs.
// Errors: corrupt, with a sentence that names the mend.
#pragma once

#include "metaserver/log/command_log.h"
#include "metaserver/state/state_machine.h"
#include "metaserver/store/ordered_store.h"

namespace cairn {

struct Recovered {
  LogIndex applied{};
  int64_t wall_ns = 0;  // of the last applied command
  Incarnation incarnation{};
  uint64_t replayed = 0;  // commands
  bool created = false;   // the database is new
};

// for_new: what a new database begins with. Its incarnation is taken from the log if that has begun already.
Result<Recovered> recover(CommandLog& log, OrderedStore& store, const Genesis& for_new);

}  // namespace cairn

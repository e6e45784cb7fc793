// Where the shards of chunks are now, if they have moved since their layouts were fetched.
//
//   a read fails, or meets a server that does not have its shard --> the chunk's row is asked for, once in a while
//       --> its servers stand in for the old ones, in every layout that still names those
//
// A layout is kept as long as its lease, and a move does not change the file: so nobody is told of it, and the readers
// find out. Bounded: what is forgotten is found out again. Any thread; the mutex is not held while the row is asked
// for.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "common/base/clock.h"
#include "common/base/thread.h"
#include "common/meta/cluster.h"
#include "common/stripe/stripe_reader.h"

namespace cairn {

class MovedChunks {
 public:
  using AskRow = std::function<Result<ChunkInfo>(ChunkId)>;
  MovedChunks(Clock& clock, AskRow ask) : clock_(clock), ask_(std::move(ask)) {}

  // The chunk as it is known now; the same if nothing else is known.
  ChunkInfo latest(const ChunkInfo& chunk) const;
  // After a read from these servers: true if the shards are elsewhere, so that the read is worth another try.
  bool learn(const ChunkInfo& used, const ReadOutcome& outcome);

 private:
  static constexpr Duration kAskAgain = 10s;  // if it had not moved
  static constexpr size_t kMost = 4096;
  struct Known {
    std::vector<ServerId> before;  // that a layout may still name
    std::vector<ServerId> now;     // the same: it has not moved
    Instant asked_at{};
  };
  bool may_ask(const ChunkInfo& used);

  Clock& clock_;
  const AskRow ask_;
  mutable Mutex mutex_;
  std::unordered_map<ChunkId, Known> chunks_;  // guarded by mutex_
};

}  // namespace cairn

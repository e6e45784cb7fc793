// Shards that are being made again on this server, call by call, each on its way to its place:
//
//   DIR/rebuild/000000000000125f-03   --records of many calls-->  synced  --rename-->
//   DIR/shards/5f/...-03-410000.sealed
//
// Until the rename it is a shard for nobody. The calls of one attempt follow each other, each bounded in time; what was
// staged is remembered between them, and forgotten a minute after the last or at the end of this process, whose next
// start removes what is left in the folder. So nobody holds a thread for long, and not calling again is a cancel.
// Any thread. No mutex is held across I/O or calls. Not here: the records (common/stripe/shard_rebuilder.h), which
// stripes there are and what to rebuild (the metaserver), identity and wire (service.h).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "chunkserver/shard_store.h"
#include "common/base/clock.h"
#include "common/base/thread.h"
#include "common/meta/shards.h"
#include "common/stripe/shard_calls.h"

namespace cairn {

class ShardRebuilds {
 public:
  struct Options {
    Duration forget_after = 60s;  // of silence
    uint32_t at_once = 4;         // calls that work; each holds some MiB of memory
    Duration give_up_after = 5s;  // of one stripe: a server that is silent is not waited for longer
  };
  // peers: to other chunkservers. Everything outlives this.
  ShardRebuilds(Disk& disk, Clock& clock, ShardStore& store, ShardTransport& peers, std::string directory,
                Options options);

  // Removes what an earlier process has left. Once, before anything else.
  Status open();
  // Does some of it. own: this server, which is asked like any other where it has the shard already.
  //   busy       another call for this shard is at work, or too many are
  //   not_found  calls of this attempt before this one are not remembered: begin another
  //   io         a live stripe has too few good shards; or the disk's error. no_space: the disk is full
  Result<RebuildProgress> work(const RebuildShard& request);

 private:
  struct Staged {
    uint64_t attempt = 0;
    uint64_t end = 0;  // of the last stripe that was dealt with
    std::unique_ptr<File> file;
    bool at_work = false;  // then it belongs to the call; else guarded by mutex_
    Instant touched{};
  };
  class Work;  // the right to work on one, while it lives
  Result<Work> begin(const RebuildShard& request);
  Status make(Staged& staged, ShardKey key);
  Result<RebuildProgress> go_on(Staged& staged, const RebuildShard& request);
  Status finish(Staged& staged, const RebuildShard& request);
  void forget_silent();
  std::string path_of(ShardKey key) const;

  Disk& disk_;
  Clock& clock_;
  ShardStore& store_;
  ShardTransport& peers_;
  const std::string folder_;
  const Options options_;
  Mutex mutex_;  // guards what follows
  std::map<ShardKey, std::shared_ptr<Staged>> staged_;
  uint32_t at_work_ = 0;
};

}  // namespace cairn

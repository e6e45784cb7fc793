// The check after a start: walks the record headers of the shards that were there, and reports. It changes nothing.
//
//   | header cell | header cell |  hole  | header cell | ??? |      headers only: cells are checked by readers and the
//   scrub
//
// A hole is an absent cell or a punched stripe. What is neither hole nor record is damage, if it lies before the
// committed length or if a good record follows it; at the end of an open shard it is the torn rest of an append that no
// one was promised. A header that was lost as a hole cannot be told from one that never was: only the chunk's other
// shards know.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "chunkserver/identity.h"
#include "chunkserver/record_check.h"
#include "chunkserver/shard_store.h"
#include "common/base/clock.h"
#include "common/base/disk.h"
#include "common/base/thread.h"

namespace cairn {

struct ShardReport {
  uint64_t records = 0;               // good headers
  uint64_t bad_records = 0;           // runs of blocks that should be a record, and are not
  uint64_t torn_bytes = 0;            // garbage behind the last good record of an unsealed shard
  std::optional<uint64_t> first_bad;  // place
};

// Told before each read; false ends the walk early. For a rate, and for stopping.
using CheckPace = std::function<bool()>;

// Walks [0, end) of one shard's file. committed is set for a sealed shard: what lies behind it does not count.
Result<ShardReport> check_shard(File& file, Incarnation incarnation, ShardKey key, uint64_t end,
                                std::optional<uint64_t> committed, const CheckPace& pace);

// Checks every shard that the store has, on a thread of its own, at a bounded rate.
class StartupCheck {
 public:
  struct Options {
    uint32_t reads_per_second = 4000;  // about one for each record; 0 switches the check off
  };
  struct Totals {
    uint64_t shards = 0, records = 0, bad_records = 0, torn_bytes = 0, unreadable = 0;
    bool done = false;
  };
  StartupCheck(ShardStore& store, IdentityFile& identity, Clock& clock, Options options);
  ~StartupCheck();  // stops
  void start();
  void stop();
  Totals totals() const;
  void wait_until_done();  // for tests

 private:
  void run();
  bool pace();  // false when it has to stop
  void check_one(const ShardStatus& shard, Incarnation incarnation);

  ShardStore& store_;
  IdentityFile& identity_;
  Clock& clock_;
  const Options options_;
  mutable Mutex mutex_;  // guards everything below
  CondVar changed_;
  Totals totals_;
  bool stopping_ = false;
  uint32_t reads_in_slice_ = 0;
  Instant slice_end_{};
  Thread thread_;
};

}  // namespace cairn

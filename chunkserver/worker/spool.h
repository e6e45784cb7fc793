// Results of tasks that are too large for the metaserver: kept beside the worker until their job needs them no more.
//
//   DATA/tasks/<job>-<task>-<attempt>.partial
//
// One with sorted runs (common/tasks/run_store.h) has these in front, and its length behind it: run_results.h.
//
// Nothing of it must survive: a worker begins with an empty spool, and what is lost is mapped again. So it is not
// synced, and who fetches a partial checks it against the checksum that was reported. Bounded in bytes. Any thread; the
// mutex is not held while the disk is written or read.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/disk.h"
#include "common/base/thread.h"
#include "common/meta/jobs.h"

namespace cairn {

class Spool {
 public:
  static constexpr uint64_t kDefaultLimit = 4ull << 30;
  static constexpr uint64_t kLeaveFree = 1ull << 30;  // of the disk, which is there for shards

  Spool(Disk& disk, const std::string& data_directory, uint64_t limit = kDefaultLimit)
      : disk_(disk), directory_(data_directory + "/tasks"), limit_(limit) {}

  // A result that is written piece by piece: kept once it is closed, dropped without that. One thread.
  class Writer {
   public:
    Writer(Spool& spool, const TaskRef& ref, std::unique_ptr<File> file)
        : spool_(spool), ref_(ref), file_(std::move(file)) {}
    Writer(const Writer&) = delete;
    ~Writer();
    Status append(std::string_view bytes);  // no_space: as put()
    uint64_t bytes() const { return bytes_; }
    SpooledPartial close();

   private:
    Spool& spool_;
    const TaskRef ref_;
    const std::unique_ptr<File> file_;
    uint64_t bytes_ = 0;
    uint32_t crc32c_ = 0;
    bool closed_ = false;
  };

  Status open();                                              // makes the directory, and empties it
  Result<std::unique_ptr<Writer>> begin(const TaskRef& ref);  // the spool outlives it
  // no_space: it would be more than the limit, or than the disk can spare.
  Result<SpooledPartial> put(const TaskRef& ref, std::string_view partial);
  // At most so many bytes from that offset on; empty behind the end. not_found: it is not here.
  Result<std::string> read(const TaskRef& ref, uint64_t offset, uint32_t limit);
  std::vector<JobId> jobs() const;  // that have something here
  void forget(JobId job);
  uint64_t bytes() const;

 private:
  Status reserve(uint64_t bytes);
  void give_back(uint64_t bytes);
  std::string path_of(const TaskRef& ref) const;

  Disk& disk_;
  const std::string directory_;
  const uint64_t limit_;
  mutable Mutex mutex_;  // guards what follows
  std::map<TaskRef, uint64_t> kept_;
  uint64_t bytes_ = 0;  // with what is being written
};

}  // namespace cairn

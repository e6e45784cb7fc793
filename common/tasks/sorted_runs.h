// Records in a given order, more than memory holds: sorted runs are written while records come, and merged at the end.
//
//   add(record) --> buffer of at most memory_bytes --full--> sorted, appended to the RunStore as a run
//   write(sink) --> all runs at once, a piece of each in memory --> records in order
//
// Stable: of records with equal keys the first, by file and offset, comes first; or alone, if keys are to be unique.
//
//   run      blocks of kRunBlock bytes, the last one shorter: u32 bytes | u32 CRC32C | bytes
//   bytes    of all blocks together: u32 length | [u32 file | u64 offset, of CSV] | the record without its line end
//
// Memory: memory_bytes while records come; in write() a piece of each run, from 1 MiB down to kRunBlock, 64 MiB in all
// while there are up to 4096 runs, 256 MiB at kMaxRuns. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/tasks/record_order.h"
#include "common/tasks/run_store.h"

namespace cairn::tasks {

inline constexpr uint32_t kRunBlock = 16u << 10;
inline constexpr size_t kMaxRuns = 16'384;  // of a job

class SortedRuns {
 public:
  struct Options {
    RecordOrder order;
    bool unique = false;  // of records with equal keys the first one alone
    uint64_t memory_bytes = 64u << 20;
  };
  SortedRuns(const std::vector<InputFile>& files, const Options& options) : files_(files), options_(options) {}

  void use(RunStore& store) { store_ = &store; }  // before the first add(); outlives this

  void add(const Record& record, const RecordKeys& keys);  // keys has read it
  // What was added is in the store. The first error of the store, also of an earlier add().
  Status settle();
  void merge(SortedRuns& other);
  void encode(ByteWriter& out) const;  // which runs there are. Requires that it is settled.
  bool decode(ByteReader& in);
  // Settles, and gives the records in order. Errors of the store and of `visit`; corrupt: a run is not as it was
  // written.
  Status each(const std::function<Status(std::string_view record)>& visit);

 private:
  struct Run {
    uint32_t origin = 0;
    uint64_t offset = 0, bytes = 0;  // of its blocks in the store
    auto operator<=>(const Run&) const = default;
  };
  struct Entry {
    uint64_t prefix;  // the key's first eight bytes: most comparisons end there
    uint64_t at;      // of key and record in arena_
    uint32_t key_bytes, record_bytes, file;
    uint64_t offset;  // in the file
  };
  class Cursor;
  class BlockWriter;

  std::string_view key_of(const Entry& entry) const;
  std::string_view record_of(const Entry& entry) const;
  int compare(const Entry& a, const Entry& b) const;
  Status write_run();
  // Then keys are not the records, and records with equal keys differ.
  bool by_column() const { return options_.order.columns.has_value(); }

  const std::vector<InputFile>& files_;
  const Options& options_;
  RunStore* store_ = nullptr;
  Status failed_;
  std::string arena_;
  std::vector<Entry> entries_;
  std::vector<Run> runs_;
};

}  // namespace cairn::tasks

// Where an operator keeps what is larger than memory, without knowing disks or networks (Needs::runs).
//
//   who maps     append() to a file of its own                     worker: its spool; task try: a temporary file
//   who merges   read() from what each of those has appended       over the network, by pieces
//                append() of what came together at the merge       in memory, bounded
//
// A store is a log of bytes with an origin; what a partial says of it is (origin, offset, length). One thread at a
// time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace cairn::tasks {

class RunStore {
 public:
  virtual ~RunStore() = default;
  virtual uint32_t origin() const = 0;  // of what append() keeps: of a job's tasks each has another
  virtual uint64_t size() const = 0;    // so much was appended
  virtual Status append(std::string_view bytes) = 0;
  // Exactly so many bytes of what was appended at that origin. not_supported: this store only keeps.
  virtual Result<std::string> read(uint32_t origin, uint64_t offset, uint32_t bytes) = 0;
};

// All in memory: for one who merges, and for tests. Stores with a common Origins read each other's.
class MemoryRuns final : public RunStore {
 public:
  struct Origins {
    std::map<uint32_t, std::string> logs;
  };
  // too_big, from append: more than limit bytes, of this origin.
  MemoryRuns(std::shared_ptr<Origins> origins, uint32_t origin, uint64_t limit)
      : origins_(std::move(origins)), origin_(origin), limit_(limit) {}

  uint32_t origin() const override { return origin_; }
  uint64_t size() const override;
  Status append(std::string_view bytes) override;
  Result<std::string> read(uint32_t origin, uint64_t offset, uint32_t bytes) override;

 private:
  const std::shared_ptr<Origins> origins_;
  const uint32_t origin_;
  const uint64_t limit_;
};

}  // namespace cairn::tasks

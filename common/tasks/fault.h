// What is wrong with the bytes of a job's files, and which of it a job answers: the first, by file and offset, for
// every cut and every tree of merges. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/tasks/job.h"

namespace cairn::tasks {

struct Fault {
  uint64_t offset;   // from the record's first byte
  std::string what;  // "the quote is not closed"; at most kMaxFaultBytes are kept
};
inline constexpr size_t kMaxFaultBytes = 4096;

class FirstFault {
 public:
  explicit FirstFault(const std::vector<InputFile>& files) : files_(files) {}

  void keep(uint32_t file, uint64_t offset, std::string what);  // offset: in the file
  void merge(FirstFault& other);
  bool lies_before(uint32_t file, uint64_t offset) const;  // there is one, and it does
  Status status() const;  // invalid, with the file's name and the offset, if there is one

  void encode(ByteWriter& out) const;
  bool decode(ByteReader& in);  // into an empty one

 private:
  struct Placed {
    uint32_t file;
    uint64_t offset;
    std::string what;
  };
  const std::vector<InputFile>& files_;
  std::optional<Placed> first_;
};

}  // namespace cairn::tasks

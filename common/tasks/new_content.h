// How write and generate fill a file's new content.
#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/tasks/content.h"
#include "common/tasks/file_work.h"
#include "common/tasks/per_file.h"

namespace cairn::tasks {

// The arguments kind, seed and size. Immutable.
class ContentOrders {
 public:
  // invalid: a text, or a size that the kind cannot have.
  static Result<ContentOrders> of(const Job& job);
  ContentOf content(const std::vector<InputFile>& files, uint32_t file, uint64_t round) const;
  // For Needs::file_bytes: the largest size that was asked for; 0 if none was, or it cannot be read.
  static uint64_t largest_size(const Arguments& arguments);

 private:
  ContentKind kind_ = ContentKind::bytes;
  uint64_t seed_ = 0;
  PerFile sizes_;
};

// From the beginning, and durable when it returns. `crc32c`: of all bytes.
Status fill(NewContent& into, const ContentOf& of, uint32_t* crc32c = nullptr);

}  // namespace cairn::tasks

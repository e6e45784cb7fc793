// The directory of a disk cache belongs to one mount at a time: DIR/lock is flock()ed by it, also over kill -9 of
// others.
//
// Real files: not for code that a simulation runs.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace cairn {

class CacheDirectory {
 public:
  // Makes the directory if it is missing, readable for its owner alone: it will hold what is in files.
  // busy: another mount uses it.
  static Result<CacheDirectory> take(const std::string& path);

 private:
  explicit CacheDirectory(UniqueFd lock) : lock_(std::move(lock)) {}
  UniqueFd lock_;
};

}  // namespace cairn

// What keeps two processes off one data directory, and the file that tells others where this one listens. For main.cc: real files.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/types.h"
#include "common/base/unique_fd.h"

namespace cairn {

// DIR/lock, held for as long as this lives, with the process's id in it for people.
class DataLock {
 public:
  // Makes the directory if it is missing. busy: another process has it.
  static Result<DataLock> take(const std::string& directory);

 private:
  explicit DataLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// Writes one "HOST:PORT\n" for each address, so that a reader sees all of it or nothing.
Status write_port_file(const std::string& path, const std::vector<Address>& addresses);

}  // namespace cairn

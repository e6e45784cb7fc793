// The metaserver's data directory, and the file that tells others its port. For main.cc: real files only.
//
//   DIR/lock     held by the running process, with its pid
//   DIR/log/     command_log.h
//   DIR/store/   rocks_store.h
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/base/types.h"
#include "common/base/unique_fd.h"

namespace cairn {

class DataDirectory {
 public:
  // Makes the directory if it is missing, and locks it for as long as this lives. busy: another process has it.
  static Result<DataDirectory> open(const std::string& path);
  std::string log() const { return path_ + "/log"; }
  std::string store() const { return path_ + "/store"; }

 private:
  DataDirectory(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  UniqueFd lock_;
};

// Writes "HOST:PORT\n" so that a reader sees all of it or nothing.
Status write_port_file(const std::string& path, const Address& address);

}  // namespace cairn

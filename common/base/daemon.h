// What the main functions of the servers have in common: one process for a data directory, the file that tells others
// where it listens, limits, and the signals that end it. Real files and signals: not for code that a simulation runs.
#pragma once

#include <signal.h>

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "common/base/disk.h"
#include "common/base/result.h"
#include "common/base/types.h"
#include "common/base/unique_fd.h"

namespace cairn {

// DIR/lock, held for as long as this lives, with the process's id in it for people.
class DirectoryLock {
 public:
  // Makes the directory if it is missing. busy: another process of this program ("cairn-metaserver") has it.
  static Result<DirectoryLock> take(const std::string& directory, const std::string& program);

 private:
  explicit DirectoryLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// The disk of a server's data directory: the real one. With CAIRN_FORGETFUL_DISK=SEED in the environment one that
// forgets at kill -9 what was not synced (forgetful_disk.h), with its shadow in DIR/unsynced: for tests.
class DataDisk {
 public:
  // invalid: the variable is no number. The directory is locked by its caller.
  static Result<DataDisk> open(const std::string& directory);
  Disk& operator*() const { return forgetful_ ? *forgetful_ : real_disk(); }

 private:
  explicit DataDisk(std::unique_ptr<Disk> forgetful) : forgetful_(std::move(forgetful)) {}
  std::unique_ptr<Disk> forgetful_;
};

// The end of a server's main(): logs as that level says (log.h), serves, and tells standard error why it could not. The
// exit code.
int run_server(const std::string& program, const std::string& log_level, const std::function<Status()>& serve);

// Writes one "HOST:PORT\n" for each address, so that a reader sees all of it or nothing.
Status write_port_file(const std::string& path, std::span<const Address> addresses);

// Blocks SIGTERM and SIGINT, so that wait_for_end() alone takes them: call it before the first thread begins. Ignores
// SIGPIPE.
sigset_t block_end_signals();
// Waits for one of them and says in the log which.
void wait_for_end(const sigset_t& ends);

// What a process's descriptors are for: so many servers in it, each with its files and its connections.
struct DescriptorPlan {
  uint32_t servers = 1;
  uint64_t files_each = 0;           // of one server, besides what its connections need
  uint32_t for_each_connection = 1;  // the socket, and files that it may have in use
  uint32_t connections_wanted = 0;   // of one server
};
// How many connections each server may have so that `descriptors` suffice. invalid if that is less than 16: with the
// number that would do.
Result<uint32_t> connections_that_fit(const DescriptorPlan& plan, uint64_t descriptors);
// Raises the process's limit of open files as far as it may, and plans with that. Says in the log when there are fewer
// connections than wanted, and what to do.
Result<uint32_t> plan_descriptors(const DescriptorPlan& plan);

}  // namespace cairn

// Fetches results of tasks that were too large for the metaserver from the workers that keep them.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/network.h"
#include "common/meta/jobs.h"

namespace cairn {

// Keeps a connection to each worker that it has asked. One thread. Errors: not_found: the worker does not have the
// result any more; corrupt: it is another one than was reported; unavailable, timed_out: it cannot be reached now.
class PartialFetcher {
 public:
  // timeout: of each piece.
  PartialFetcher(Network& network, Clock& clock, JobId job, Duration timeout = std::chrono::seconds(10));
  ~PartialFetcher();

  // All of the partial, checked against its length and checksum.
  Result<std::string> all(const TaskResult& result);
  // Exactly so many bytes of it, whose owner checks them.
  Result<std::string> range(const TaskResult& result, uint64_t offset, uint64_t bytes);

 private:
  struct Connection;
  Result<std::string> piece(const TaskResult& result, uint64_t offset, uint64_t bytes);  // at least one byte of them
  Result<Connection*> connection_to(const TaskResult& result);
  std::string name_of(const TaskResult& result) const;

  Network& network_;
  Clock& clock_;
  const JobId job_;
  const Duration timeout_;
  std::map<std::string, std::unique_ptr<Connection>> connections_;  // by address
};

}  // namespace cairn

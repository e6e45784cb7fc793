// How an operator runs a program that a user brought, without knowing what a process is.
//
//   exec (operators/exec.cc) --start, feed, finish--> ProgramRunner      real: common/programs; in tests: a function
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace cairn::tasks {

struct ProgramOrder {
  std::string command;  // for sh -c
  std::string shipped;  // the bytes of /job/program; empty: none
  std::map<std::string, std::string> environment;
  Duration wall{}, cpu{};
  uint64_t memory_bytes = 0, scratch_bytes = 0, output_bytes = 0;
  uint32_t processes = 0;
};

// One program from its start to its end, for one thread, unless it says otherwise. Its destructor ends it.
class ProgramRun {
 public:
  virtual ~ProgramRun() = default;
  virtual Status feed(std::string_view input) = 0;
  // All that it wrote. invalid: how it failed, with the end of its standard error. io: it could not begin here.
  virtual Result<std::string> finish() = 0;
  virtual void cancel() = 0;  // from any thread: the others end soon, with an error
};

class ProgramRunner {
 public:
  virtual ~ProgramRunner() = default;
  // From any thread. invalid: the order is beyond a bound.
  virtual Result<std::unique_ptr<ProgramRun>> start(const ProgramOrder& order) = 0;
};

}  // namespace cairn::tasks

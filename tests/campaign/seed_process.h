// One seed in a process of its own: a run that goes wrong ends its process, and the fibers of killed processes are
// never freed.
//
//   ASSIGN(SeedProcess run, SeedProcess::start(7, {}));   then poll run.output(), run.take_output() until it is false
//   RunOutcome outcome = run.outcome();                   or all of that by run_seed(7)
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/probes/planted_bug.h"
#include "common/probes/rare_path.h"

namespace cairn {

struct RunOptions {
  PlantedBug bug = PlantedBug::none;  // needs kBugsCanBePlanted
  bool loud = false;                  // the story also goes to stderr as it happens, with what the libraries log
};

struct RunOutcome {
  uint64_t seed = 0;
  bool good = false;
  std::string story{};          // all lines
  std::string verdict{};        // of a bad one: the last line, or how the process died
  uint64_t trace_hash = 0;      // of a good one
  RarePathCounts rare_paths{};  // of a good one
};

class SeedProcess {
 public:
  static Result<SeedProcess> start(uint64_t seed, RunOptions options);
  SeedProcess(SeedProcess&& other) noexcept;
  SeedProcess& operator=(SeedProcess&& other) noexcept;
  ~SeedProcess();  // ends it, if its outcome was not waited for

  int output() const { return output_.get(); }  // readable: take_output() will not wait
  bool take_output();                           // false: that was all
  RunOutcome outcome();                         // after that; once

 private:
  SeedProcess(uint64_t seed, pid_t child, UniqueFd output, bool loud)
      : seed_(seed), child_(child), output_(std::move(output)), loud_(loud) {}
  int wait_for_end();

  uint64_t seed_;
  pid_t child_;  // 0: it has ended
  UniqueFd output_;
  bool loud_;
  std::string story_;
};

RunOutcome run_seed(uint64_t seed, RunOptions options = {});

}  // namespace cairn

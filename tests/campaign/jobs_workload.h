// The programs on the machine "jobs", which submits near-data jobs: what they share with the driver, and their mains.
//
//   mount, see what the last crash left --> submitters (submitter.h), each with a directory of its own --> close
//
// Lives outside of the machines, like the other workloads (workloads.h): in a harsh run a call may fail, then the mount
// ends, and the next one judges what it left.
#pragma once

#include <optional>

#include "client/jobs/job_client.h"
#include "tests/campaign/cairn_world.h"
#include "tests/campaign/jobs_model.h"

namespace cairn {

struct JobsOptions {
  bool on = false;
  uint32_t submitters = 1;
  uint32_t files = 3;         // of each, at least 1
  uint32_t rows = 2000;       // of a file, at most
  Duration longest_pause{1};  // between two steps of a submitter
  FilesystemOptions mount;    // seed and address are set at each start
};

// Of one submitter.
struct JobsDirectory {
  InodeId inode{};  // 0: not made yet
  std::vector<VersionedFile> files;
  std::map<std::string, std::string> outputs;  // that are there, and their text
  std::optional<KnownJob> job;                 // not judged yet
  uint64_t next_mark = 1;
};

struct JobsState {
  JobsOptions options;
  std::vector<JobsDirectory> directories{};
  bool finish = false;     // set by the driver: the trouble is over; end the job at hand, and close
  bool broken = false;     // a call failed: this mount ends
  bool formatted = false;  // all files are there
  uint64_t mounts = 0;
  uint64_t done = 0, failed = 0, cancelled = 0, lost = 0;  // jobs, by their end; of lost the result was gone
  std::vector<std::string> doing{};                        // by each submitter

  static std::string directory(size_t submitter) { return fmt::format("jobs-w{}", submitter); }
  static std::string file(size_t index) { return fmt::format("in{}", index); }
  void tell(Story& story) const;
};

// What a submitter works with, while one mount lives.
struct JobsMount {
  CairnWorld& world;
  JobsState& state;
  SimMachine& machine;
  Filesystem& files;
};
Result<JobClient> connect_jobs(const JobsMount& mount, uint64_t number);

// Mounts, judges what the last crash left, submits jobs until it is told to finish, closes.
void run_jobs(CairnWorld& world, JobsState& state, SimMachine& machine);

// Mounts afresh; every job ends, everything is judged, and a new job of each directory is done and right. No hidden
// file is left.
void run_jobs_verification(CairnWorld& world, JobsState& state, SimMachine& machine);

// Mounts, deletes everything, closes.
void run_jobs_deletion(CairnWorld& world, JobsState& state, SimMachine& machine);

}  // namespace cairn

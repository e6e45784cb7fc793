// What near-data jobs may answer, known without asking the cluster: the judge of their tables.
//
//   input   versions: 0 (empty), 1, 2, ...       each is one call, atomic, made durable before the next one begins
//   job     [finished when it was submitted .. begun when it was seen to be pinned] of each input: what it may have
//   read table   that of the same operator, in one piece, over one version of each of them: else it is wrong
//
// So a file that was counted twice or not at all, a range that was lost, a mixture of two versions: each is another
// table. Lives outside of the simulated machines; pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/meta/jobs.h"

namespace cairn {

class VersionedFile {
 public:
  // Before the call: from its start on a job may read it.
  void begin(std::string content) { versions_.push_back(std::move(content)); }
  void done() { done_ = versions_.size() - 1; }  // it is durable
  // What a crash or a failed call has left. False: it may not be.
  bool adopt(const std::string& seen);

  size_t finished() const { return done_; }
  size_t begun() const { return versions_.size() - 1; }
  const std::string& version(size_t index) const { return versions_[index]; }
  const std::string& latest() const { return versions_.back(); }

  InodeId inode{};

 private:
  std::vector<std::string> versions_{""};
  size_t done_ = 0;
};

struct ReadVersions {  // of one input, that a job may have read
  size_t file = 0;     // index
  size_t oldest = 0;
  std::optional<size_t> newest{};  // none: not seen to be pinned yet
};

// One job, from before it is submitted until its end is judged.
struct KnownJob {
  JobId id{};        // 0: not answered
  std::string mark;  // begins the names of its inputs, and of no other job's
  std::string op;
  std::map<std::string, std::string> arguments;
  uint64_t task_bytes = kMinTaskBytes;
  std::vector<ReadVersions> inputs;
  std::optional<JobOutput> output;
  bool cancelled = false;      // somebody has asked for that
  uint64_t workers_begun = 0;  // in all, when it was submitted

  std::string input_name(size_t input) const { return mark + "/" + std::to_string(input); }
  void saw_pinned(const std::vector<VersionedFile>& files);
};

// The table of an operator over whole files, in one piece: as `cairn task try`.
Result<std::string> table_of(const KnownJob& job, const std::vector<std::string>& contents);

// Which versions explain the table. For each input whether all that do are older than the newest finished one, so that
// the job must say it changed. Nothing: no versions explain it.
std::optional<std::vector<bool>> explain(const KnownJob& job, const std::vector<VersionedFile>& files,
                                         const std::string& table);

}  // namespace cairn

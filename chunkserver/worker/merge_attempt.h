// The last task of a job with an output in the filesystem: merges all results, writes what comes to a file under a
// hidden name, makes it durable, and lets the metaserver give it its name and end the job, in one step.
//
// The file is written as any client writes (client/filesystem.h), through a session of its own that lives until the
// metaserver has answered. Whatever happens before that answer leaves at most a hidden file, which the next attempt, or
// the end of the job, removes; two attempts have two hidden names.
#pragma once

#include <memory>
#include <optional>

#include "chunkserver/worker/attempt.h"
#include "client/filesystem.h"

namespace cairn {

class MergeAttempt : public Attempt {
 public:
  MergeAttempt(AttemptParts parts, Assignment assignment) : Attempt(parts, std::move(assignment)) {}
  ~MergeAttempt() override;  // without an answer: removes what it wrote
  Result<TaskVerdict> report(const FinishTask& finish) override;

 private:
  Status work(FinishTask& finish) override;
  Status append(std::string_view text);
  Status create();
  Status close(Status written);  // and makes it durable, if it was written
  void remove();                 // of the hidden file; best effort

  std::unique_ptr<Filesystem> filesystem_;
  std::optional<Filesystem::Created> created_;  // the hidden file
  uint64_t written_ = 0;                        // bytes
  InodeId inode_{};                             // of the hidden file, once it is durable
  bool answered_ = false;                       // the metaserver knows of it
};

}  // namespace cairn

// The last task of a job with an output in the filesystem: merges all results, writes the table to a file under a
// hidden name, makes it durable, and lets the metaserver give it its name and end the job, in one step.
//
// The file is written as any client writes (client/filesystem.h), through a session of its own that lives until the
// metaserver has answered. Whatever happens before that answer leaves at most a hidden file, which the next attempt, or
// the end of the job, removes; two attempts have two hidden names.
#pragma once

#include <memory>

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
  Status write(const std::string& text);
  void remove();  // of the hidden file; best effort

  std::unique_ptr<Filesystem> filesystem_;
  InodeId inode_{};        // of the hidden file, once it is durable
  bool answered_ = false;  // the metaserver knows of it
};

}  // namespace cairn

// What a task does to files: reads of its splits, and new contents, which become the files' with its result.
//
//   read     a split of the pinned file, again and again: from the disk beside us, as a mapped one
//   replace  an anonymous file (client/filesystem.h), written as by any client
//            given --> FinishTask::outputs --> the command that ends the task exchanges the contents, or none of them
//
// The client's session is that of the task: an attempt that dies leaves nothing, and what the files had before dies
// with it as well. One thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "chunkserver/worker/attempt.h"
#include "chunkserver/worker/local_shards.h"
#include "chunkserver/worker/pinned_file.h"
#include "client/filesystem.h"
#include "common/tasks/file_work.h"

namespace cairn {

class TaskFiles : public tasks::FileWork {
 public:
  // The next piece of [at, end) of the file.
  using Piece = std::function<Result<std::string_view>(PinnedFile& file, uint64_t at, uint64_t end)>;
  struct Callbacks {
    Piece piece;
    std::function<Status()> wanted;  // interrupted: the attempt was cancelled
  };
  // parts and view outlive this; local, the reading.
  TaskFiles(const AttemptParts& parts, const JobView& view, LocalShards& local, Callbacks callbacks);
  ~TaskFiles() override;  // what was not taken is gone

  void use(PinnedFile& file) { file_ = &file; }  // of the splits that follow

  Instant now() const override { return parts_.clock.now(); }
  Result<tasks::SplitBytes> read(const tasks::Split& split, bool cold) override;
  Result<std::unique_ptr<tasks::NewContent>> replace(uint32_t file, const std::string& policy) override;

  const std::vector<TaskOutput>& outputs() const { return outputs_; }
  // Takes away the outputs that cannot become the contents of their files, and tells of each. False: there is none
  // such.
  Result<bool> drop_changed(const std::function<void(uint32_t file, const std::string& why)>& tell);
  void release();  // the metaserver has answered: what our anonymous files hold now is not wanted

 private:
  class Content;
  Result<Filesystem*> filesystem();
  Result<std::string> class_text(ClassId id);

  const AttemptParts& parts_;
  const JobView& view_;
  LocalShards& local_;
  const Callbacks callbacks_;
  PinnedFile* file_ = nullptr;
  std::vector<StorageClass> classes_;
  std::unique_ptr<Filesystem> filesystem_;
  std::vector<TaskOutput> outputs_;  // given
  std::vector<FileHandle> handles_;  // of those
};

}  // namespace cairn

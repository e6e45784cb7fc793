// One worker of the workload: random calls on the files of its own directory, each held against the model.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "client/filesystem.h"
#include "common/base/random.h"
#include "tests/campaign/workloads.h"

namespace cairn {

// The whole content by its size as stat says it.
Result<FileModel::Bytes> read_all(Story& story, Filesystem& files, InodeId inode);

class FilesWorker {
 public:
  FilesWorker(CairnWorld& world, WorkloadState& state, Filesystem& files, uint32_t index, uint64_t seed);
  void step();
  void end();  // releases what it holds open

 private:
  struct Open {
    std::string name;  // when it was opened
    FilePointer file;
    FileHandle handle = 0;
  };
  DirectoryModel& directory() { return state_.oracle.directories[index_]; }
  uint64_t length();
  FileModel::Bytes bytes(uint64_t count);
  std::string unused_name();
  void write(Open& open, uint64_t offset);
  void scatter(Open& open);
  void append(Open& open);
  void truncate(Open& open);
  void zero(Open& open);
  void read(Open& open);
  void check(Open& open);
  void sync(Open& open);
  void sync_all();
  void create();
  void rename();
  void unlink();
  void release_unnamed();
  [[noreturn]] void failed(const std::string& what, const Error& error);
  template <typename T>
  T expect(const std::string& what, Result<T> result) {
    if (!result.ok()) failed(what, result.error());
    return std::move(result).value();
  }
  void expect(const std::string& what, const Status& status) {
    if (!status.ok()) failed(what, status.error());
  }
  void change_names(const std::string& what, Names after, const std::function<Status()>& call);
  std::string label(const Open& open) const;
  // What was buffered under a session that is lost is gone, as after a crash: the next mount judges what is left.
  void end_if_session_is_lost();
  template <typename... Args>
  void wrong(fmt::format_string<Args...> text, Args&&... args) {
    end_if_session_is_lost();
    story_.wrong(text, std::forward<Args>(args)...);
  }
  void doing(std::string what) { state_.doing[index_] = std::move(what); }

  CairnWorld& world_;
  Story& story_;
  WorkloadState& state_;
  Filesystem& files_;
  const uint32_t index_;
  Random random_;
  uint64_t next_name_ = 0;
  std::vector<Open> open_;  // all files with a name, and some without
};

}  // namespace cairn

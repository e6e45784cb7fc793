// A Disk that forgets at the death of its process what was not synced, so that kill -9 stands for a power cut. Over
// another Disk, which is the real one but for tests. What tests/sim/sim_disk.h is to a simulation, this is to real
// processes.
//
//   write, truncate, punch --> this process's memory        --sync_data------> the file below
//   create                 --> SHADOW/N, and a name here    --sync_directory-> its name below
//   rename, remove         --> this process's memory        --sync_directory-> the name below
//
// Readers of this process see all of it; another process that opens the same files sees what a power cut would leave.
// With a seed, about one change in four reaches the disk below at once, and half of those writes only in some of
// their sectors of 512 bytes: so after a kill some unsynced changes are there and others are not, in any order, and a
// write may be torn. A change of a name takes earlier changes of the same names with it, and those only.
//
// All files must lie on the filesystem of the shadow directory, which is not listed, and which is cleared when the disk
// is made. Of a directory, only its making and its removal are supported, and both are durable at once. Preallocation
// is not forgotten: nobody can read it. The disk outlives its files. Thread-safe, as disk.h says.
//
// Not here: the metaserver's RocksDB, which does its own I/O. Its memtables die with the process, it syncs its tables
// by itself, and it has no log; what it wrote and did not sync survives the kill. Nor what the disk below loses in
// a real power cut: its syncs are passed on, with their failures, but what they achieve is not checked here.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/disk.h"
#include "common/base/forgetful_file.h"
#include "common/base/random.h"
#include "common/base/thread.h"

namespace cairn {

class ForgetfulDisk : public Disk {
 public:
  struct Options {
    std::string shadow_directory;  // made if it is missing; nobody else's
    uint64_t seed = 0;             // 0: every unsynced change is forgotten whole
  };
  // Removes what an earlier process left in the shadow directory.
  static Result<std::unique_ptr<ForgetfulDisk>> open(Disk& below, Options options);

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Status remove(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status make_directories(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<DiskSpace> space(const std::string& path) override;

 private:
  friend class ForgetfulHandle;
  using FileRef = std::shared_ptr<ForgetfulFile>;
  struct NameChange {  // one of create (from empty), remove (to empty), rename (both)
    std::string from;
    std::string to;
    FileRef file;
    bool touches(const std::string& path) const { return from == path || to == path; }
  };
  enum class Kind { none, file, directory };

  ForgetfulDisk(Disk& below, Options options);
  UnsyncedFate fate();
  void closed(FileRef file);  // a handle of it
  Result<bool> named(const FileRef& file);

  // All require the turn of names_.
  Result<Kind> kind_of(const std::string& path);
  Result<FileRef> find(const std::string& path);  // null: there is no such file
  Result<FileRef> create(const std::string& path);
  Status require_parent(const std::string& path);
  void change(NameChange change);
  Status make_durable(const std::function<bool(const NameChange&)>& wanted);
  Status apply(const NameChange& change);
  Result<std::set<std::string>> names_in(const std::string& directory);

  Disk& below_;
  const Options options_;
  Turns names_;  // of all calls but those on files
  // Used in the turn of names_.
  uint64_t created_ = 0;                 // files in the shadow directory, so far
  std::vector<NameChange> unsynced_;     // in their order
  std::map<std::string, FileRef> seen_;  // of each path that an unsynced change names; null: no file there
  Mutex mutex_;
  // Guarded by mutex_.
  Random random_;
  std::map<std::string, FileRef> files_;  // by their home below: the open and the dirty ones
};

}  // namespace cairn

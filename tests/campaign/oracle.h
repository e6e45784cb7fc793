// What a filesystem may answer, known without asking it: the judge of a simulated run.
//
//   write, truncate, zero --> content   what every read in the same mount must see
//                         '-> pending   told to the filesystem, not yet acknowledged by an fsync
//   acknowledge(mark)     --> durable   what no crash may take
//
// After a crash each byte is the durable one or that of a pending change; the size likewise; and each pending write is
// there as a whole or not at all, where no other pending change touched it. A directory is as before or as after the
// one change that was under way. What was seen after a crash was committed: it is adopted as durable.
//
// One owner at a time for each model (a simulation has one thread). Not here: who calls what (workloads.h).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/base/types.h"

namespace cairn {

class FileModel {
 public:
  using Bytes = std::vector<uint8_t>;

  // Before the call: from its start on, a crash may leave the change.
  void write(uint64_t offset, Bytes data);
  void truncate(uint64_t size);
  void zero(uint64_t offset, uint64_t length, bool may_grow);

  const Bytes& content() const { return content_; }
  uint64_t mark() const { return changes_; }  // all changes so far
  void acknowledge(uint64_t mark);            // an fsync that began at this mark has succeeded

  // Nothing: a crash may leave this content. Otherwise why not, in words.
  std::optional<std::string> objection(std::span<const uint8_t> seen) const;
  void adopt(Bytes seen);

  InodeId inode{};  // 0: its creation was not answered

 private:
  struct Change {
    enum class Kind : uint8_t { write, truncate, zero } kind = Kind::write;
    uint64_t offset = 0;  // of truncate: the size
    uint64_t length = 0;  // of truncate: to the end of all files
    Bytes data{};         // of write
    bool may_grow = true;

    bool covers(uint64_t at) const { return at >= offset && at - offset < length; }
    uint8_t value(uint64_t at) const { return kind == Kind::write ? data[at - offset] : uint8_t{0}; }
  };
  static void apply(const Change& change, Bytes& content);
  void add(Change change);
  std::optional<std::string> size_objection(uint64_t size) const;
  std::optional<std::string> byte_objection(std::span<const uint8_t> seen) const;
  std::optional<std::string> torn_write(std::span<const uint8_t> seen) const;

  Bytes content_;
  Bytes durable_;
  std::deque<Change> pending_;  // the last of changes_
  uint64_t changes_ = 0;
};

using FilePointer = std::shared_ptr<FileModel>;
using Names = std::map<std::string, FilePointer>;

// One directory of files, changed by one worker.
class DirectoryModel {
 public:
  const Names& names() const { return names_; }
  // A change of names: begin, call, and done with its answer. Between them a crash leaves either.
  void begin(Names after) { after_ = std::move(after); }
  void done() {
    if (after_) names_ = *std::exchange(after_, std::nullopt);
  }

  // The names a crash left, with their inodes: takes the state that agrees. False: neither does.
  bool settle(const std::map<std::string, InodeId>& seen);

  InodeId inode{};

 private:
  static bool agrees(const Names& names, const std::map<std::string, InodeId>& seen);

  Names names_;
  std::optional<Names> after_;
};

// Everything that the filesystem should hold.
struct Oracle {
  std::vector<DirectoryModel> directories;  // one for each worker (WorkloadState::directory)
};

}  // namespace cairn

// The real disk, with faults at will: full, failing or held still. For tests of what must survive that.
#pragma once

#include <atomic>
#include <memory>

#include "common/base/disk.h"
#include "common/base/thread.h"

namespace cairn::test {

class BreakableDisk : public Disk {
 public:
  std::atomic<bool> fail_reads = false, fail_writes = false;
  std::atomic<uint64_t> free_bytes = uint64_t{1} << 40;  // what space() answers
  std::atomic<uint64_t> room = UINT64_MAX;               // bytes that writes may still take, then no_space

  // Writes wait while they are held.
  void hold_writes(bool held) {
    Lock lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (fail_writes && mode != OpenMode::read_only) return Error{Errc::io, "open " + path + ": broken by the test"};
    ASSIGN(std::unique_ptr<File> file, real_disk().open(path, mode));
    return std::unique_ptr<File>(std::make_unique<BreakableFile>(*this, std::move(file)));
  }
  Status remove(const std::string& path) override { return real_disk().remove(path); }
  Status rename(const std::string& from, const std::string& to) override { return real_disk().rename(from, to); }
  Status make_directories(const std::string& path) override { return real_disk().make_directories(path); }
  Status sync_directory(const std::string& path) override { return real_disk().sync_directory(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return real_disk().list(path); }
  Result<DiskSpace> space(const std::string& path) override {
    TRY(real_disk().space(path));
    return DiskSpace{uint64_t{1} << 40, free_bytes};
  }

 private:
  class BreakableFile : public File {
   public:
    BreakableFile(BreakableDisk& disk, std::unique_ptr<File> file) : disk_(disk), file_(std::move(file)) {}
    Result<size_t> read_at(uint64_t offset, std::span<uint8_t> into) override {
      if (disk_.fail_reads) return Error{Errc::io, "read: broken by the test"};
      return file_->read_at(offset, into);
    }
    Status write_at(uint64_t offset, std::span<const iovec> pieces) override {
      {
        Lock lock(disk_.mutex_);
        disk_.changed_.wait(lock, [this] { return !disk_.held_; });
      }
      if (disk_.fail_writes) return Error{Errc::io, "write: broken by the test"};
      uint64_t bytes = 0;
      for (const iovec& piece : pieces) bytes += piece.iov_len;
      if (bytes > disk_.room) return Error{Errc::no_space, "write: filled up by the test"};
      if (disk_.room != UINT64_MAX) disk_.room -= bytes;
      return file_->write_at(offset, pieces);
    }
    Status sync_data() override { return file_->sync_data(); }
    Status truncate(uint64_t size) override { return file_->truncate(size); }
    Status preallocate(uint64_t offset, uint64_t length) override { return file_->preallocate(offset, length); }
    Status punch(uint64_t offset, uint64_t length) override { return file_->punch(offset, length); }
    Result<uint64_t> size() override { return file_->size(); }
    Result<uint64_t> allocated() override { return file_->allocated(); }
    Result<uint64_t> next_data(uint64_t offset) override { return file_->next_data(offset); }
    Result<bool> named() override { return file_->named(); }

   private:
    BreakableDisk& disk_;
    const std::unique_ptr<File> file_;
  };

  Mutex mutex_;
  CondVar changed_;
  bool held_ = false;  // guarded by mutex_
};

}  // namespace cairn::test

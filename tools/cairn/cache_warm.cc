#include "tools/cairn/cache_warm.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "common/base/clock.h"
#include "common/base/thread.h"
#include "tools/cairn/command_line.h"
#include "tools/cairn/locate.h"
#include "tools/cairn/text_table.h"

namespace cairn::tools {
namespace {

namespace fs = std::filesystem;
constexpr uint64_t kRangeBytes = 4u << 20;  // asked for at once: a worker of the mount is busy with it
constexpr Duration kProgressEvery = 1s;

struct WarmFile {
  std::string path;
  uint64_t bytes = 0;
};

// Regular files at and below the path; links are not followed, other filesystems not entered.
Status collect(const std::string& path, std::vector<WarmFile>& files) {
  struct stat top {};
  if (::lstat(path.c_str(), &top) != 0)
    return Error{Errc::not_found, fmt::format("{}: {}", path, std::strerror(errno))};
  TRY(mount_at_or_above(path));
  if (S_ISREG(top.st_mode)) files.push_back({path, static_cast<uint64_t>(top.st_size)});
  if (!S_ISDIR(top.st_mode)) return {};
  std::error_code error;
  fs::recursive_directory_iterator it(path, fs::directory_options::skip_permission_denied, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    struct stat one {};
    if (::lstat(it->path().c_str(), &one) != 0) continue;  // removed meanwhile
    if (S_ISDIR(one.st_mode) && one.st_dev != top.st_dev) it.disable_recursion_pending();
    if (S_ISREG(one.st_mode)) files.push_back({it->path().string(), static_cast<uint64_t>(one.st_size)});
  }
  if (error) return Error{Errc::io, fmt::format("{} cannot be listed: {}", path, error.message())};
  return {};
}

// Hands out ranges to threads, and shows how far it is.
class Warmer {
 public:
  explicit Warmer(std::vector<WarmFile> files) : files_(std::move(files)), failed_(files_.size()) {
    for (const WarmFile& file : files_) total_ += file.bytes;
  }

  WarmReport run(uint32_t threads, bool quiet) {
    const Instant started = real_clock().now();
    {
      std::vector<Thread> workers;
      for (uint32_t i = 0; i < threads; ++i) workers.emplace_back("cairn-warm", [this] { work(); });
      Lock lock(mutex_);
      busy_ = threads;
      started_.notify_all();
      while (busy_ > 0) {
        if (!finished_.wait_until(lock, real_clock().now() + kProgressEvery) && !quiet)
          say(progress(real_clock().now() - started));
      }
    }
    for (size_t i = 0; i < files_.size(); ++i) {
      if (!failed_[i]) ++report_.files;
      if (failed_[i]) ++report_.failures;
    }
    report_.milliseconds = static_cast<uint64_t>((real_clock().now() - started) / 1ms);
    return report_;
  }

 private:
  struct Range {
    size_t file = 0;
    uint64_t offset = 0, length = 0;
  };
  bool next(Range& range) {  // under mutex_
    while (file_ < files_.size() && offset_ >= files_[file_].bytes) {
      ++file_;
      offset_ = 0;
    }
    if (file_ == files_.size()) return false;
    range = {file_, offset_, std::min(kRangeBytes, files_[file_].bytes - offset_)};
    offset_ += range.length;
    return true;
  }

  void work() {
    Lock lock(mutex_);
    started_.wait(lock, [this] { return busy_ > 0; });
    Range range;
    while (next(range)) {
      lock.unlock();
      const std::string name = fmt::format("cairn.cache.warm.{}.{}", range.offset, range.length);
      char answer[16];
      const bool ok = ::getxattr(files_[range.file].path.c_str(), name.c_str(), answer, sizeof answer) >= 0;
      const int error = errno;
      lock.lock();
      done_ += range.length;
      if (ok) report_.bytes += range.length;
      if (!ok && error != ENOENT) {  // gone is not a failure: there is nothing to be cached
        if (report_.first_failure.empty())
          report_.first_failure = fmt::format("{}: {}", files_[range.file].path, std::strerror(error));
        failed_[range.file] = true;
      }
    }
    --busy_;
    finished_.notify_all();
  }

  std::string progress(Duration taken) const {  // under mutex_
    const auto ms = static_cast<uint64_t>(taken / 1ms);
    const uint64_t left = done_ == 0 ? 0 : ms * (total_ - done_) / done_;
    return fmt::format("cairn cache: {} of {} ({} %), {} files, {} left", human_bytes(done_), human_bytes(total_),
                       total_ == 0 ? 100 : done_ * 100 / total_, files_.size(),
                       done_ == 0 ? "unknown time" : human_milliseconds(static_cast<int64_t>(left)));
  }

  const std::vector<WarmFile> files_;
  uint64_t total_ = 0;
  Mutex mutex_;
  CondVar started_, finished_;
  std::vector<bool> failed_;  // guarded by mutex_, as the rest
  size_t file_ = 0;           // where the next range begins
  uint64_t offset_ = 0;
  uint64_t done_ = 0;
  uint32_t busy_ = 0;
  WarmReport report_;
};

}  // namespace

Result<WarmReport> warm(const std::vector<std::string>& paths, uint32_t threads, bool quiet) {
  std::vector<WarmFile> files;
  for (const std::string& path : paths) TRY(collect(absolute_path(path), files));
  return Warmer(std::move(files)).run(threads, quiet);
}

}  // namespace cairn::tools

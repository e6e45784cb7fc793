#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>

#include "common/base/disk.h"
#include "common/base/errno_error.h"
#include "common/base/unique_fd.h"

namespace cairn {
namespace {

// Repeats a system call while signals interrupt it.
template <typename Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class RealFile : public File {
 public:
  RealFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> into) override {
    size_t done = 0;
    while (done < into.size()) {
      const ssize_t n = uninterrupted([&] {
        return ::pread(fd_.get(), into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
      });
      if (n < 0) return failed("read");
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Status write_at(uint64_t offset, std::span<const iovec> pieces) override {
    size_t skip = 0;  // bytes of the first piece that are already written
    while (!pieces.empty()) {
      ssize_t n = 0;
      if (skip == 0) {
        const int count = static_cast<int>(std::min<size_t>(pieces.size(), IOV_MAX));
        n = uninterrupted([&] { return ::pwritev(fd_.get(), pieces.data(), count, static_cast<off_t>(offset)); });
      } else {
        const auto* base = static_cast<const uint8_t*>(pieces[0].iov_base) + skip;
        n = uninterrupted(
            [&] { return ::pwrite(fd_.get(), base, pieces[0].iov_len - skip, static_cast<off_t>(offset)); });
      }
      if (n < 0) return failed("write");
      offset += static_cast<uint64_t>(n);
      skip += static_cast<size_t>(n);
      const bool stuck = n == 0 && pieces[0].iov_len != 0;
      if (stuck) return Error{Errc::io, "write " + path_ + ": the system took no byte and gave no reason"};
      while (!pieces.empty() && skip >= pieces[0].iov_len) {
        skip -= pieces[0].iov_len;
        pieces = pieces.subspan(1);
      }
    }
    return {};
  }

  // Not repeated after EINTR or any other failure: what was dirty may by then be marked clean.
  Status sync_data() override {
    if (::fdatasync(fd_.get()) != 0) return failed("fdatasync");
    return {};
  }

  Status truncate(uint64_t size) override {
    if (uninterrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }) != 0) return failed("truncate");
    return {};
  }

  Status preallocate(uint64_t offset, uint64_t length) override {
    if (fall(FALLOC_FL_KEEP_SIZE, offset, length) == 0 || errno == EOPNOTSUPP) return {};
    return failed("preallocate");
  }

  Status punch(uint64_t offset, uint64_t length) override {
    if (fall(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) != 0) return failed("punch");
    return {};
  }

  Result<uint64_t> size() override {
    struct stat attributes {};
    if (::fstat(fd_.get(), &attributes) != 0) return failed("stat");
    return static_cast<uint64_t>(attributes.st_size);
  }

  Result<uint64_t> allocated() override {
    struct stat attributes {};
    if (::fstat(fd_.get(), &attributes) != 0) return failed("stat");
    return static_cast<uint64_t>(attributes.st_blocks) * 512;
  }

  Result<uint64_t> next_data(uint64_t offset) override {
    const off_t found = ::lseek(fd_.get(), static_cast<off_t>(offset), SEEK_DATA);
    if (found >= 0) return static_cast<uint64_t>(found);
    if (errno == ENXIO) return Error{Errc::not_found, "no data behind this offset in " + path_};
    return failed("seek");
  }

  Result<bool> named() override {
    struct stat attributes {};
    if (::fstat(fd_.get(), &attributes) != 0) return failed("stat");
    return attributes.st_nlink > 0;
  }

  int descriptor() const override { return fd_.get(); }

 private:
  Error failed(const char* operation) const { return file_error(operation, path_, errno); }
  int fall(int mode, uint64_t offset, uint64_t length) {
    if (length == 0) return 0;
    return uninterrupted(
        [&] { return ::fallocate(fd_.get(), mode, static_cast<off_t>(offset), static_cast<off_t>(length)); });
  }

  UniqueFd fd_;
  std::string path_;
};

int flags_of(OpenMode mode) {
  switch (mode) {
    case OpenMode::read_only:
      return O_RDONLY | O_CLOEXEC;
    case OpenMode::read_write:
      return O_RDWR | O_CLOEXEC;
    case OpenMode::create:
      return O_RDWR | O_CREAT | O_CLOEXEC;
    case OpenMode::create_new:
      return O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
  }
  return O_RDONLY | O_CLOEXEC;
}

std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

class RealDisk : public Disk {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    UniqueFd fd(uninterrupted([&] { return ::open(path.c_str(), flags_of(mode), 0640); }));
    if (!fd.valid()) return file_error("open", path, errno);
    return std::unique_ptr<File>(std::make_unique<RealFile>(std::move(fd), path));
  }

  Status remove(const std::string& path) override {
    if (::remove(path.c_str()) != 0) return file_error("remove", path, errno);
    return {};
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return file_error("rename", from + " to " + to, errno);
    return {};
  }

  Status make_directories(const std::string& path) override {
    for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
      TRY(make_directory(path.substr(0, slash)));
      if (slash == std::string::npos) return {};
    }
  }

  Status sync_directory(const std::string& path) override {
    UniqueFd fd(uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (!fd.valid()) return file_error("open directory", path, errno);
    if (::fsync(fd.get()) != 0) return file_error("fsync directory", path, errno);
    return {};
  }

  Result<std::vector<std::string>> list(const std::string& path) override {
    std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), &::closedir);
    if (!directory) return file_error("list", path, errno);
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(directory.get());
      if (entry == nullptr) break;
      std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(std::move(name));
    }
    if (errno != 0) return file_error("list", path, errno);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<DiskSpace> space(const std::string& path) override {
    struct statvfs filesystem {};
    if (uninterrupted([&] { return ::statvfs(path.c_str(), &filesystem); }) != 0) {
      return file_error("statvfs", path, errno);
    }
    return DiskSpace{.total_bytes = filesystem.f_blocks * filesystem.f_frsize,
                     .free_bytes = filesystem.f_bavail * filesystem.f_frsize};
  }

 private:
  Status make_directory(const std::string& path) {
    if (::mkdir(path.c_str(), 0750) == 0) return sync_directory(parent_of(path));
    if (errno != EEXIST) return file_error("mkdir", path, errno);
    struct stat attributes {};
    if (::stat(path.c_str(), &attributes) != 0) return file_error("stat", path, errno);
    if (!S_ISDIR(attributes.st_mode)) return Error{Errc::io, "mkdir " + path + ": a file is in the way"};
    return {};
  }
};

}  // namespace

Disk& real_disk() {
  static RealDisk disk;
  return disk;
}

}  // namespace cairn

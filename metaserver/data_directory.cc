#include "metaserver/data_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <filesystem>

#include "common/base/disk.h"
#include "common/base/errno_error.h"

namespace cairn {
namespace {

// All of a small file's content, in one write.
Status write_text(int fd, const std::string& path, const std::string& text) {
  if (::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) return file_error("write", path, errno);
  return {};
}

}  // namespace

Result<DataDirectory> DataDirectory::open(const std::string& path) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) return file_error("make directory", path, failed.value());
  const std::string name = path + "/lock";
  UniqueFd lock(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!lock.valid()) return file_error("open", name, errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return file_error("lock", name, errno);
    char pid[32] = {};
    const ssize_t length = ::pread(lock.get(), pid, sizeof pid - 1, 0);
    return Error{Errc::busy, fmt::format("{} is in use by another cairn-metaserver (process {}): stop that one, or use another --data", path,
                                         length > 1 ? std::string(pid, static_cast<size_t>(length) - 1) : "unknown")};
  }
  if (::ftruncate(lock.get(), 0) != 0) return file_error("truncate", name, errno);
  TRY(write_text(lock.get(), name, fmt::format("{}\n", ::getpid())));
  return DataDirectory(path, std::move(lock));
}

Status write_port_file(const std::string& path, const Address& address) {
  const std::string draft = path + ".new";
  const UniqueFd file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.valid()) return file_error("open", draft, errno);
  TRY(write_text(file.get(), draft, address.text() + "\n"));
  return real_disk().rename(draft, path);
}

}  // namespace cairn

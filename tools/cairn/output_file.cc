#include "tools/cairn/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/errno_error.h"
#include "common/base/unique_fd.h"

namespace cairn::tools {
namespace {

Status write_and_sync(int file, const std::string& path, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error("write", path, errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return ::fsync(file) == 0 ? Status{} : file_error("sync", path, errno);
}

// link() never replaces, on every filesystem; rename() always does.
Status give_name(const std::string& from, const std::string& path, bool replace) {
  if (replace) return ::rename(from.c_str(), path.c_str()) == 0 ? Status{} : file_error("rename", path, errno);
  if (::link(from.c_str(), path.c_str()) != 0) {
    if (errno == EEXIST) return {Errc::exists, path + " exists"};
    return file_error("link", path, errno);
  }
  ::unlink(from.c_str());
  return {};
}

}  // namespace

Status write_output_file(const std::string& path, std::string_view bytes, bool replace) {
  const std::string beside = fmt::format("{}.{}.part", path, ::getpid());
  const UniqueFd file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.valid()) return file_error("create", beside, errno);
  Status status = write_and_sync(file.get(), path, bytes);
  if (status.ok()) status = give_name(beside, path, replace);
  if (!status.ok()) ::unlink(beside.c_str());
  return status;
}

}  // namespace cairn::tools

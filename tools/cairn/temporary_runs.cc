#include "tools/cairn/temporary_runs.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "common/base/errno_error.h"

namespace cairn::tools {
namespace {

std::string directory() {
  std::error_code error;
  const std::filesystem::path found = std::filesystem::temp_directory_path(error);
  return error ? "/tmp" : found.string();
}

}  // namespace

Status TemporaryRuns::append(std::string_view bytes) {
  if (!file_.valid()) {
    file_ = UniqueFd(::open(directory().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!file_.valid()) return file_error("create a temporary file in", directory(), errno);
  }
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error("write a temporary file in", directory(), errno);
    bytes.remove_prefix(static_cast<size_t>(written));
    size_ += static_cast<uint64_t>(written);
  }
  return {};
}

Result<std::string> TemporaryRuns::read(uint32_t origin, uint64_t offset, uint32_t bytes) {
  const UniqueFd& file = all_.at(origin)->file_;
  std::string out(bytes, '\0');
  for (size_t got = 0; got < out.size();) {
    const ssize_t more = ::pread(file.get(), out.data() + got, out.size() - got, static_cast<off_t>(offset + got));
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return file_error("read a temporary file in", directory(), errno);
    if (more == 0) return {Errc::corrupt, "a temporary file in " + directory() + " was cut off"};
    got += static_cast<size_t>(more);
  }
  return out;
}

}  // namespace cairn::tools

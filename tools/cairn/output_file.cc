#include "tools/cairn/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/errno_error.h"

namespace cairn::tools {
namespace {

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

Result<OutputFile> OutputFile::create(const std::string& path) {
  std::string beside = fmt::format("{}.{}.part", path, ::getpid());
  UniqueFd file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.valid()) return file_error("create", beside, errno);
  return OutputFile(path, std::move(beside), std::move(file));
}

OutputFile::~OutputFile() {
  if (file_.valid()) ::unlink(beside_.c_str());
}

Status OutputFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error("write", path_, errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Status OutputFile::commit(bool replace) {
  if (::fsync(file_.get()) != 0) return file_error("sync", path_, errno);
  TRY(give_name(beside_, path_, replace));
  file_ = UniqueFd();
  return {};
}

}  // namespace cairn::tools

#include "tools/cairn/task_generate.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/errno_error.h"
#include "common/base/unique_fd.h"
#include "common/meta/jobs.h"
#include "tools/cairn/command_line.h"

namespace cairn::tools {

std::string GenerateNames::path(uint32_t file) const {
  const char* const suffix = kind == "csv" ? "csv" : kind == "text" ? "txt" : "bin";
  return fmt::format("{}/{}{:05}.{}", directory, prefix, file, suffix);
}

Result<GeneratedNames> GeneratedNames::make(const GenerateNames& wanted) {
  if (wanted.files == 0 || wanted.files > kMaxJobInputs)
    return Error{Errc::invalid, fmt::format("--files {}: from 1 to {}", wanted.files, kMaxJobInputs)};
  if (wanted.directory.empty()) return Error{Errc::invalid, "--files needs --directory"};
  if (wanted.prefix.find('/') != std::string::npos) return Error{Errc::invalid, "--prefix: a slash"};
  GeneratedNames names;
  for (uint32_t i = 0; i < wanted.files; ++i) {
    std::string path = wanted.path(i);
    const UniqueFd made(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!made.valid()) return file_error("make", path, errno);
    names.paths_.push_back(std::move(path));
  }
  return names;
}

GeneratedNames::~GeneratedNames() {
  if (kept_) return;
  for (const std::string& path : paths_) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) say("cairn task: " + file_error("remove", path, errno).what);
  }
}

}  // namespace cairn::tools

#include "client/cache/cache_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "common/base/disk.h"
#include "common/base/errno_error.h"

namespace cairn {

Result<CacheDirectory> CacheDirectory::take(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash != std::string::npos && slash > 0) TRY(real_disk().make_directories(path.substr(0, slash)));
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return file_error("mkdir", path, errno);
  const std::string name = path + "/lock";
  UniqueFd lock(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) return file_error("open", name, errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return CacheDirectory(std::move(lock));
  if (errno != EWOULDBLOCK) return file_error("lock", name, errno);
  return Error{Errc::busy, fmt::format("{} is in use by another mount; give each mount a directory of its own", path)};
}

}  // namespace cairn

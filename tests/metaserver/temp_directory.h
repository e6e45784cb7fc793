// A directory under /tmp that goes with its owner.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace cairn {

class TempDirectory {
 public:
  TempDirectory() {
    std::string name = "/tmp/cairn-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace cairn

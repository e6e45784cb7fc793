// The names of files that are to be generated: empty ones, which the operator generate then fills.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"

namespace cairn::tools {

struct GenerateNames {
  uint32_t files = 0;
  std::string directory;  // that is there
  std::string prefix = "file";
  std::string kind = "bytes";  // of the content, for what the names end with

  std::string path(uint32_t file) const;  // of the file with that index
};

// Made when it is, and removed again with it, unless they are to be kept.
class GeneratedNames {
 public:
  static Result<GeneratedNames> make(const GenerateNames& wanted);  // exists: one of the names is taken
  GeneratedNames(GeneratedNames&& other) noexcept = default;
  GeneratedNames& operator=(GeneratedNames&&) = delete;
  ~GeneratedNames();
  const std::vector<std::string>& paths() const { return paths_; }
  void keep() { kept_ = true; }

 private:
  GeneratedNames() = default;
  std::vector<std::string> paths_;
  bool kept_ = false;
};

}  // namespace cairn::tools

// A result that appears under its name whole, or not at all.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace cairn::tools {

// A file beside it, which gets its name when it is whole and synced; without that it is removed.
class OutputFile {
 public:
  static Result<OutputFile> create(const std::string& path);
  OutputFile(OutputFile&&) = default;
  ~OutputFile();

  Status append(std::string_view bytes);
  // Afterwards the file has all of the bytes, or is as it was. Unless replace, exists if there is something of that
  // name, also if that came meanwhile.
  Status commit(bool replace);

 private:
  OutputFile(std::string path, std::string beside, UniqueFd file)
      : path_(std::move(path)), beside_(std::move(beside)), file_(std::move(file)) {}

  std::string path_, beside_;
  UniqueFd file_;  // invalid: committed, or moved from
};

}  // namespace cairn::tools

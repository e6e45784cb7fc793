#include "tools/cairn/command_line.h"

#include <fmt/format.h>

#include <cstdio>

namespace cairn::tools {

int fail(const std::string& subcommand, const Error& error) {
  std::fflush(stdout);
  fmt::print(stderr, "cairn {}: {}\n", subcommand, error.what.empty() ? name_of(error.code) : error.what);
  return kFailed;
}

void say(const std::string& line) {
  fmt::print(stderr, "{}\n", line);
  std::fflush(stderr);
}

}  // namespace cairn::tools

#include "tools/cairn/command_line.h"

#include <fmt/format.h>

#include <cstdio>
#include <vector>

namespace cairn::tools {

namespace {

// "there is no `frob` in `cairn task`"; empty if that is not what is wrong.
std::string unknown_subcommand(const CLI::App& app) {
  const CLI::App* at = &app;
  std::string path = app.get_name();
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    path += " " + at->get_name();
  }
  const std::vector<std::string> extras = at->remaining();
  if (extras.empty() || extras.front().starts_with('-') || at->get_require_subcommand_min() == 0) return {};
  std::vector<std::string> names;
  for (const CLI::App* one : at->get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(one->get_name());
  return fmt::format("there is no '{}' in '{}'; there are: {}", extras.front(), path, fmt::join(names, ", "));
}

}  // namespace

int fail(const std::string& subcommand, const Error& error) {
  std::fflush(stdout);
  fmt::print(stderr, "cairn {}: {}\n", subcommand, error.what.empty() ? name_of(error.code) : error.what);
  return kFailed;
}

int end_parse(const CLI::App& app, const CLI::ParseError& error) {
  const std::string unknown = unknown_subcommand(app);
  if (error.get_exit_code() == 0 || unknown.empty()) return app.exit(error) == 0 ? kOk : kUsage;
  fmt::print(stderr, "cairn: {}\nMore by --help.\n", unknown);
  return kUsage;
}

void say(const std::string& line) {
  fmt::print(stderr, "{}\n", line);
  std::fflush(stderr);
}

}  // namespace cairn::tools

// cairn dev kill-points: where a test can let each program die.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/probes/kill_point.h"
#include "tools/cairn/command_line.h"
#include "tools/cairn/text_table.h"

namespace cairn::tools {
namespace {

void show_kill_points(bool json) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows = {{"program", "name", "what has happened when it dies there"}};
  for (const KillPointInfo& info : all_kill_points()) {
    list.push_back({{"name", info.name}, {"program", info.program}, {"what", info.what}});
    rows.push_back({info.program, info.name, info.what});
  }
  if (json) {
    fmt::print("{}\n", list.dump(2));
  } else {
    fmt::print("{}\nEach by an environment variable: CAIRN_KILL_POINT=NAME, or NAME:N for the N-th time.\n",
               text_table(std::move(rows)));
  }
}

}  // namespace

void add_dev_kill_points(CLI::App& dev) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = dev.add_subcommand("kill-points", "Lists the moments at which a test can let a program die");
  command->add_flag("--json", *json, "For programs");
  command->callback([json] { show_kill_points(*json); });
}

}  // namespace cairn::tools

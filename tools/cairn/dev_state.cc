#include "tools/cairn/dev_state.h"

#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

namespace cairn::tools {
namespace {

using Json = nlohmann::ordered_json;
constexpr int kVersion = 1;

Json to_json(const DevProcess& one) {
  return {{"port", one.port},
          {"pid", one.process.pid},
          {"start_ticks", one.process.start_ticks},
          {"boot", one.process.boot}};
}

DevProcess process_of(const Json& json) {
  DevProcess out;
  json.at("port").get_to(out.port);
  json.at("pid").get_to(out.process.pid);
  json.at("start_ticks").get_to(out.process.start_ticks);
  json.at("boot").get_to(out.process.boot);
  return out;
}

}  // namespace

std::string encode(const DevState& state) {
  Json out = {{"version", kVersion},
              {"policy", state.policy},
              {"cell", state.cell},
              {"quarantine", state.quarantine},
              {"down_after", state.down_after},
              {"mountpoint", state.mountpoint},
              {"metaserver", to_json(state.metaserver)}};
  out["chunkservers"] = Json::array();
  for (const DevProcess& one : state.chunkservers) out["chunkservers"].push_back(to_json(one));
  return out.dump(2) + "\n";
}

Result<DevState> decode_dev_state(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    if (json.at("version").get<int>() != kVersion)
      return {Errc::invalid, fmt::format("version {} is not known", json.at("version").get<int>())};
    DevState out;
    json.at("policy").get_to(out.policy);
    json.at("cell").get_to(out.cell);
    json.at("quarantine").get_to(out.quarantine);
    out.down_after = json.value("down_after", out.down_after);  // older files do not have it
    json.at("mountpoint").get_to(out.mountpoint);
    out.metaserver = process_of(json.at("metaserver"));
    for (const Json& one : json.at("chunkservers")) out.chunkservers.push_back(process_of(one));
    return out;
  } catch (const nlohmann::json::exception& error) {
    return {Errc::invalid, error.what()};
  }
}

std::string default_dev_directory() {
  if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data == '/')
    return std::string(data) + "/cairn/dev";
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr && *home == '/' ? home : "/root") + "/.local/share/cairn/dev";
}

}  // namespace cairn::tools

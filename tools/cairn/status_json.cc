#include "tools/cairn/status_json.h"

#include "common/base/config.h"
#include "tools/cairn/verdict.h"

namespace cairn::tools {

using Json = nlohmann::ordered_json;

Json to_json(const ServerInfo& server) {
  return {{"server", raw(server.server)},    {"address", server.address.text()}, {"uuid", server.uuid},
          {"site", server.labels.site},      {"rack", server.labels.rack},       {"host", server.labels.host},
          {"disk", server.labels.disk},      {"health", name_of(server.health)}, {"total_bytes", server.total_bytes},
          {"free_bytes", server.free_bytes}, {"boot", raw(server.boot)},         {"silent_ms", server.silent_ms},
          {"state", name_of(server.state)}};
}

Json to_json(const RepairStatus& repair) {
  Json out = {{"shards_waiting", repair.shards_waiting},
              {"shards_under_way", repair.shards_under_way},
              {"bytes_left", repair.bytes_left},
              {"bytes_per_second", repair.bytes_per_second},
              {"eta_seconds", repair.eta_seconds < 0 ? Json(nullptr) : Json(repair.eta_seconds)},
              {"waiting_why", repair.waiting_why}};
  out["draining"] = Json::array();
  for (const ServerLoad& load : repair.draining)
    out["draining"].push_back({{"server", raw(load.server)}, {"shards", load.shards}, {"bytes", load.bytes}});
  return out;
}

Json to_json(const ClusterStatus& status, const Address& metaserver) {
  const Verdict verdict = verdict_of(status);
  Json out = {{"verdict", name_of(verdict.condition)},
              {"what", verdict.what},
              {"advice", verdict.advice},
              {"metaserver", metaserver.text()},
              {"incarnation", raw(status.incarnation)},
              {"epoch", raw(status.epoch)},
              {"uptime_ms", status.uptime_ms},
              {"inodes", status.inodes},
              {"chunks", status.chunks},
              {"open_chunks", status.open_chunks},
              {"live_bytes", status.live_bytes},
              {"missing_shards", status.missing_shards},
              {"shortened_chunks", status.shortened_chunks},
              {"unreadable_chunks", status.unreadable_chunks},
              {"survivable_losses", status.survivable_losses},
              {"applied_index", status.applied_index},
              {"log_bytes", status.log_bytes},
              {"garbage_chunks", status.garbage_chunks},
              {"pending_punches", status.pending_punches},
              {"troubles", status.troubles},
              {"repair", to_json(status.repair)}};
  out["servers"] = Json::array();
  for (const ServerInfo& server : status.servers) out["servers"].push_back(to_json(server));
  out["classes"] = Json::array();
  for (const StorageClass& one : status.classes) {
    out["classes"].push_back({{"id", raw(one.id)},
                              {"name", one.name},
                              {"policy", format_code(one.policy)},
                              {"cell_bytes", one.cell_bytes},
                              {"failure_domain", one.failure_domain}});
  }
  out["sessions"] = Json::array();
  for (const SessionStatus& session : status.sessions) {
    out["sessions"].push_back({{"session", raw(session.session)},
                               {"name", session.name},
                               {"host", session.host},
                               {"pid", session.pid},
                               {"mount", session.mount},
                               {"expires_in_ms", session.expires_in_ms},
                               {"open_chunks", session.open_chunks}});
  }
  return out;
}

}  // namespace cairn::tools

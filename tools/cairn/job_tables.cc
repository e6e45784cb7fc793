#include "tools/cairn/job_tables.h"

#include <fmt/format.h>

#include "tools/cairn/text_table.h"

namespace cairn::tools {

using Json = nlohmann::ordered_json;

namespace {

constexpr uint32_t kTasksPerCall = 1024;

Json to_json(const TaskCounters& counters) {
  return {{"bytes_local", counters.bytes_local},
          {"bytes_network", counters.bytes_network},
          {"bytes_decoded", counters.bytes_decoded},
          {"bytes_sent", counters.bytes_sent},
          {"cpu_ms", counters.cpu_ms}};
}

Json to_json(const TaskInfo& task) {
  Json out = {{"task", task.task},   {"owner", raw(task.owner)},        {"whole", task.whole},
              {"bytes", task.bytes}, {"bytes_owned", task.bytes_owned}, {"surveyed", task.surveyed},
              {"done", task.done},   {"server", raw(task.server)},      {"failures", task.failures}};
  out["windows"] = Json::array();
  for (const TaskWindow& window : task.windows)
    out["windows"].push_back({{"file", window.file}, {"begin", window.begin}, {"end", window.end}});
  return out;
}

const char* why(const TaskInfo& task) {
  if (raw(task.owner) == 0) return "lies nowhere: holes, or within the metadata";
  return task.whole ? "needs whole files; most bytes lie there" : "its cells lie there";
}

}  // namespace

Json to_json(const JobStatus& status) {
  Json out = {{"job", raw(status.job)},
              {"op", status.op},
              {"phase", name_of(status.phase)},
              {"failure", status.failure ? Json(status.failure->what) : Json(nullptr)},
              {"inputs", status.inputs},
              {"planned", status.planned},
              {"bytes", status.bytes},
              {"bytes_done", status.bytes_done},
              {"counters", to_json(status.counters)},
              {"result_bytes", status.result_bytes},
              {"failures", status.failures},
              {"extra_attempts", status.extra_attempts},
              {"submitted_ms", status.submitted_ms},
              {"elapsed_ms", status.elapsed_ms},
              {"waiting", status.waiting},
              {"changed", status.changed},
              {"changed_count", status.changed_count}};
  out["phases"] = Json::array();
  for (const PhaseCount& phase : status.phases)
    out["phases"].push_back(
        {{"phase", name_of(phase.phase)}, {"tasks", phase.tasks}, {"done", phase.done}, {"running", phase.running}});
  out["servers"] = Json::array();
  for (const ServerCounters& server : status.servers) {
    Json row = {{"server", raw(server.server)}, {"tasks", server.tasks}, {"running", server.running}};
    row.update(to_json(server.counters));
    out["servers"].push_back(row);
  }
  return out;
}

Result<std::vector<TaskInfo>> fetch_tasks(MetaClient& meta, JobId job) {
  std::vector<TaskInfo> tasks;
  for (;;) {
    ASSIGN(JobPlan page, meta.job_plan(job, static_cast<uint32_t>(tasks.size()), kTasksPerCall));
    const bool last = page.complete || page.tasks.empty();
    for (TaskInfo& task : page.tasks) tasks.push_back(std::move(task));
    if (last) return tasks;
  }
}

std::string server_text(ServerId server) { return raw(server) == 0 ? "-" : std::to_string(raw(server)); }

std::string text_of(JobId job, const std::vector<TaskInfo>& tasks, bool as_json) {
  if (as_json) {
    Json rows = Json::array();
    for (const TaskInfo& task : tasks) rows.push_back(to_json(task));
    return Json{{"job", raw(job)}, {"tasks", rows}}.dump(2) + "\n";
  }
  std::vector<std::vector<std::string>> rows = {
      {">task", ">lies on", "why", ">ranges", ">near", ">to travel", ">done by"}};
  uint64_t near = 0, travels = 0;
  for (const TaskInfo& task : tasks) {
    const uint64_t away = raw(task.owner) == 0 ? 0 : task.bytes - task.bytes_owned;
    rows.push_back({std::to_string(task.task), server_text(task.owner), why(task), std::to_string(task.windows.size()),
                    human_bytes(task.bytes - away), human_bytes(away), task.done ? server_text(task.server) : "-"});
    near += task.bytes - away;
    travels += away;
  }
  return text_table(std::move(rows)) + fmt::format("\n  {}: {} are read where they lie, {} travel\n",
                                                   counted(tasks.size(), "task"), human_bytes(near),
                                                   human_bytes(travels));
}

}  // namespace cairn::tools

#include "metaserver/jobs/jobs.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/probes/rare_path.h"
#include "common/tasks/registry.h"

namespace cairn {

namespace {

constexpr uint32_t kMostNames = 100;              // of changed inputs
constexpr uint32_t kLookedAtWhileRunning = 1000;  // inputs: of more, changes are told when the job is over
constexpr uint32_t kFilePage = 4096;
constexpr uint32_t kTaskPage = 256;
constexpr uint32_t kJobPage = 256;
constexpr uint64_t kPageBytes = 8u << 20;  // of one reply: frames have 16 MiB

uint32_t page_of(uint32_t asked, uint32_t most) { return asked == 0 ? most : std::min(asked, most); }

// What is wrong with a job whatever its files hold. The operator itself is made by workers, from the files' headers.
Result<AdmitJob> checked(SubmitJob job) {
  const tasks::OperatorInfo* info = tasks::find_operator(job.op);
  tasks::Job alone{job.op, job.arguments, {{"input", 0, {}}}};
  const tasks::Needs needs = info == nullptr ? tasks::Needs{} : info->needs(job.arguments);
  if (info == nullptr || !needs.csv_heads) {  // with a header it could not say yet
    const auto made = tasks::make_operator(alone);
    if (!made.ok()) return made.error();
  }
  AdmitJob admit{std::move(job), needs.whole_files, needs.csv_heads, needs.quote_states, needs.whole_lines};
  if (needs.new_contents) {
    const uint64_t files = admit.job.task_bytes / std::max<uint64_t>(1, needs.file_bytes);
    admit.task_files = static_cast<uint32_t>(std::clamp<uint64_t>(files, 1, kMaxTaskOutputs));
    admit.anywhere = needs.anywhere;
  }
  return admit;
}

}  // namespace

Jobs::Jobs(Clock& clock, Committer& committer, const OrderedStore& store, Sessions& sessions, Leases& leases,
           Admission& admission, const Cluster& cluster, Options options)
    : clock_(clock),
      committer_(committer),
      store_(store),
      sessions_(sessions),
      admission_(admission),
      cluster_(cluster),
      dispatcher_(clock, committer, store, options.dispatcher),
      planner_(clock, committer, store, leases, admission, dispatcher_, options.planner) {}

Status Jobs::start() {
  ASSIGN(const JobsRow jobs, queries::live_jobs(*store_.view()));
  for (const LiveJob& live : jobs.live) TRY(dispatcher_.refresh(live.job));
  planner_.start();
  return {};
}

void Jobs::stop() {
  dispatcher_.stop();
  planner_.stop();
}

// A command has changed the job: its phase may be another one.
void Jobs::changed(JobId job) {
  if (const Status done = dispatcher_.refresh(job); !done.ok())
    spdlog::warn("job {} is looked at again later: {}", raw(job), done.error().what);
  planner_.wake();
}

Outcome Jobs::submit(const Mutation& mutation, SubmitJob job) {
  ASSIGN(AdmitJob admit, checked(std::move(job)));
  return committer_.propose(Command{mutation, 0, std::move(admit)});
}

Outcome Jobs::add_inputs(const Mutation& mutation, AddJobInputs inputs) {
  Outcome outcome = committer_.propose(Command{mutation, 0, std::move(inputs)});
  planner_.wake();
  return outcome;
}

Outcome Jobs::cancel(const Mutation& mutation, const CancelJob& cancel) {
  Outcome outcome = committer_.propose(Command{mutation, 0, cancel});
  changed(cancel.job);
  return outcome;
}

Outcome Jobs::lost_result(const Mutation& mutation, const LostResult& lost) {
  Outcome outcome = committer_.propose(Command{mutation, 0, lost});
  if (outcome.ok()) TRY(dispatcher_.refresh_task(lost.job, lost.task));
  return outcome;
}

Result<TaskVerdict> Jobs::finish_task(const Mutation& mutation, FinishTask done) {
  const TaskRef ref = done.ref;
  const ServerId server = done.server;
  const bool failed = done.failure.has_value();
  // Where files get new contents, mounts give back first what they keep of them.
  const bool changes_files = !done.outputs.empty();
  Command command{mutation, 0, std::move(done)};
  ASSIGN(const Answer answer,
         changes_files ? admission_.change(std::move(command)) : committer_.propose(std::move(command)));
  const auto* verdict = std::get_if<TaskVerdict>(&answer);
  if (verdict == nullptr) return Error{Errc::invalid, "this request id was used for another request before"};
  if (*verdict == TaskVerdict::changed) return *verdict;  // the attempt goes on
  if (*verdict == TaskVerdict::already) reached(RarePath::second_result);
  dispatcher_.on_finished(ref, server, !failed || *verdict == TaskVerdict::already);
  const auto job = queries::job(*store_.view(), ref.job);
  const bool survey_over =
      job.ok() && job->state.phase == JobPhase::surveying && job->state.surveyed == job->state.to_survey;
  if (!job.ok() || job->state.phase != ref.phase || survey_over) changed(ref.job);
  return *verdict;
}

Result<TaskVerdict> Jobs::finish_job(const Mutation& mutation, const FinishJob& done) {
  ASSIGN(const Answer answer, admission_.change(Command{mutation, 0, done}));
  const auto* finished = std::get_if<JobFinished>(&answer);
  if (finished == nullptr) return Error{Errc::invalid, "this request id was used for another request before"};
  if (finished->verdict != TaskVerdict::accepted) reached(RarePath::unwanted_output);
  // What the output has replaced is pinned to the worker's session, which has no use for it.
  if (raw(finished->renamed.replaced) != 0 && finished->renamed.replaced_links_left == 0) {
    const Outcome freed = committer_.propose(FreeReplaced{mutation.session, finished->renamed.replaced});
    if (!freed.ok())
      spdlog::warn("what the output of job {} replaced is freed with its worker's session: {}", raw(done.ref.job),
                   freed.error().what);
  }
  dispatcher_.on_finished(done.ref, done.server, true);
  changed(done.ref.job);
  return finished->verdict;
}

Result<TaskOrders> Jobs::poll(SessionId session, const TaskPoll& poll) {
  if (raw(session) == 0) return Error{Errc::no_session, "a worker needs a session: open one"};
  TRY(sessions_.check(session));
  const std::vector<ServerInfo> servers = cluster_.servers();
  const auto own = std::ranges::find(servers, poll.server, &ServerInfo::server);
  if (own == servers.end())
    return Error{Errc::invalid,
                 fmt::format("there is no chunkserver {} for a worker to stand beside", raw(poll.server))};
  return dispatcher_.poll(session, own->labels.site, poll);
}

JobStatus Jobs::status_of(const queries::JobRecord& job) const {
  const JobStateRow& state = job.state;
  const TaskScheduler::Activity activity = dispatcher_.activity(job.job);
  JobStatus status;
  status.job = job.job;
  status.phase = state.phase;
  status.failure = state.failure;
  status.op = job.row.op;
  status.inputs = job.row.inputs;
  status.planned = state.pinned;
  status.bytes = state.bytes;
  const bool surveying = state.phase == JobPhase::surveying;
  status.bytes_done =
      (surveying ? state.bytes_surveyed : state.bytes_mapped) + (state.phase == JobPhase::merging ? 0 : activity.bytes);
  const auto running_in = [&](JobPhase phase) { return phase == state.phase ? activity.running : 0; };
  if (state.to_survey > 0)
    status.phases.push_back({JobPhase::surveying, state.to_survey, state.surveyed, running_in(JobPhase::surveying)});
  status.phases.push_back({JobPhase::mapping, state.tasks, state.mapped, running_in(JobPhase::mapping)});
  if (job.row.output)
    status.phases.push_back(
        {JobPhase::merging, 1, state.phase == JobPhase::done ? 1u : 0u, running_in(JobPhase::merging)});
  status.counters = state.counters;
  status.result_bytes = state.result_bytes;
  status.failures = state.failures;
  status.extra_attempts = activity.extra_attempts;
  status.submitted_ms = job.row.submitted_ns / 1'000'000;
  const int64_t until_ns = is_over(state.phase) ? state.over_ns : clock_.wall_ns();
  status.elapsed_ms = std::max<int64_t>(0, until_ns - job.row.submitted_ns) / 1'000'000;
  std::map<ServerId, ServerCounters> servers;
  for (const JobTally& tally : state.servers) servers[tally.server] = {tally.server, tally.tasks, 0, tally.counters};
  for (const auto& [server, running] : activity.by_server) {
    servers[server].server = server;
    servers[server].running = running;
  }
  for (const auto& [server, one] : servers) status.servers.push_back(one);
  if (state.phase == JobPhase::receiving) status.waiting = "its inputs are being told";
  if (activity.waiting > 0 && activity.running == 0)
    status.waiting =
        dispatcher_.slots() == 0 ? "no chunkserver offers a slot for tasks" : "all slots are taken by other jobs";
  status.output = job.row.output;
  status.output_inode = state.output_inode;
  return status;
}

Result<JobStatus> Jobs::status(JobId id) const {
  const auto view = store_.view();
  ASSIGN(const queries::JobRecord job, queries::job(*view, id));
  JobStatus status = status_of(job);
  if (is_over(job.state.phase) || job.row.inputs <= kLookedAtWhileRunning) {
    ASSIGN(queries::ChangedInputs changed, queries::changed_inputs(*view, id, kMostNames));
    status.changed = std::move(changed.first);
    status.changed_count = changed.count;
  }
  return status;
}

Result<JobList> Jobs::list(JobId after, uint32_t limit) const {
  const auto view = store_.view();
  const uint32_t page = page_of(limit, kJobPage);
  ASSIGN(const auto ids, queries::jobs(*view, after, page));
  JobList list;
  for (const JobId id : ids) {
    ASSIGN(const queries::JobRecord job, queries::job(*view, id));
    list.jobs.push_back(status_of(job));
    list.jobs.back().servers.clear();
  }
  list.complete = ids.size() < page;
  return list;
}

Result<JobPlan> Jobs::plan(JobId id, uint32_t first, uint32_t limit) const {
  const auto view = store_.view();
  ASSIGN(const queries::JobRecord job, queries::job(*view, id));
  const uint32_t page = page_of(limit, kTaskPage);
  ASSIGN(auto tasks, queries::tasks(*view, id, first, page));
  JobPlan plan;
  for (queries::TaskRecord& task : tasks) {
    TaskRow& row = task.row;
    plan.tasks.push_back({task.task, row.owner, row.whole, std::move(row.windows), row.bytes, row.bytes_owned,
                          row.surveyed, row.done, row.server, static_cast<uint32_t>(row.failed_on.size())});
  }
  plan.complete = tasks.size() < page || uint64_t{first} + page >= job.state.tasks;
  return plan;
}

Result<JobDescription> Jobs::describe(JobId id, uint32_t first, uint32_t limit) const {
  const auto view = store_.view();
  ASSIGN(queries::JobRecord job, queries::job(*view, id));
  const uint32_t page = page_of(limit, kFilePage);
  ASSIGN(auto files, queries::job_files(*view, id, first, page));
  JobDescription description{
      job.state.phase, job.row.op, std::move(job.row.arguments), job.row.output, job.row.inputs, {}, false};
  uint64_t bytes = 0;
  for (JobFileRow& file : files) {
    bytes += file.name.size() + file.head.size();
    if (bytes > kPageBytes && !description.files.empty()) return description;
    description.files.push_back({file.inode, std::move(file.name), file.version, file.size, std::move(file.head)});
  }
  description.complete = files.size() < page || uint64_t{first} + files.size() >= job.row.inputs;
  return description;
}

Result<JobLayout> Jobs::layout(const JobLayoutCall& call) const {
  return queries::job_layout(*store_.view(), call.job, call.file, call.begin, call.end,
                             page_of(call.limit, kMaxWindowExtents * 2));
}

Result<JobResults> Jobs::results(JobId id, uint32_t first, uint32_t limit) const {
  const auto view = store_.view();
  ASSIGN(const queries::JobRecord job, queries::job(*view, id));
  if (job.state.phase == JobPhase::failed || job.state.phase == JobPhase::cancelled)
    return Error{Errc::stale_handle, fmt::format("job {} is {}: it has no result", raw(id), name_of(job.state.phase))};
  if (job.state.phase < JobPhase::merging)
    return Error{Errc::busy,
                 fmt::format("job {} is {}: its results are not all there", raw(id), name_of(job.state.phase))};
  const uint32_t page = page_of(limit, kTaskPage);
  ASSIGN(const auto tasks, queries::tasks(*view, id, first, page));
  JobResults results;
  results.next = first;
  uint64_t bytes = 0;
  for (const queries::TaskRecord& task : tasks) {
    if (bytes > 0 && bytes + task.row.result_bytes > kPageBytes) break;
    TaskResult result{task.task, {}, task.row.spooled, task.row.server, {}, task.row.attempt};
    if (result.spooled) {
      result.results = dispatcher_.results_of(task.row.server);
    } else {
      ASSIGN(result.partial, queries::partial(*view, id, task.task));
    }
    bytes += result.partial.size();
    results.next = task.task + 1;
    results.results.push_back(std::move(result));
  }
  results.complete = results.next >= job.state.tasks;
  return results;
}

}  // namespace cairn

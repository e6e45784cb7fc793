#include "tests/campaign/submitter.h"

#include <sys/stat.h>

#include <algorithm>

#include "client/jobs/job_results.h"
#include "common/base/bytes.h"
#include "common/programs/sandboxed_runner.h"
#include "tests/campaign/files_worker.h"
#include "tests/campaign/mounting.h"

namespace cairn {
namespace {

constexpr uint64_t kRowBytes = 48;              // so that a row can be written over, and cells end within rows
constexpr Duration kEndsWithin = 120s;          // of a job, when nothing is broken any more
constexpr const char* kHidden = ".cairn-job-";  // begins the names of outputs that are being written

std::string padded(std::string row, Random& random) {
  constexpr std::string_view kLetters = "ab cde fgh";
  while (row.size() + 1 < kRowBytes) row += kLetters[random.below(kLetters.size())];
  return row + "\n";
}

bool passes(Errc code) { return code == Errc::timed_out || code == Errc::unavailable || code == Errc::busy; }

}  // namespace

Submitter::Submitter(JobsMount mount, size_t index, uint64_t seed) : mount_(mount), index_(index), random_(seed) {
  client_.emplace(expect("open a session for jobs", connect_jobs(mount_, random_())));
}

// ---- files ---------------------------------------------------------------------------------------------------------

std::string Submitter::rows(uint64_t count) {
  constexpr const char* kCities[] = {"oslo", "bern", "\"a,b\"", "\"x\"\"y\"", "\"new\nline\""};
  std::string text;
  for (uint64_t i = 0; i < count; ++i) {
    text += padded(fmt::format("{:07},{},{}.{:02},", ++next_row_, kCities[random_.below(std::size(kCities))],
                               random_.below(100'000), random_.below(100)),
                   random_);
  }
  return text;
}

void Submitter::make_files() {
  const std::string name = JobsState::directory(index_);
  auto made = mount_.files.make_node({kRootInode, name, S_IFDIR | 0755, 0, 0, 0, {}});
  if (!made.ok() && made.code() == Errc::exists) made = mount_.files.lookup(kRootInode, name);
  directory().inode = expect("mkdir", std::move(made)).attributes.inode;
  for (size_t i = 0; i < mount_.state.options.files; ++i) {
    if (directory().files.size() <= i) directory().files.emplace_back();
    VersionedFile& file = directory().files[i];
    auto entry = mount_.files.make_node({directory().inode, JobsState::file(i), S_IFREG | 0644, 0, 0, 0, {}});
    if (!entry.ok() && entry.code() == Errc::exists) entry = mount_.files.lookup(directory().inode, JobsState::file(i));
    file.inode = expect("create " + JobsState::file(i), std::move(entry)).attributes.inode;
    if (!file.adopt(content_of(file.inode))) wrong("{} is none of its versions", JobsState::file(i));
    if (!file.latest().empty()) continue;
    const uint64_t most = mount_.state.options.rows;
    std::string text = padded("id,city,amount,", random_) + rows(random_.below(random_.one_in(3) ? 30 : most));
    change(file, text, [&] { return mount_.files.write(file.inode, 0, bytes_of(text)); });
  }
}

// One call, and a sync that makes it durable.
void Submitter::change(VersionedFile& file, std::string after, const std::function<Status()>& call) {
  file.begin(std::move(after));
  expect("change a file", call());
  expect("sync", mount_.files.sync(file.inode));
  file.done();
}

void Submitter::change_a_file() {
  VersionedFile& file = directory().files[random_.below(directory().files.size())];
  doing(fmt::format("change inode {}", raw(file.inode)));
  std::string after = file.latest();
  const uint64_t known = after.size() / kRowBytes;  // with the header
  const uint64_t at = random_.between(1, known) * kRowBytes;
  switch (random_.below(4)) {
    case 0: {
      after.resize(at);
      SetAttributes cut;
      cut.inode = file.inode;
      cut.size = at;
      return change(file, std::move(after), [&]() -> Status {
        TRY(mount_.files.set_attributes(cut));
        return {};
      });
    }
    case 1: {
      const std::string more = rows(random_.between(1, 300));
      return change(file, after + more,
                    [&] { return mount_.files.write(file.inode, known * kRowBytes, bytes_of(more)); });
    }
    default: {
      const std::string text = rows(random_.between(1, 60));
      after.replace(at, std::min<size_t>(text.size(), after.size() - at), text);
      return change(file, std::move(after), [&] { return mount_.files.write(file.inode, at, bytes_of(text)); });
    }
  }
}

std::string Submitter::content_of(InodeId inode) {
  const FileModel::Bytes bytes = expect("read", read_all(mount_.world.story(), mount_.files, inode));
  return {bytes.begin(), bytes.end()};
}

void Submitter::settle() {
  for (size_t i = 0; i < directory().files.size(); ++i) {
    if (!directory().files[i].adopt(content_of(directory().files[i].inode)))
      wrong("{} is none of its versions", JobsState::file(i));
  }
  if (!directory().job) return check_names();
  if (raw(job().id) == 0 && !find_again()) {
    directory().job.reset();
    return check_names();
  }
  mount_.world.story().tell("{}: job {} is seen to its end", label(), raw(job().id));
  judge(watch({}), false);
}

void Submitter::check_names() {
  if (directory().job) return;  // it may have ended meanwhile
  std::set<std::string> wanted;
  for (size_t i = 0; i < directory().files.size(); ++i) wanted.insert(JobsState::file(i));
  for (const auto& [name, text] : directory().outputs) wanted.insert(name);
  const auto seen = list_directory(mount_.world, mount_.files, directory().inode);
  for (const auto& [name, inode] : seen) {
    if (wanted.erase(name) > 0 || name.starts_with(kHidden)) continue;
    wrong("there is {}, which nobody has made", name);
  }
  if (!wanted.empty()) wrong("{} is gone", *wanted.begin());
  if (directory().outputs.empty()) return;
  const auto some =
      std::next(directory().outputs.begin(), static_cast<std::ptrdiff_t>(random_.below(directory().outputs.size())));
  if (content_of(seen.at(some->first)) != some->second) wrong("the output {} has changed", some->first);
}

void Submitter::wait_for_no_hidden_file() {
  mount_.world.wait_until("no hidden file of a job is left", kEndsWithin, [&] {
    const auto seen = list_directory(mount_.world, mount_.files, directory().inode);
    return std::ranges::none_of(seen, [](const auto& one) { return one.first.starts_with(kHidden); });
  });
}

void Submitter::remove_everything() {
  for (size_t i = 0; i < directory().files.size(); ++i)
    expect("unlink", mount_.files.unlink(directory().inode, JobsState::file(i)));
  for (const auto& [name, text] : directory().outputs)
    expect("unlink " + name, mount_.files.unlink(directory().inode, name));
  expect("rmdir", mount_.files.rmdir(kRootInode, JobsState::directory(index_)));
}

// ---- jobs ----------------------------------------------------------------------------------------------------------

void Submitter::step() {
  if (mount_.files.lost_sessions() > 0) call_failed(mount_.world, label(), {Errc::io, "the session was lost"});
  doing("nothing");
  mount_.world.sleep(Duration(
      static_cast<int64_t>(random_.below(static_cast<uint64_t>(mount_.state.options.longest_pause.count()) + 1))));
  random_.one_in(6) ? change_a_file() : run_a_job();
}

KnownJob Submitter::invent() {
  KnownJob made;
  made.mark = fmt::format("{}.{}", index_, directory().next_mark++);
  switch (random_.below(6)) {
    case 0:
      made.op = "wc";
      break;
    case 1:
      made.op = "checksum";
      made.arguments = {{"algorithm", random_.one_in(4) ? "sha256" : "crc32c"}};
      break;
    case 2:
      made.op = "grep";
      made.arguments = {{"pattern", "a.*b"}, {"count", "true"}};
      break;
    case 3:
      made.op = "grep";
      made.arguments = {{"pattern", fmt::format(",{}.*cde", random_.between(1, 9))}};
      break;
    default:
      made.op = "stats";
      made.arguments = {{"column", "amount"}};
      if (random_.one_in(2)) made.arguments["group-by"] = "city";
  }
  std::vector<size_t> order(directory().files.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), random_);
  order.resize(random_.between(1, order.size()));
  for (const size_t file : order) made.inputs.push_back({file, directory().files[file].finished()});
  if (random_.one_in(2)) made.output = invent_output();
  return made;
}

std::optional<JobOutput> Submitter::invent_output() {
  JobOutput output;
  output.parent = directory().inode;
  output.name = fmt::format("out{}", directory().next_mark);
  if (!directory().outputs.empty() && random_.one_in(3)) {
    output.name = directory().outputs.begin()->first;
    output.replace = true;
  }
  if (random_.one_in(4)) output.format = TableFormat::json_lines;
  return output;
}

void Submitter::run_a_job() {
  Wishes wishes;
  if (random_.one_in(3)) wishes.changes = static_cast<uint32_t>(random_.between(1, 3));
  if (!mount_.state.finish && random_.one_in(8))
    wishes.cancel_at = mount_.world.now() + Duration(static_cast<int64_t>(random_.below(2'000'000'000)));
  directory().job = invent();
  submit();
  judge(watch(wishes), true);
}

// After a lost session nobody knows whether it has happened: it is looked for.
void Submitter::submit() {
  SubmitJob request;
  request.op = job().op;
  request.arguments = job().arguments;
  request.output = job().output;
  request.task_bytes = job().task_bytes;
  request.time_limit_ms = kMaxJobTime / 1ms;  // wall clocks jump
  std::vector<JobInput> inputs;
  for (size_t i = 0; i < job().inputs.size(); ++i)
    inputs.push_back({directory().files[job().inputs[i].file].inode, job().input_name(i)});
  job().workers_begun = mount_.world.workers_begun();
  for (;;) {
    doing("submit " + job().op);
    expect("keep the session", client_->keep_alive());
    const Result<JobId> id = client_->submit(request, inputs);
    if (id.ok()) {
      job().id = *id;
      mount_.world.story().tell("{}: job {}: {} of {} files{}", label(), raw(*id), job().op, inputs.size(),
                                job().output ? " into " + job().output->name : "");
      return;
    }
    if (id.code() != Errc::no_session) {
      job().cancelled = true;  // the client tries to, if it could not tell its inputs
      expect("submit", Result<JobId>(id.error()));
    }
    if (find_again()) return;
  }
}

bool Submitter::find_again() {
  for (JobId after{};;) {
    const JobList page = expect("list jobs", client_->meta().list_jobs(after, 0));
    for (const JobStatus& one : page.jobs) {
      after = one.job;
      const Result<JobDescription> about = client_->meta().get_job(one.job, 0, 1);
      if (!about.ok() && about.code() == Errc::not_found) continue;
      const JobDescription description = expect("describe a job", about);
      if (description.files.empty() || !description.files.front().name.starts_with(job().mark + "/")) continue;
      job().id = one.job;
      return true;
    }
    if (page.complete || page.jobs.empty()) return false;
  }
}

std::optional<JobStatus> Submitter::watch(Wishes wishes) {
  doing(fmt::format("wait for job {}", raw(job().id)));
  std::optional<Instant> deadline;
  while (true) {
    const Result<JobStatus> status = client_->look(job().id);
    if (!status.ok() && forgotten(status.code())) return std::nullopt;
    const JobStatus now = expect(fmt::format("status of job {}", raw(job().id)), status);
    if (now.phase >= JobPhase::surveying || (now.planned == now.inputs && now.inputs > 0))
      job().saw_pinned(directory().files);
    if (is_over(now.phase)) return now;
    if (mount_.state.finish && !deadline) deadline = mount_.world.now() + kEndsWithin;
    if (deadline && mount_.world.now() > *deadline)
      wrong("job {} does not end: {}, {} of {} planned, {}", raw(job().id), name_of(now.phase), now.planned, now.inputs,
            now.waiting);
    if (wishes.cancel_at && mount_.world.now() >= *wishes.cancel_at) {
      wishes.cancel_at.reset();
      job().cancelled = true;
      mount_.world.story().tell("{}: job {} is to be cancelled, {}", label(), raw(job().id), name_of(now.phase));
      expect("cancel", client_->cancel(job().id));
    } else if (wishes.changes > 0 && random_.one_in(2)) {
      --wishes.changes;
      change_a_file();
      doing(fmt::format("wait for job {}", raw(job().id)));
      continue;
    }
    mount_.world.sleep(std::chrono::milliseconds(random_.between(1, 400)));
  }
}

// ---- judging -------------------------------------------------------------------------------------------------------

void Submitter::judge(const std::optional<JobStatus>& status, bool same_mount) {
  mount_.world.story().tell("{}: job {} is {}{}", label(), raw(job().id), status ? name_of(status->phase) : "forgotten",
                            status && status->failure ? ": " + status->failure->what : "");
  if (!status) {
    ++mount_.state.lost;
    judge_forgotten();
  } else if (status->phase == JobPhase::done) {
    judge_done(*status, same_mount);
  } else if (status->phase == JobPhase::failed) {
    ++mount_.state.failed;
    judge_failure(*status);
  } else {
    ++mount_.state.cancelled;
    if (!job().cancelled) wrong("job {} is cancelled, and nobody has asked for that", raw(job().id));
  }
  directory().job.reset();
  check_names();
}

void Submitter::judge_failure(const JobStatus& status) {
  const Errc code = status.failure ? status.failure->code : Errc::invalid;
  const std::string told = status.failure ? status.failure->what : "without a reason";
  if (code == Errc::timed_out && mount_.world.wall_jumped()) return;  // its time limit is on that clock
  // Workers that die and stand still as often as a task may be tried: nobody can promise more.
  if (code == Errc::io && told.find("lost with its worker") != std::string::npos && !mount_.world.verdict()) return;
  const bool sane = code == Errc::io || code == Errc::no_space || passes(code);
  if (!mount_.world.options().harsh || mount_.world.verdict() || !sane)
    wrong("job {} has failed: {}: {}", raw(job().id), name_of(code), told);
}

// How it ended nobody says any more; but its output is there as a whole, or not at all.
void Submitter::judge_forgotten() {
  if (!job().output) return;
  const std::string& name = job().output->name;
  const auto entry = mount_.files.lookup(directory().inode, name);
  if (!entry.ok() && entry.code() == Errc::not_found) return;
  const std::string text = content_of(expect("look up the output " + name, entry).attributes.inode);
  if (const auto known = directory().outputs.find(name); known != directory().outputs.end() && known->second == text)
    return;
  judge_table(text);
  directory().outputs[name] = text;
}

void Submitter::judge_done(const JobStatus& status, bool same_mount) {
  ++mount_.state.done;
  if (!job().output) {
    doing(fmt::format("fetch the table of job {}", raw(job().id)));
    if (random_.one_in(3)) mount_.world.sleep(std::chrono::milliseconds(random_.between(1, 8000)));
    const auto table = fetch_table();
    if (table) judge_table(*table);
    if (table && same_mount) judge_changes();
    return;
  }
  const std::string& name = job().output->name;
  const Entry entry = expect("look up the output " + name, mount_.files.lookup(directory().inode, name));
  if (entry.attributes.inode != status.output_inode)
    wrong("the output {} of job {} is inode {}, and the metaserver says {}", name, raw(job().id),
          raw(entry.attributes.inode), raw(status.output_inode));
  const std::string text = content_of(entry.attributes.inode);
  judge_table(text);
  if (same_mount) judge_changes();
  directory().outputs[name] = text;
}

std::optional<std::string> Submitter::fetch_table() {
  const uint64_t id = raw(job().id);
  // With another session, if that one is lost: many calls may lie between the end of a job and this.
  if (const auto status = client_->look(job().id); !status.ok() && !forgotten(status.code()))
    expect(fmt::format("look at job {}", id), Status(status.error()));
  programs::SandboxedRunner programs;
  Result<tasks::Table> table = Error{Errc::not_found, ""};
  if (const Result<JobView> view = view_job(client_->meta(), job().id, programs); view.ok()) {
    table = merged_table({client_->meta(), mount_.machine.network, mount_.machine.clock}, job().id, *view);
  } else {
    table = view.error();
  }
  if (table.ok()) return tasks::to_csv(*table);
  const bool lost = table.code() == Errc::stale_handle &&
                    (!mount_.world.verdict() || mount_.world.workers_begun() > job().workers_begun);
  if (!forgotten(table.code()) && !lost) expect(fmt::format("the table of job {}", id), Status(table.error()));
  mount_.world.story().tell("{}: the table of job {} is lost: {}", label(), id, table.error().what);
  ++mount_.state.lost;
  return std::nullopt;
}

void Submitter::judge_table(const std::string& table) {
  changed_ = explain(job(), directory().files, table);
  if (!changed_) {
    mount_.world.story().tell("the table of job {}:\n{}", raw(job().id), table);
    for (const ReadVersions& input : job().inputs)
      mount_.world.story().tell("of inode {}: versions {} to {} of {}", raw(directory().files[input.file].inode),
                                input.oldest, input.newest.value_or(0), directory().files[input.file].begun());
    std::vector<std::string> contents;
    for (const ReadVersions& input : job().inputs)
      contents.push_back(directory().files[input.file].version(input.oldest));
    const Result<std::string> own = table_of(job(), contents);
    mount_.world.story().tell("of the oldest versions:\n{}", own.ok() ? *own : own.error().what);
    wrong("the table of job {} ({}) is of no versions that its inputs had", raw(job().id), job().op);
  }
}

// Only if the mount has lived meanwhile: what was under way at a crash may have changed nothing.
void Submitter::judge_changes() {
  const Result<JobStatus> now = client_->look(job().id);
  if (!now.ok() && forgotten(now.code())) return;
  const JobStatus latest = expect("status", now);
  for (size_t i = 0; i < job().inputs.size(); ++i) {
    const bool told = std::ranges::find(latest.changed, job().input_name(i)) != latest.changed.end();
    if ((*changed_)[i] && !told) wrong("job {} does not say that {} has changed", raw(job().id), job().input_name(i));
    if (told && directory().files[job().inputs[i].file].begun() == job().inputs[i].oldest)
      wrong("job {} says that {} has changed, and nobody did that", raw(job().id), job().input_name(i));
  }
}

}  // namespace cairn

// One submitter of near-data jobs: changes its files, runs jobs over them, and holds every answer against the model.
//
// A job is known to the model before it is asked for; when its program dies the next one finds it by its mark and sees
// it to its end. What is wrong ends the run through the story; a call that may fail throws CallFailed (workloads.h).
#pragma once

#include "common/base/random.h"
#include "tests/campaign/jobs_workload.h"
#include "tests/campaign/workloads.h"

namespace cairn {

class Submitter {
 public:
  Submitter(JobsMount mount, size_t index, uint64_t seed);
  void make_files();   // the first time; goes on where a crash came in between
  void settle();       // after a crash: what the files hold is one of their versions; the job that was under way ends
  void step();         // changes a file, or runs a job
  void run_a_job();    // until its end is judged
  void check_names();  // inputs and outputs are there, and nothing else but hidden files of jobs
  void wait_for_no_hidden_file();
  void remove_everything();

 private:
  struct Wishes {  // what is done to a job while it runs
    uint32_t changes = 0;
    std::optional<Instant> cancel_at;
  };
  JobsDirectory& directory() { return mount_.state.directories[index_]; }
  KnownJob& job() { return *directory().job; }
  std::string label() const { return fmt::format("{}, {}", mount_.machine.name, JobsState::directory(index_)); }
  template <typename T>
  T expect(const std::string& what, Result<T> result) {
    return cairn::expect(mount_.world, label() + ": " + what, std::move(result));
  }
  void expect(const std::string& what, const Status& status) {
    if (!status.ok()) call_failed(mount_.world, label() + ": " + what, status.error());
  }
  template <typename... Args>
  [[noreturn]] void wrong(fmt::format_string<Args...> text, Args&&... args) {
    if (mount_.files.lost_sessions() > 0) call_failed(mount_.world, label(), {Errc::io, "the session was lost"});
    mount_.world.story().wrong("{}: {}", label(), fmt::format(text, std::forward<Args>(args)...));
  }
  // It keeps a job that is over for a day: of earlier runs by its wall clock, which may have jumped.
  bool forgotten(Errc code) const { return code == Errc::not_found && mount_.world.wall_jumped(); }
  void doing(std::string what) { mount_.state.doing[index_] = std::move(what); }

  std::string rows(uint64_t count);
  void change_a_file();
  void change(VersionedFile& file, std::string after, const std::function<Status()>& call);
  std::string content_of(InodeId inode);

  KnownJob invent();
  std::optional<JobOutput> invent_output();
  void submit();
  bool find_again();                              // by its mark. False: it was never submitted.
  std::optional<JobStatus> watch(Wishes wishes);  // none: the metaserver does not know it any more
  void judge(const std::optional<JobStatus>& status, bool same_mount);
  void judge_forgotten();
  void judge_done(const JobStatus& status, bool same_mount);
  std::optional<std::string> fetch_table();  // none: it was lost with a worker
  void judge_table(const std::string& table);
  void judge_changes();
  void judge_failure(const JobStatus& status);

  const JobsMount mount_;
  const size_t index_;
  Random random_;
  std::optional<JobClient> client_;
  uint64_t next_row_ = 0;
  std::optional<std::vector<bool>> changed_;  // of the last table: as explain() gives it
};

}  // namespace cairn

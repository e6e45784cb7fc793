// Which worker maps which task now: locality, fairness between jobs, slow and lost attempts.
//
//   waiting --take()--> running --on_finished()--> has a result
//      ^                   |  failed, not named by its worker's next poll, or its worker was silent too long
//      +-------------------+
//
// A task goes to the worker beside its owner. Others may have it when that one is not there, or has had no free slot
// for a while (delay scheduling: Zaharia et al., EuroSys 2010); those of the same site first. The next task is of the
// job with the fewest running ones. When nothing waits, what runs much longer than others did is started once more
// elsewhere; the first result counts (MapReduce's backup tasks).
//
// Kept in memory only: after a restart workers name what they run. Results do not depend on what is decided here.
// Pure: events and the time are arguments, the caller serialises, and ties are broken by ids so that runs can be
// replayed. Not here: rows and commands (state, ops), threads and polls that wait (dispatcher.h).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/meta/jobs.h"

namespace cairn {

class TaskScheduler {
 public:
  struct Options {
    AttemptId first_attempt{1};    // larger than all of earlier runs
    Duration worker_timeout = 6s;  // silent for so long after its poll was to be answered: gone
    Duration locality_delay = 2s;  // before a task of a busy owner goes elsewhere
    double slow_factor = 1.5;      // of the median of the job's finished attempts
    Duration slow_at_least = 1s;
  };
  explicit TaskScheduler(Options options) : options_(options), next_attempt_(raw(options.first_attempt)) {}

  struct Task {
    uint32_t number = 0;
    ServerId owner{};             // 0: anybody
    std::vector<ServerId> avoid;  // it failed there
  };
  // All tasks of a phase that have no result yet. Nothing is given out before `from`: after a restart, workers name
  // first what they run. Replaces an earlier phase of the job, whose attempts are dropped.
  void start_phase(JobId job, JobPhase phase, const std::vector<Task>& tasks, Instant from, Instant now);
  // One more of a phase that is under way: its result was lost. Nothing if the job is elsewhere, or the task is there.
  void add_task(JobId job, JobPhase phase, const Task& task);
  void end_job(JobId job);  // nothing if it is not known
  std::optional<JobPhase> phase(JobId job) const;

  struct Worker {
    ServerId server{};
    std::string site;
    uint32_t slots = 0;
    std::vector<RunningTask> running;  // all of them
    Duration wait{};                   // how long its poll may wait here
  };
  void on_poll(const Worker& worker, Instant now);
  void on_worker_gone(ServerId server, Instant now);
  // The next task for a worker that has polled; none: it has no free slot, or there is nothing for it now.
  std::optional<TaskRef> take(ServerId server, Instant now);
  // Attempts on that server that nobody wants any more; told once.
  std::vector<TaskRef> take_drops(ServerId server);
  bool has_drops(ServerId server) const;
  // succeeded: the task has a result, by this attempt or another one.
  void on_finished(const TaskRef& ref, ServerId server, bool succeeded, Instant now);
  void on_tick(Instant now);  // workers that were silent too long

  struct GivenUp {
    JobId job{};
    uint32_t task = 0;
    uint32_t times = 0;
  };
  // Tasks that were lost with their workers too often: told once.
  std::vector<GivenUp> take_given_up();

  struct Activity {
    uint32_t waiting = 0, running = 0, extra_attempts = 0;
    uint64_t bytes = 0;                      // that running attempts have done
    std::map<ServerId, uint32_t> by_server;  // running attempts
  };
  Activity activity(JobId job) const;
  uint32_t slots() const;  // of all workers

 private:
  struct Attempt {
    AttemptId id{};
    ServerId server{};
    Instant started{};
    uint64_t bytes = 0;
  };
  struct TaskState {
    Task task;
    std::vector<Attempt> attempts;  // running; none: it waits
    std::vector<AttemptId> failed;
    uint32_t losses = 0;
  };
  struct Queue {  // of one owner
    std::set<uint32_t> waiting;
    Instant since{};  // the owner took one, or the phase began
  };
  struct JobState {
    JobPhase phase = JobPhase::mapping;
    Instant from{};
    std::map<uint32_t, TaskState> tasks;  // without a result
    std::map<ServerId, Queue> queues;     // by owner; 0: anybody
    uint32_t waiting = 0, running = 0, extra_attempts = 0;
    std::vector<Duration> finished;  // the last ones, in no order
    size_t next_finished = 0;
  };
  struct WorkerState {
    std::string site;
    uint32_t slots = 0;
    Instant answered{};  // its poll, at the latest
    std::set<TaskRef> running;
    std::vector<TaskRef> drops;
    bool free() const { return running.size() < slots; }
  };

  void lose(const TaskRef& ref, ServerId server);
  bool forget_attempt(JobState& job, TaskState& task, AttemptId attempt);
  void wait(JobState& job, TaskState& task);
  void drop_attempts(JobId id, const JobState& job, const TaskState& task);
  bool adopt(const RunningTask& running, ServerId server, Instant now);
  TaskRef start(JobId id, JobState& job, TaskState& task, ServerId server, Instant now);
  bool allowed(const TaskState& task, ServerId server) const;
  std::optional<uint32_t> first_allowed(const JobState& job, const Queue& queue, ServerId server) const;
  std::optional<uint32_t> pick(JobState& job, ServerId server, const WorkerState& worker, Instant now);
  std::optional<uint32_t> pick_foreign(JobState& job, ServerId server, const WorkerState& worker, Instant now) const;
  std::optional<uint32_t> pick_slow(const JobState& job, ServerId server, Instant now) const;

  Options options_;
  uint64_t next_attempt_;
  std::map<JobId, JobState> jobs_;
  std::map<ServerId, WorkerState> workers_;
  std::vector<GivenUp> given_up_;
};

}  // namespace cairn

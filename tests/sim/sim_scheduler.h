// The simulation's heart: every thread of every simulated process is a fiber on one real thread, in virtual time.
//
//   SimScheduler scheduler(seed);
//   const SimProcess p = scheduler.new_process("meta");
//   scheduler.spawn_in(p, "main", [&] { ... });
//   Status end = scheduler.run([&] { ... drive the test, kill p, wait ... });
//
// Among the fibers that can run, the seed picks one; it runs until it waits. Time stands still while anything can run
// and then jumps to the next deadline. So a run is a function of its seed, and trace_hash() says whether two were the
// same.
//
// Not here: disks (sim_disk.h), networks (sim_network.h), machines made of them (sim_cluster.h).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/random.h"
#include "common/base/result.h"
#include "common/base/thread.h"
#include "common/base/types.h"

namespace cairn {

enum class SimProcess : uint32_t {};          // a simulated process; never reused
inline constexpr SimProcess kTestProcess{0};  // the test's own fibers; cannot be killed

class SimScheduler : public Scheduler {
 public:
  struct Limits {
    uint64_t steps = 100'000'000;  // resumptions, before a run counts as a livelock
    Duration time = 24h;           // virtual
  };
  explicit SimScheduler(uint64_t seed);
  SimScheduler(uint64_t seed, Limits limits);
  ~SimScheduler() override;  // abandons whatever still waits
  SimScheduler(const SimScheduler&) = delete;
  SimScheduler& operator=(const SimScheduler&) = delete;

  // Runs body as a fiber of the test and all others with it, until body has returned. What still waits then goes on in
  // the next run(). Fails with Errc::timed_out when nothing can ever run again or a limit is reached; the text names
  // each waiting fiber. Not from within a fiber.
  Status run(std::function<void()> body);

  SimProcess new_process(std::string name);
  uint64_t spawn_in(SimProcess process, std::string name, std::function<void()> body);
  // As kill -9: none of its fibers runs again and no destructor on their stacks; what they had allocated stays. A fiber
  // may kill its own process; then this does not return.
  void kill(SimProcess process);
  bool alive(SimProcess process) const;
  // As SIGSTOP and SIGCONT: none of its fibers runs in between, while time goes on. Waits end as they would, and what
  // they wait for piles up; who waited learns of it when it runs again. A fiber may freeze its own process: then this
  // returns after the thaw. A dead process stays dead.
  void freeze(SimProcess process);
  void thaw(SimProcess process);
  bool frozen(SimProcess process) const;
  SimProcess current_process() const;  // the test's outside of fibers
  const std::string& name_of(SimProcess process) const;
  // Called at each kill, after the fibers are gone: for the kernel's part of a death, like resetting connections.
  void on_death(std::function<void(SimProcess)> observer);

  // For fibers.
  void sleep_until(Instant deadline);
  void sleep(Duration time) { sleep_until(now_ + time); }
  void yield() { sleep_until(now_); }

  // Scheduler:
  uint64_t spawn(std::string name, std::function<void()> body) override;
  void join(uint64_t fiber) override;
  bool park(const void* key, Instant deadline) override;
  void wake(const void* key, bool all) override;
  Instant now() const override { return now_; }
  void describe_running(std::FILE* to) const override;

  Random& random() { return random_; }  // of the schedule; others fork() theirs
  uint64_t steps() const { return steps_; }
  uint64_t trace_hash() const { return trace_; }
  void trace(uint64_t event) { trace_ = mix64(trace_ ^ event); }
  std::string describe_waiting() const;  // a line for each fiber

 private:
  struct Fiber;
  struct Process {
    std::string name;
    bool alive = true;
    bool frozen = false;
    std::vector<Fiber*> held{};  // that could run, were it not frozen
  };

  void make_runnable(Fiber& fiber);
  void unpark(Fiber& fiber, bool woken);
  void forget(Fiber& fiber);  // from all queues; frees it
  bool advance_time();        // false if no deadline is waited for
  void step();
  bool inside_a_fiber() const { return running_ != nullptr; }

  const Limits limits_;
  Random random_;
  Instant now_{1'000'000'000};
  uint64_t steps_ = 0;
  uint64_t trace_ = 0;
  uint64_t next_fiber_ = 1;
  Fiber* running_ = nullptr;
  bool running_is_dead_ = false;  // it has killed its own process
  std::map<uint64_t, std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> runnable_;
  std::unordered_map<const void*, std::vector<Fiber*>> parked_;  // never iterated: addresses are not part of a run
  std::set<std::pair<Instant, uint64_t>> timers_;                // deadline, fiber
  std::vector<Process> processes_;
  std::vector<std::function<void(SimProcess)>> observers_;
};

}  // namespace cairn

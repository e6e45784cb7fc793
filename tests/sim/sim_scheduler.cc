#include "tests/sim/sim_scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "tests/sim/fiber_context.h"

namespace cairn {

namespace {
// A CondVar may wake without cause, and code that does not expect it must be found.
constexpr uint64_t kSpuriousWakeOneIn = 200;

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "simulation: %s\n", why.c_str());
  std::abort();
}
}  // namespace

struct SimScheduler::Fiber {
  Fiber(uint64_t id_, SimProcess process_, std::string name_, std::function<void()> body)
      : id(id_), process(process_), name(std::move(name_)), context(std::move(body)) {}
  const uint64_t id;
  const SimProcess process;
  const std::string name;
  FiberContext context;
  bool parked = false;
  const void* key = nullptr;            // while parked; null when only the deadline ends the wait
  Instant deadline = Instant::never();  // while parked
  bool woken = false;                   // how the last wait ended
};

SimScheduler::SimScheduler(uint64_t seed) : SimScheduler(seed, Limits{}) {}

SimScheduler::SimScheduler(uint64_t seed, Limits limits) : limits_(limits), random_(seed), processes_{{"test"}} {}

SimScheduler::~SimScheduler() = default;

Status SimScheduler::run(std::function<void()> body) {
  if (inside_a_fiber()) stop("run() was called from within a fiber");
  Scheduler* const outer = std::exchange(current_scheduler, this);
  const uint64_t main = spawn_in(kTestProcess, "main", std::move(body));
  Status end;
  while (fibers_.contains(main)) {
    while (runnable_.empty() && advance_time()) {  // its deadline may be a frozen fiber's
    }
    if (runnable_.empty()) {
      end = Error{Errc::timed_out, "hang: nothing can run and no deadline is waited for\n" + describe_waiting()};
      break;
    }
    if (steps_ >= limits_.steps || now_ - Instant{} > limits_.time) {
      end = Error{Errc::timed_out, fmt::format("limit reached after {} steps at {} s\n{}", steps_,
                                               now_.ns / 1'000'000'000, describe_waiting())};
      break;
    }
    step();
  }
  current_scheduler = outer;
  return end;
}

bool SimScheduler::advance_time() {
  if (timers_.empty()) return false;
  now_ = std::max(now_, timers_.begin()->first);
  while (!timers_.empty() && timers_.begin()->first <= now_) unpark(*fibers_.at(timers_.begin()->second), false);
  return true;
}

void SimScheduler::step() {
  const size_t chosen = random_.below(runnable_.size());
  Fiber& fiber = *runnable_[chosen];
  runnable_[chosen] = runnable_.back();
  runnable_.pop_back();
  ++steps_;
  trace(fiber.id ^ (static_cast<uint64_t>(now_.ns) << 16));
  running_ = &fiber;
  fiber.context.resume();
  running_ = nullptr;
  if (fiber.context.finished() || std::exchange(running_is_dead_, false)) forget(fiber);
}

SimProcess SimScheduler::new_process(std::string name) {
  processes_.push_back({std::move(name), true});
  return static_cast<SimProcess>(processes_.size() - 1);
}

uint64_t SimScheduler::spawn_in(SimProcess process, std::string name, std::function<void()> body) {
  if (!alive(process)) stop(fmt::format("fiber {} is started in {}, which is dead", name, name_of(process)));
  const uint64_t id = next_fiber_++;
  auto& slot = fibers_[id];
  slot = std::make_unique<Fiber>(id, process, std::move(name), std::move(body));
  make_runnable(*slot);
  return id;
}

uint64_t SimScheduler::spawn(std::string name, std::function<void()> body) {
  return spawn_in(current_process(), std::move(name), std::move(body));
}

void SimScheduler::make_runnable(Fiber& fiber) {
  Process& process = processes_[raw(fiber.process)];
  (process.frozen ? process.held : runnable_).push_back(&fiber);
}

void SimScheduler::forget(Fiber& fiber) {
  if (fiber.parked) unpark(fiber, false);
  std::erase(runnable_, &fiber);
  std::erase(processes_[raw(fiber.process)].held, &fiber);
  wake(&fiber, true);  // whoever joins it
  fibers_.erase(fiber.id);
}

void SimScheduler::kill(SimProcess process) {
  if (process == kTestProcess) stop("the test's own process cannot be killed");
  if (!alive(process)) return;
  processes_[raw(process)].alive = false;
  trace(raw(process));
  std::vector<Fiber*> doomed;
  for (const auto& [id, fiber] : fibers_) {
    if (fiber->process == process && fiber.get() != running_) doomed.push_back(fiber.get());
  }
  for (Fiber* fiber : doomed) forget(*fiber);
  for (const auto& observer : observers_) observer(process);
  if (inside_a_fiber() && running_->process == process) {
    running_is_dead_ = true;
    running_->context.suspend();
    stop("a dead fiber ran again");
  }
}

void SimScheduler::freeze(SimProcess process) {
  if (process == kTestProcess) stop("the test's own process cannot be frozen");
  if (!alive(process) || frozen(process)) return;
  Process& held = processes_[raw(process)];
  held.frozen = true;
  std::erase_if(runnable_, [&](Fiber* fiber) {
    if (fiber->process != process) return false;
    held.held.push_back(fiber);
    return true;
  });
  if (current_process() == process) yield();
}

void SimScheduler::thaw(SimProcess process) {
  Process& thawed = processes_.at(raw(process));
  thawed.frozen = false;
  for (Fiber* fiber : std::exchange(thawed.held, {})) runnable_.push_back(fiber);
}

bool SimScheduler::frozen(SimProcess process) const { return processes_.at(raw(process)).frozen; }

bool SimScheduler::alive(SimProcess process) const { return processes_.at(raw(process)).alive; }

SimProcess SimScheduler::current_process() const { return inside_a_fiber() ? running_->process : kTestProcess; }

const std::string& SimScheduler::name_of(SimProcess process) const { return processes_.at(raw(process)).name; }

void SimScheduler::on_death(std::function<void(SimProcess)> observer) { observers_.push_back(std::move(observer)); }

void SimScheduler::sleep_until(Instant deadline) {
  // Not under a key: only the deadline ends it.
  do {
    (void)park(nullptr, deadline);
  } while (now_ < deadline);
}

void SimScheduler::join(uint64_t fiber) {
  for (auto found = fibers_.find(fiber); found != fibers_.end(); found = fibers_.find(fiber)) {
    (void)park(found->second.get(), Instant::never());
  }
}

bool SimScheduler::park(const void* key, Instant deadline) {
  if (!inside_a_fiber()) stop("a wait outside of any fiber: only code within run() may wait");
  Fiber& self = *running_;
  if (deadline <= now_ || (key != nullptr && random_.one_in(kSpuriousWakeOneIn))) {
    self.woken = deadline > now_;
    make_runnable(self);
  } else {
    self.parked = true;
    self.key = key;
    self.deadline = deadline;
    if (key != nullptr) parked_[key].push_back(&self);
    if (deadline != Instant::never()) timers_.emplace(deadline, self.id);
  }
  self.context.suspend();
  return self.woken;
}

void SimScheduler::unpark(Fiber& fiber, bool woken) {
  if (fiber.key != nullptr) {
    const auto waiters = parked_.find(fiber.key);
    std::erase(waiters->second, &fiber);
    if (waiters->second.empty()) parked_.erase(waiters);
  }
  timers_.erase({fiber.deadline, fiber.id});
  fiber.parked = false;
  fiber.key = nullptr;
  fiber.woken = woken;
  make_runnable(fiber);
}

void SimScheduler::wake(const void* key, bool all) {
  const auto waiters = parked_.find(key);
  if (waiters == parked_.end()) return;
  if (!all) return unpark(*waiters->second[random_.below(waiters->second.size())], true);
  for (Fiber* fiber : std::vector<Fiber*>(waiters->second)) unpark(*fiber, true);
}

void SimScheduler::describe_running(std::FILE* to) const {
  if (!inside_a_fiber()) return;
  std::fprintf(to, "  in fiber %s of process %s at %.6f s\n", running_->name.c_str(),
               name_of(running_->process).c_str(), static_cast<double>(now_.ns) * 1e-9);
}

std::string SimScheduler::describe_waiting() const {
  std::string text;
  for (const auto& [id, fiber] : fibers_) {
    text += fmt::format("  {}/{} (fiber {}): ", name_of(fiber->process), fiber->name, id);
    if (!fiber->parked) {
      text += "can run\n";
    } else if (fiber->deadline == Instant::never()) {
      text += "waits for ever\n";
    } else {
      text += fmt::format("waits until {:.6f} s\n", static_cast<double>(fiber->deadline.ns) * 1e-9);
    }
  }
  return text;
}

}  // namespace cairn

#include "client/sessions/lock_keeper.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace cairn {
namespace {

constexpr Duration kPause = 500ms;  // between attempts of the thread

LockCall call_of(const LockKeeper::Request& request, uint64_t run, uint64_t name) {
  return {run, request.inode, request.owner, request.pid, request.range, request.mode, request.wait, name};
}

}  // namespace

LockKeeper::LockKeeper(MetaClient& meta, Clock& clock, std::function<void(const Error&)> note)
    : meta_(meta), clock_(clock), note_(std::move(note)) {
  thread_ = Thread("cairn-locks", [this] { loop(); });
}

void LockKeeper::stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

// ---- the gate: calls on one side, reclaiming on the other
// ------------------------------------------------------------

uint64_t LockKeeper::enter() {
  Lock lock(mutex_);
  changed_.wait(lock, [this] { return !reclaiming_ || stopping_ || failed_; });
  ++calls_;
  return run_;
}

void LockKeeper::leave() {
  const Lock lock(mutex_);
  if (--calls_ == 0) changed_.notify_all();
}

// ---- what is held
// ----------------------------------------------------------------------------------------------------

void LockKeeper::apply(const Request& request, const LockAnswer& answer) {
  Owned& owned = owned_[request.inode][request.owner];
  const bool is_flock = request.owner.kind == LockKind::flock;
  if (answer.outcome == LockOutcome::granted) {
    // Threads of one owner may read their answers in another order than they were given. Never to forget a lock: an
    // older answer changes nothing, and the next close asks the metaserver in any case.
    if (owned.ranges.newest(request.range) > answer.token) {
      owned.unsure = true;
    } else {
      owned.ranges.set(request.range, request.mode, answer.token);
    }
    if (request.mode == LockMode::none) return;
    owned.pid = request.pid;
    owned.handles.insert(request.handle);
  } else if (is_flock && !owned.ranges.empty()) {
    // A change of mode has given the old lock up first, as flock(2) says, unless there was no room even for that.
    owned.ranges = {};
    owned.unsure = true;
  }
}

void LockKeeper::settle(const OwnerKey& key) {
  const auto file = owned_.find(key.first);
  if (file == owned_.end()) return;
  const auto owner = file->second.find(key.second);
  if (owner != file->second.end() && owner->second.ranges.empty() && owner->second.under_way == 0 &&
      !owner->second.unsure) {
    file->second.erase(owner);
  }
  if (file->second.empty()) owned_.erase(file);
}

bool LockKeeper::holds_nothing() const {
  const Lock lock(mutex_);
  return owned_.empty();
}

// ---- requests
// --------------------------------------------------------------------------------------------------------

uint64_t LockKeeper::begin(Done done) {
  const Lock lock(mutex_);
  waiters_.emplace(next_name_, Waiter{std::move(done), {}, Stage::begun, false});
  return next_name_++;
}

void LockKeeper::lock(uint64_t name, const Request& request) {
  const OwnerKey key{request.inode, request.owner};
  std::optional<LockResult> early;
  {
    const Lock lock(mutex_);
    const auto file = owned_.find(request.inode);
    const bool has = file != owned_.end() && file->second.contains(request.owner);
    Waiter& waiter = waiters_.at(name);
    if (failed_) {
      early = *failed_;
    } else if (waiter.interrupted) {
      early = Error{Errc::interrupted, "a signal came before the lock was asked for"};
    } else if (request.mode == LockMode::none && !has) {
      early = LockOutcome::granted;  // nothing is held, here or there
    } else {
      Owned& owned = owned_[request.inode][request.owner];  // from now on a close tells the metaserver
      if (request.mode != LockMode::none) owned.handles.insert(request.handle);
      ++owned.under_way;
      waiter.request = request;
      waiter.stage = Stage::asked;
    }
  }
  if (early) return finish(name, *early);
  const Result<LockAnswer> answer = ask(name, request);
  if (!answer.ok()) return finish(name, answer.error());
  if (answer->outcome != LockOutcome::queued) return finish(name, answer->outcome);
}

// Parked or recorded when it returns. The waiter may be gone already: its event was faster.
Result<LockAnswer> LockKeeper::ask(uint64_t name, const Request& request) {
  while (true) {
    const uint64_t run = enter();
    const Result<LockAnswer> answer = meta_.lock(call_of(request, run, name));
    {
      const Lock lock(mutex_);
      const auto waiter = waiters_.find(name);
      if (answer.ok() && answer->outcome != LockOutcome::reclaim_first) {
        if (run_ == 0) run_ = answer->run;
        if (answer->outcome != LockOutcome::queued) apply(request, *answer);
        if (answer->outcome == LockOutcome::queued && waiter != waiters_.end()) {
          if (request.owner.kind == LockKind::flock) apply(request, *answer);
          waiter->second.stage = Stage::parked;
          if (waiter->second.interrupted) to_cancel_.push_back(name);
        }
      } else if (!answer.ok()) {
        owned_[request.inode][request.owner].unsure = true;
        if (request.mode != LockMode::none) to_cancel_.push_back(name);  // it may have been queued
      }
      if (--calls_ == 0 || !to_cancel_.empty()) changed_.notify_all();
    }
    if (!answer.ok()) {
      note_(answer.error());
      return answer;
    }
    if (answer->outcome != LockOutcome::reclaim_first) return answer;
    TRY(reclaim_unless(answer->run));
  }
}

void LockKeeper::leave_waiter(const Waiter& waiter) {
  if (waiter.stage == Stage::begun) return;
  --owned_[waiter.request.inode][waiter.request.owner].under_way;
  settle({waiter.request.inode, waiter.request.owner});
}

LockKeeper::Done LockKeeper::take(uint64_t name) {
  const auto waiter = waiters_.find(name);
  if (waiter == waiters_.end()) return [](const LockResult&) {};
  leave_waiter(waiter->second);
  Done done = std::move(waiter->second.done);
  waiters_.erase(waiter);
  return done;
}

void LockKeeper::finish(uint64_t name, const LockResult& result) {
  Done done;
  {
    const Lock lock(mutex_);
    done = take(name);
  }
  done(result);
}

void LockKeeper::interrupt(uint64_t name) {
  const Lock lock(mutex_);
  const auto waiter = waiters_.find(name);
  if (waiter == waiters_.end() || waiter->second.interrupted) return;
  waiter->second.interrupted = true;
  if (waiter->second.stage != Stage::parked) return;
  to_cancel_.push_back(name);
  changed_.notify_all();
}

Result<std::optional<LockInfo>> LockKeeper::test(const Request& request) {
  auto found = meta_.test_lock({request.inode, request.owner, request.pid, request.range, request.mode, 0});
  if (!found.ok()) note_(found.error());
  return found;
}

// ---- ends
// ------------------------------------------------------------------------------------------------------------

Status LockKeeper::unlock_all(const OwnerKey& key) {
  const Request request{key.first, key.second, 0, 0, {}, LockMode::none, false};
  while (true) {
    const uint64_t run = enter();
    const Result<LockAnswer> answer = meta_.lock(call_of(request, run, 0));
    if (answer.ok() && answer->outcome == LockOutcome::granted) {
      const Lock lock(mutex_);
      if (run_ == 0) run_ = answer->run;
      Owned& owned = owned_[key.first][key.second];
      owned.unsure = false;
      apply(request, *answer);
      settle(key);
    }
    leave();
    if (!answer.ok()) return answer.error();
    if (answer->outcome != LockOutcome::reclaim_first) return {};
    TRY(reclaim_unless(answer->run));
  }
}

void LockKeeper::unlock_later(const OwnerKey& key) {
  const Status unlocked = unlock_all(key);
  if (unlocked.ok()) return;
  note_(unlocked.error());
  spdlog::warn("locks of inode {} could not be given back yet: {}", raw(key.first), unlocked.error().what);
  const Lock lock(mutex_);
  if (failed_ || stopping_) return;
  to_unlock_.push_back(key);
  changed_.notify_all();
}

void LockKeeper::closed(InodeId inode, LockOwner owner) {
  {
    const Lock lock(mutex_);
    const auto file = owned_.find(inode);
    if (failed_ || file == owned_.end() || !file->second.contains(owner)) return;
  }
  unlock_later({inode, owner});
}

void LockKeeper::released(InodeId inode, uint64_t handle) {
  std::vector<OwnerKey> over;
  {
    const Lock lock(mutex_);
    const auto file = owned_.find(inode);
    if (failed_ || file == owned_.end()) return;
    for (auto& [owner, owned] : file->second) {
      if (owned.handles.erase(handle) > 0 && owned.handles.empty()) over.push_back({inode, owner});
    }
  }
  for (const OwnerKey& key : over) unlock_later(key);
}

// Those who are asking get an error from their call.
std::vector<LockKeeper::Done> LockKeeper::take_parked() {
  std::vector<Done> told;
  for (auto at = waiters_.begin(); at != waiters_.end();) {
    if (at->second.stage != Stage::parked) {
      ++at;
      continue;
    }
    leave_waiter(at->second);
    told.push_back(std::move(at->second.done));
    at = waiters_.erase(at);
  }
  changed_.notify_all();
  return told;
}

void LockKeeper::fail_all(const Error& error) {
  std::vector<Done> told;
  {
    const Lock lock(mutex_);
    if (!failed_) failed_ = error;
    told = take_parked();
  }
  for (const Done& done : told) done(error);
}

void LockKeeper::forget_all(const Error& error) {
  std::vector<Done> told;
  {
    const Lock lock(mutex_);
    told = take_parked();
    for (auto& [inode, owners] : owned_) {
      for (auto& [owner, owned] : owners) owned.ranges = {};
    }
  }
  for (const Done& done : told) done(error);
}

// ---- events
// ----------------------------------------------------------------------------------------------------------

void LockKeeper::ended(const LockNotice& notice) {
  Done done;
  {
    Lock lock(mutex_);
    // News of a run that is being told of our waits must not be lost; those of the run before count no more.
    changed_.wait(lock, [this] { return !reclaiming_ || stopping_ || failed_; });
    if (run_ != 0 && notice.run != run_) return;
    run_ = notice.run;
    const auto waiter = waiters_.find(notice.waiter);
    if (waiter == waiters_.end()) return;
    apply(waiter->second.request, {notice.run, notice.outcome, notice.token});
    done = take(notice.waiter);
  }
  done(notice.outcome);
}

Status LockKeeper::restarted(uint64_t run) { return reclaim_unless(run); }

Status LockKeeper::reclaim() { return reclaim_unless(0); }

LockReclaim LockKeeper::all_of_it() const {
  LockReclaim all;
  for (const auto& [inode, owners] : owned_) {
    for (const auto& [owner, owned] : owners) {
      owned.ranges.each([&, &owner = owner, &owned = owned, inode = inode](const LockRanges::Segment& segment) {
        all.held.push_back({inode, owner, owned.pid, segment.range, segment.mode, segment.token});
      });
    }
  }
  for (const auto& [name, waiter] : waiters_) {
    if (waiter.stage == Stage::parked) all.waiting.push_back(call_of(waiter.request, run_, name));
  }
  return all;
}

// known_run: that of the answer which said so. 0: in any case.
Status LockKeeper::reclaim_unless(uint64_t known_run) {
  LockReclaim all;
  {
    Lock lock(mutex_);
    changed_.wait(lock, [this] { return !reclaiming_ || stopping_ || failed_; });
    if (failed_) return *failed_;
    if (stopping_) return Error{Errc::unavailable, "this client is shut down"};
    if (known_run != 0 && run_ == known_run) return {};
    reclaiming_ = true;
    changed_.wait(lock, [this] { return calls_ == 0; });
    all = all_of_it();
  }
  const Result<LockAnswer> answer = meta_.reclaim_locks(all);
  {
    const Lock lock(mutex_);
    if (answer.ok()) run_ = answer->run;
    reclaiming_ = false;
    changed_.notify_all();
  }
  if (!answer.ok()) {
    note_(answer.error());
    return answer.error();
  }
  if (!all.held.empty() || !all.waiting.empty())
    spdlog::info("the metaserver has restarted: {} locks and {} waits for locks were told to it", all.held.size(),
                 all.waiting.size());
  return {};
}

// ---- the thread
// ------------------------------------------------------------------------------------------------------

void LockKeeper::cancel(uint64_t name) {
  while (true) {
    const uint64_t run = enter();
    const Result<LockAnswer> answer = meta_.cancel_lock(run, name);
    leave();
    if (!answer.ok()) {
      note_(answer.error());
      const Lock lock(mutex_);
      if (!failed_ && !stopping_) to_cancel_.push_back(name);
      return;
    }
    if (answer->outcome == LockOutcome::conflict)
      return finish(name, Error{Errc::interrupted, "a signal ended the wait"});
    if (answer->outcome != LockOutcome::reclaim_first) return;  // granted before: its event is on the way
    if (!reclaim_unless(answer->run).ok()) {
      const Lock lock(mutex_);
      to_cancel_.push_back(name);
      return;
    }
  }
}

void LockKeeper::loop() {
  Lock lock(mutex_);
  Instant not_before{};
  while (true) {
    const auto idle = [this] { return to_cancel_.empty() && to_unlock_.empty(); };
    changed_.wait(lock, [&] { return stopping_ || (!failed_ && !idle()); });
    // After a failure the next attempt waits, so that a metaserver that is away is not asked without a pause.
    changed_.wait_until(lock, not_before, [&] { return stopping_; });
    if (stopping_) return;
    const std::vector<uint64_t> cancels = std::exchange(to_cancel_, {});
    const std::vector<OwnerKey> unlocks = std::exchange(to_unlock_, {});
    lock.unlock();
    for (const uint64_t name : cancels) cancel(name);
    for (const OwnerKey& key : unlocks) unlock_later(key);
    lock.lock();
    not_before = idle() ? Instant{} : clock_.now() + kPause;
  }
}

}  // namespace cairn

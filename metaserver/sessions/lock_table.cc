#include "metaserver/sessions/lock_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace cairn {
namespace {

constexpr size_t kMostFollowed = 1000;  // waits that one search follows; beyond that it has found nothing

Error too_much(size_t has, const char* what) {
  return {Errc::busy, fmt::format("the session has {} {}, and may have no more", has, what)};
}

}  // namespace

// ---- calls ---------------------------------------------------------------------------------------------------------

Result<LockTable::Answer> LockTable::acquire(SessionId session, const LockCall& call, Endings& ended) {
  const Key key{session, call.owner};
  if (call.mode == LockMode::none) {
    TRY(set(key, call.inode, call.range, LockMode::none, call.pid, 0));
    const uint64_t number = next_token_++;  // orders it among the grants of the same owner
    serve(file_of(key, call.inode), ended);
    return Answer{LockOutcome::granted, number};
  }
  if (const auto found = sessions_.find(session); found != sessions_.end() && found->second.waits.contains(call.waiter))
    return Answer{LockOutcome::queued, 0};
  return decide(key, call, ended);
}

Result<LockTable::Answer> LockTable::decide(const Key& key, const LockCall& call, Endings& ended) {
  const FileKey file = file_of(key, call.inode);
  if (key.owner.kind == LockKind::flock) {
    const auto at = files_.find(file);
    const auto own = at == files_.end() ? std::map<Key, Holding>::iterator{} : at->second.holders.find(key);
    if (at != files_.end() && own != at->second.holders.end()) {
      if (const auto token = own->second.ranges.covers(call.range, call.mode))
        return Answer{LockOutcome::granted, *token};
      TRY(set(key, call.inode, call.range, LockMode::none, call.pid, 0));
      serve(file, ended);
    }
  }
  const bool waited_for = somebody_may_wait_for(key);
  const bool back = held_back_.contains(key.session);
  const bool held = blocked_by_holder(key, call);
  if (!back && held && !call.wait) return Answer{LockOutcome::conflict, 0};
  if (call.wait && held && waited_for && would_deadlock(key, call)) return Answer{LockOutcome::deadlock, 0};
  Answer answer{LockOutcome::queued, 0};
  if (!back && !held && (!call.wait || !blocked_by_queue(key, call, next_wait_))) {
    if (!enough_room(key, call)) return too_much(this->held(key.session), "locks");
    answer = grant(key, call, next_token_++);
    serve(file, ended);  // a lock that became a weaker one lets others in
    if (owners_[key].waits.empty()) return answer;
    end_deadlocks(file, ended);
  } else {
    if (waiting(key.session) >= limits_.waiting) return too_much(limits_.waiting, "waits for locks");
    enqueue(key, call);
    if (!waited_for) return answer;
  }
  break_circle_of_queues(key, ended);
  return answer;
}

bool LockTable::cancel(SessionId session, uint64_t waiter, Endings& ended) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return false;
  const auto at = found->second.waits.find(waiter);
  if (at == found->second.waits.end()) return false;
  const uint64_t number = at->second;
  const Wait& wait = waits_.at(number);
  const FileKey file = file_of(wait.key, wait.call.inode);
  remove_wait(number);
  serve(file, ended);
  return true;
}

uint64_t LockTable::reclaim(SessionId session, const LockReclaim& reclaim, Endings& ended) {
  std::set<FileKey> touched = remove_all_of(session);
  uint64_t lost = 0;
  for (const HeldLock& lock : reclaim.held) {
    const Key key{session, lock.owner};
    const LockCall as_call{0, lock.inode, lock.owner, lock.pid, lock.range, lock.mode, false, 0};
    if (blocked_by_holder(key, as_call) || !enough_room(key, as_call)) {
      ++lost;
      continue;
    }
    grant(key, as_call, lock.token > 0 && lock.token < next_token_ ? lock.token : next_token_++);
    touched.insert(file_of(key, lock.inode));
  }
  for (const LockCall& call : reclaim.waiting) {
    if (sessions_[session].waits.contains(call.waiter)) continue;
    const Result<Answer> answer = decide({session, call.owner}, call, ended);
    if (!answer.ok()) {
      ended.push_back({session, call.waiter, {LockOutcome::no_room, 0}});
    } else if (answer->outcome != LockOutcome::queued) {
      ended.push_back({session, call.waiter, *answer});
    }
  }
  for (const FileKey& file : touched) serve(file, ended);
  return lost;
}

void LockTable::end_session(SessionId session, Endings& ended) {
  held_back_.erase(session);
  for (const FileKey& file : remove_all_of(session)) serve(file, ended);
  sessions_.erase(session);
}

void LockTable::hold_back(SessionId session, bool back, Endings& ended) {
  if (back) {
    held_back_.insert(session);
    return;
  }
  if (held_back_.erase(session) == 0) return;
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  std::set<FileKey> files;
  for (const auto& [name, number] : found->second.waits) {
    const Wait& wait = waits_.at(number);
    files.insert(file_of(wait.key, wait.call.inode));
  }
  for (const FileKey& file : files) serve(file, ended);
}

// ---- looking -------------------------------------------------------------------------------------------------------

std::optional<LockInfo> LockTable::test(SessionId session, const HeldLock& wanted) const {
  const auto file = files_.find({wanted.inode, wanted.owner.kind});
  if (file == files_.end()) return std::nullopt;
  for (const auto& [key, holding] : file->second.holders) {
    if (key == Key{session, wanted.owner}) continue;
    if (const auto segment = holding.ranges.conflict(wanted.range, wanted.mode)) {
      return LockInfo{{wanted.inode, key.owner, holding.pid, segment->range, segment->mode, segment->token},
                      false,
                      key.session,
                      {},
                      {},
                      0};
    }
  }
  return std::nullopt;
}

LockPage LockTable::list(const LockListCall& call) const {
  LockPage page;
  uint64_t left_out = 0;
  const auto add = [&](LockInfo info) {
    if (left_out++ < call.skip) return;
    if (page.locks.size() >= call.limit) {
      page.complete = false;
    } else {
      page.locks.push_back(std::move(info));
    }
  };
  const bool one = raw(call.inode) != 0;
  const InodeId from{one ? raw(call.inode) : raw(call.after) + (raw(call.after) == UINT64_MAX ? 0 : 1)};
  for (auto at = files_.lower_bound({from, LockKind{0}}); at != files_.end() && page.complete; ++at) {
    const auto& [file, what] = *at;
    if (one && file.inode != call.inode) break;
    for (const auto& [key, holding] : what.holders) {
      holding.ranges.each([&, &key = key, &holding = holding, inode = file.inode](const LockRanges::Segment& segment) {
        add({{inode, key.owner, holding.pid, segment.range, segment.mode, segment.token},
             false,
             key.session,
             {},
             {},
             0});
      });
    }
    for (const uint64_t number : what.queue) {
      const Wait& wait = waits_.at(number);
      add({{file.inode, wait.key.owner, wait.call.pid, wait.call.range, wait.call.mode, 0},
           true,
           wait.key.session,
           {},
           {},
           0});
    }
  }
  return page;
}

size_t LockTable::waiting(SessionId session) const {
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? 0 : found->second.waits.size();
}

size_t LockTable::held(SessionId session) const {
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? 0 : found->second.held;
}

// ---- changing what is held and queued ------------------------------------------------------------------------------

bool LockTable::enough_room(const Key& key, const LockCall& call) const {
  const size_t has = held(key.session);
  if (has + 2 <= limits_.held) return true;  // one call adds at most two segments
  const auto file = files_.find(file_of(key, call.inode));
  LockRanges ranges;
  if (file != files_.end()) {
    if (const auto own = file->second.holders.find(key); own != file->second.holders.end()) ranges = own->second.ranges;
  }
  const size_t before = ranges.size();
  ranges.set(call.range, call.mode, 0);
  return ranges.size() <= before || has + ranges.size() - before <= limits_.held;
}

Status LockTable::set(const Key& key, InodeId inode, const LockRange& range, LockMode mode, int32_t pid,
                      uint64_t token) {
  const FileKey file_key = file_of(key, inode);
  if (mode == LockMode::none) {
    const auto file = files_.find(file_key);
    if (file == files_.end() || !file->second.holders.contains(key)) return {};
    // Unlocking the middle of a lock makes two of it.
    if (!enough_room(key, {0, inode, key.owner, pid, range, mode, false, 0}))
      return too_much(held(key.session), "locks");
  }
  File& file = files_[file_key];
  Holding& holding = file.holders[key];
  Session& session = sessions_[key.session];
  session.held -= holding.ranges.size();
  holding.ranges.set(range, mode, token);
  session.held += holding.ranges.size();
  if (holding.ranges.empty()) {
    file.holders.erase(key);
    owners_[key].files.erase(file_key);
    drop_if_empty(key);
  } else {
    if (mode != LockMode::none) holding.pid = pid;
    owners_[key].files.insert(file_key);
  }
  return {};
}

LockTable::Answer LockTable::grant(const Key& key, const LockCall& call, uint64_t token) {
  (void)set(key, call.inode, call.range, call.mode, call.pid, token).ok();  // only unlocking can fail
  return {LockOutcome::granted, token};
}

void LockTable::enqueue(const Key& key, const LockCall& call) {
  const uint64_t number = next_wait_++;
  waits_.emplace(number, Wait{key, call});
  files_[file_of(key, call.inode)].queue.insert(number);
  owners_[key].waits.insert(number);
  sessions_[key.session].waits.emplace(call.waiter, number);
}

void LockTable::remove_wait(uint64_t number) {
  const Wait wait = waits_.at(number);
  files_[file_of(wait.key, wait.call.inode)].queue.erase(number);
  owners_[wait.key].waits.erase(number);
  sessions_[wait.key.session].waits.erase(wait.call.waiter);
  waits_.erase(number);
  drop_if_empty(wait.key);
}

void LockTable::end_wait(uint64_t number, Answer answer, Endings& ended) {
  const Wait& wait = waits_.at(number);
  ended.push_back({wait.key.session, wait.call.waiter, answer});
  remove_wait(number);
}

void LockTable::drop_if_empty(const FileKey& key) {
  const auto file = files_.find(key);
  if (file != files_.end() && file->second.holders.empty() && file->second.queue.empty()) files_.erase(file);
}

void LockTable::drop_if_empty(const Key& key) {
  const auto owner = owners_.find(key);
  if (owner != owners_.end() && owner->second.files.empty() && owner->second.waits.empty()) owners_.erase(owner);
}

std::set<LockTable::FileKey> LockTable::remove_all_of(SessionId session) {
  std::set<FileKey> touched;
  auto at = owners_.lower_bound(Key{session, {LockKind{0}, 0}});
  while (at != owners_.end() && at->first.session == session) {
    const Key key = at->first;
    for (const FileKey& file : at->second.files) {
      files_[file].holders.erase(key);
      touched.insert(file);
    }
    for (const uint64_t number : at->second.waits) {
      const FileKey file = file_of(key, waits_.at(number).call.inode);
      files_[file].queue.erase(number);
      waits_.erase(number);
      touched.insert(file);
    }
    at = owners_.erase(at);
  }
  sessions_[session] = {};
  return touched;
}

// ---- who is in whose way -------------------------------------------------------------------------------------------

bool LockTable::each_holder_in_the_way(const Key& key, const LockCall& call,
                                       const std::function<bool(const Key&)>& visit) const {
  const auto file = files_.find(file_of(key, call.inode));
  if (file == files_.end()) return false;
  for (const auto& [holder, holding] : file->second.holders) {
    if (holder != key && holding.ranges.conflict(call.range, call.mode) && visit(holder)) return true;
  }
  return false;
}

bool LockTable::each_wait_in_the_way(const Key& key, const LockCall& call, uint64_t before,
                                     const std::function<bool(const Key&)>& visit) const {
  const auto file = files_.find(file_of(key, call.inode));
  if (file == files_.end()) return false;
  for (const uint64_t number : file->second.queue) {
    if (number >= before) return false;
    const Wait& wait = waits_.at(number);
    if (wait.key != key && wait.call.wait && locks_conflict(wait.call.mode, call.mode) &&
        ranges_overlap(wait.call.range, call.range) && visit(wait.key)) {
      return true;
    }
  }
  return false;
}

bool LockTable::blocked_by_holder(const Key& key, const LockCall& call) const {
  return each_holder_in_the_way(key, call, [](const Key&) { return true; });
}

bool LockTable::blocked_by_queue(const Key& key, const LockCall& call, uint64_t before) const {
  const bool waited_for = somebody_may_wait_for(key);
  return each_wait_in_the_way(key, call, before, [&](const Key& earlier) {
    return !waited_for || !leads_to({earlier}, key, Follow::queues_too);
  });
}

bool LockTable::somebody_may_wait_for(const Key& key) const {
  const auto owner = owners_.find(key);
  if (owner == owners_.end()) return false;
  if (!owner->second.waits.empty()) return true;  // behind these
  return std::any_of(owner->second.files.begin(), owner->second.files.end(),
                     [&](const FileKey& file) { return !files_.at(file).queue.empty(); });
}

bool LockTable::leads_to(const std::vector<Key>& from, const Key& to, Follow follow, std::set<Key>* seen) const {
  std::set<Key> own;
  std::set<Key>& known = seen == nullptr ? own : *seen;
  std::vector<Key> next;
  bool found = false;
  const auto meet = [&](const Key& key) {
    if (key == to) found = true;
    if (known.insert(key).second) next.push_back(key);
    return false;
  };
  for (const Key& key : from) meet(key);
  for (size_t followed = 0; !next.empty() && !(found && seen == nullptr) && followed < kMostFollowed;) {
    const Key key = next.back();
    next.pop_back();
    const auto owner = owners_.find(key);
    if (owner == owners_.end()) continue;
    for (const uint64_t number : owner->second.waits) {
      const Wait& wait = waits_.at(number);
      each_holder_in_the_way(key, wait.call, meet);
      if (follow == Follow::queues_too && wait.call.wait) each_wait_in_the_way(key, wait.call, number, meet);
      ++followed;
    }
  }
  return found;
}

bool LockTable::would_deadlock(const Key& key, const LockCall& call) const {
  if (key.owner.kind != LockKind::posix) return false;
  std::vector<Key> holders;
  each_holder_in_the_way(key, call, [&](const Key& holder) {
    holders.push_back(holder);
    return false;
  });
  return leads_to(holders, key, Follow::holders);
}

// ---- the queue moves on --------------------------------------------------------------------------------------------

void LockTable::serve(const FileKey& file, Endings& ended) {
  std::vector<Key> granted;
  while (serve_once(file, ended, granted)) {
  }
  drop_if_empty(file);
  // An owner that still waits elsewhere (it has threads) now stands in more ways than before.
  for (const Key& key : granted) {
    const auto owner = owners_.find(key);
    if (owner == owners_.end() || owner->second.waits.empty()) continue;
    end_deadlocks(file, ended);
    break_circle_of_queues(key, ended);
  }
}

bool LockTable::serve_once(const FileKey& file, Endings& ended, std::vector<Key>& granted) {
  const auto found = files_.find(file);
  if (found == files_.end()) return false;
  bool any = false;
  const std::set<uint64_t>& queue = found->second.queue;  // a file with holders or waits stays where it is
  for (auto at = queue.begin(); at != queue.end();) {
    const uint64_t number = *at++;
    const Wait wait = waits_.at(number);
    if (held_back_.contains(wait.key.session)) continue;
    if (blocked_by_holder(wait.key, wait.call)) {
      if (!wait.call.wait) end_wait(number, {LockOutcome::conflict, 0}, ended);
      continue;
    }
    if (wait.call.wait && blocked_by_queue(wait.key, wait.call, number)) continue;
    Answer answer{LockOutcome::no_room, 0};
    if (enough_room(wait.key, wait.call)) {
      answer = grant(wait.key, wait.call, next_token_++);
      granted.push_back(wait.key);
      any = true;
    }
    end_wait(number, answer, ended);
  }
  return any;
}

// Waits that were harmless when they began, and now are part of a circle.
void LockTable::end_deadlocks(const FileKey& file, Endings& ended) {
  const auto found = files_.find(file);
  if (found == files_.end()) return;
  const std::vector<uint64_t> queue(found->second.queue.begin(), found->second.queue.end());
  for (const uint64_t number : queue) {
    const auto wait = waits_.find(number);
    if (wait == waits_.end() || !wait->second.call.wait || !would_deadlock(wait->second.key, wait->second.call))
      continue;
    end_wait(number, {LockOutcome::deadlock, 0}, ended);
  }
  serve(file, ended);
}

// A new wait may have closed a circle in which somebody only waits for its turn: that one may go on now.
void LockTable::break_circle_of_queues(const Key& key, Endings& ended) {
  const auto owner = owners_.find(key);
  if (owner == owners_.end() || owner->second.waits.empty()) return;
  std::vector<Key> ahead;
  const auto collect = [&](const Key& other) {
    ahead.push_back(other);
    return false;
  };
  for (const uint64_t number : owner->second.waits) {
    const Wait& wait = waits_.at(number);
    each_holder_in_the_way(key, wait.call, collect);
    each_wait_in_the_way(key, wait.call, number, collect);
  }
  std::set<Key> circle{};
  if (!leads_to(ahead, key, Follow::queues_too, &circle)) return;
  std::set<FileKey> files;
  for (const Key& one : circle) {
    const auto waiting = owners_.find(one);
    if (waiting == owners_.end()) continue;
    for (const uint64_t number : waiting->second.waits) files.insert(file_of(one, waits_.at(number).call.inode));
  }
  for (const FileKey& file : files) serve(file, ended);
}

}  // namespace cairn

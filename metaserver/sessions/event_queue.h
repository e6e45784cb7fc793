// The events of one session that it has not acknowledged: recalls of leases, that the cluster map has changed and
// how waits for locks ended.
//
// Sequences ascend over restarts of the metaserver too (the first one is above those of any earlier run), so an
// acknowledgement from before a restart never covers an event from after it. Bounded by the number of leases, each of
// which has one recall at a time (lease_table.h), and, by those who wait (locks.h), of waits for locks; a new recall of
// the tree replaces the one before, whose generation it covers, and so does a new map_changed, since it says the same.
// Pure: the caller serialises.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "common/meta/session.h"

namespace cairn {

class EventQueue {
 public:
  explicit EventQueue(uint64_t first_sequence) : next_sequence_(first_sequence) {}

  void push_recall(const Lease& lease) {
    if (raw(lease.inode) == 0) {
      std::erase_if(events_,
                    [](const Event& event) { return event.type == EventType::recall && raw(event.lease->inode) == 0; });
    }
    events_.push_back({next_sequence_++, EventType::recall, lease, std::nullopt});
  }
  void push_map_changed() {
    std::erase_if(events_, [](const Event& event) { return event.type == EventType::map_changed; });
    events_.push_back({next_sequence_++, EventType::map_changed, std::nullopt, std::nullopt});
  }
  void push_lock_ended(const LockNotice& notice) {
    events_.push_back({next_sequence_++, EventType::lock_ended, std::nullopt, notice});
    ++lock_notices_;
  }
  size_t lock_notices() const { return lock_notices_; }
  // Takes out the events up to this sequence, and returns them: the session has acted upon them.
  std::vector<Event> acknowledge(uint64_t sequence) {
    std::vector<Event> done;
    while (!events_.empty() && events_.front().sequence <= sequence) {
      if (events_.front().type == EventType::lock_ended) --lock_notices_;
      done.push_back(std::move(events_.front()));
      events_.pop_front();
    }
    return done;
  }
  std::vector<Event> pending() const { return {events_.begin(), events_.end()}; }
  bool empty() const { return events_.empty(); }

 private:
  uint64_t next_sequence_;
  size_t lock_notices_ = 0;  // among the events
  std::deque<Event> events_;
};

}  // namespace cairn

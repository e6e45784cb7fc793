#include "metaserver/sessions/lease_table.h"

#include <algorithm>

namespace cairn {

namespace {
constexpr size_t kShedAtOnce = 1000;
constexpr size_t kMostLooks = 2;  // times most_of_session
constexpr size_t kMostOpens = 10;
}  // namespace

LeaseTable::Holder* LeaseTable::find(InodeId inode, SessionId session) {
  const auto entry = inodes_.find(inode);
  if (entry == inodes_.end()) return nullptr;
  const auto holder = std::ranges::find(entry->second.holders, session, &Holder::session);
  return holder == entry->second.holders.end() ? nullptr : &*holder;
}

LeaseTable::Holder* LeaseTable::list(Entry& entry, InodeId inode, SessionId session, Use use) {
  const auto known = std::ranges::find(entry.holders, session, &Holder::session);
  if (known != entry.holders.end()) return &*known;
  std::unordered_set<InodeId>& all = sessions_[session];
  if (all.size() >= (use == Use::open ? kMostOpens : kMostLooks) * options_.most_of_session) return nullptr;
  all.insert(inode);
  Holder holder;
  holder.session = session;
  return &entry.holders.emplace_back(holder);
}

void LeaseTable::set(Holder& holder, Held held) {
  leases_ += (held != Held::none ? 1 : 0);
  leases_ -= (holder.held != Held::none ? 1 : 0);
  holder.held = held;
}

void LeaseTable::tidy(InodeId inode) {
  const auto entry = inodes_.find(inode);
  if (entry != inodes_.end() && entry->second.holders.empty() && entry->second.claims.empty()) inodes_.erase(entry);
}

void LeaseTable::remove(InodeId inode, SessionId session) {
  const auto entry = inodes_.find(inode);
  if (entry == inodes_.end()) return;
  std::vector<Holder>& holders = entry->second.holders;
  const auto holder = std::ranges::find(holders, session, &Holder::session);
  if (holder == holders.end()) return;
  set(*holder, Held::none);
  *holder = holders.back();
  holders.pop_back();
  tidy(inode);
}

LeaseTable::Recall LeaseTable::recall(InodeId inode, Holder& holder, LeaseKind kind) {
  holder.recall = next_number_++;
  holder.recalled = kind;
  holder.answered = false;
  return {holder.session, Lease{inode, kind, holder.recall}};
}

bool LeaseTable::claimed_by_others(const Entry& entry, SessionId session) {
  return std::ranges::any_of(entry.claims, [&](const Claim& claim) { return claim.session != session; });
}

LeaseTable::Obstacles LeaseTable::obstacles(InodeId inode, SessionId session, Wanted wanted, Instant now) {
  Obstacles found;
  const auto entry = inodes_.find(inode);
  if (entry == inodes_.end()) return found;
  for (Holder& holder : entry->second.holders) {
    if (holder.session == session) continue;
    const bool in_the_way = wanted == Wanted::read     ? holder.held == Held::write
                            : wanted == Wanted::change ? holder.held != Held::none
                                                       : !holder.asked_open || holder.held != Held::none;
    if (!in_the_way) continue;
    found.clear = false;
    const LeaseKind kind = wanted == Wanted::read     ? LeaseKind::write
                           : wanted == Wanted::change ? LeaseKind::read
                                                      : LeaseKind::exclusive;
    // Kinds are ordered from what takes least to what takes most: write, read, exclusive.
    const auto strength = [](LeaseKind one) { return one == LeaseKind::write ? 0 : one == LeaseKind::read ? 1 : 2; };
    if (holder.recall != 0 && strength(holder.recalled) >= strength(kind)) continue;
    const Instant earliest = holder.held == Held::write ? holder.granted + options_.write_hold : now;
    if (now < earliest) {
      found.look_again = std::min(found.look_again, earliest);
    } else {
      found.send.push_back(recall(inode, holder, kind));
    }
  }
  return found;
}

LeaseTable::Ticket LeaseTable::claim_change(InodeId inode, SessionId session) {
  inodes_[inode].claims.push_back({next_ticket_, session, false});
  return next_ticket_++;
}

LeaseTable::Ticket LeaseTable::claim_write(InodeId inode, SessionId session) {
  inodes_[inode].claims.push_back({next_ticket_, session, true});
  return next_ticket_++;
}

void LeaseTable::end_claim(InodeId inode, Ticket ticket) {
  const auto entry = inodes_.find(inode);
  if (entry == inodes_.end()) return;
  std::erase_if(entry->second.claims, [&](const Claim& claim) { return claim.ticket == ticket; });
  tidy(inode);
}

bool LeaseTable::grant_read(InodeId inode, SessionId session, Use use, Instant now) {
  Entry& entry = inodes_[inode];
  Holder* const holder = list(entry, inode, session, use);
  if (holder == nullptr) {
    tidy(inode);
    return false;
  }
  holder->asked_open = false;  // with this answer it may open the inode
  holder->answered = true;
  if (holder->recall != 0) return false;
  if (holder->held != Held::none) return true;
  if (claimed_by_others(entry, session)) return false;
  set(*holder, Held::read);
  holder->granted = now;
  return true;
}

bool LeaseTable::grant_write(InodeId inode, SessionId session, Ticket ticket, Instant now) {
  return grant_write(inode, session, ticket, Use::open, now);
}

bool LeaseTable::grant_write(InodeId inode, SessionId session, Ticket ticket, Use use, Instant now) {
  Entry& entry = inodes_[inode];
  for (const Claim& claim : entry.claims) {
    if (claim.session != session && (!claim.write || claim.ticket < ticket)) return false;
  }
  for (const Holder& holder : entry.holders) {
    if (holder.session != session && holder.held != Held::none) return false;
  }
  Holder* const holder = list(entry, inode, session, use);
  if (holder == nullptr || holder->recall != 0) return false;
  holder->asked_open = false;
  if (holder->held != Held::write) holder->granted = now;
  set(*holder, Held::write);
  return true;
}

bool LeaseTable::grant_new(InodeId inode, SessionId session, Instant now) {
  // Behind every claim. A client that opens what it has made says so if it gets no lease.
  const bool granted = grant_write(inode, session, UINT64_MAX, Use::look, now);
  tidy(inode);
  return granted;
}

void LeaseTable::acknowledge(InodeId inode, SessionId session, uint64_t number, bool open) {
  Holder* const holder = find(inode, session);
  if (holder == nullptr || holder->recall != number) return;  // another, stronger recall is still to be answered
  holder->recall = 0;
  if (holder->recalled == LeaseKind::write) {
    if (holder->held == Held::write) set(*holder, Held::read);
    return;
  }
  set(*holder, Held::none);
  holder->open = open;
  // An answer about the inode may have crossed this one, and what it opens is not in it.
  holder->asked_open = holder->recalled == LeaseKind::exclusive && !holder->answered;
  if (!open && !holder->answered) drop(inode, session);
}

bool LeaseTable::reclaim(InodeId inode, SessionId session, LeaseKind kind, Instant now) {
  Entry& entry = inodes_[inode];
  Holder* const holder = list(entry, inode, session, Use::open);
  if (holder == nullptr) {
    tidy(inode);
    return false;
  }
  for (const Holder& other : entry.holders) {
    if (other.session != session && other.held == Held::write) return false;
  }
  if (kind == LeaseKind::write) {
    for (Holder& other : entry.holders) {
      if (other.session != session) set(other, Held::none);
    }
  }
  // A write lease that was granted since the restart, while this was on its way, stays one.
  set(*holder, std::max(holder->held, kind == LeaseKind::write ? Held::write : Held::read));
  holder->granted = now;
  return true;
}

void LeaseTable::drop(InodeId inode, SessionId session) {
  remove(inode, session);
  if (const auto all = sessions_.find(session); all != sessions_.end()) all->second.erase(inode);
}

size_t LeaseTable::end(SessionId session) {
  const auto all = sessions_.find(session);
  if (all == sessions_.end()) return 0;
  const std::unordered_set<InodeId> inodes = std::move(all->second);
  sessions_.erase(all);
  size_t unanswered = 0;
  for (const InodeId inode : inodes) {
    const Holder* const holder = find(inode, session);
    if (holder != nullptr && holder->recall != 0) ++unanswered;
    remove(inode, session);
  }
  return unanswered;
}

std::vector<LeaseTable::Recall> LeaseTable::shed(SessionId session) {
  std::vector<Recall> recalls;
  const auto all = sessions_.find(session);
  if (all == sessions_.end() || all->second.size() <= options_.most_of_session) return recalls;
  for (const InodeId inode : all->second) {
    Holder* const holder = find(inode, session);
    if (holder == nullptr || holder->recall != 0 || holder->open) continue;
    recalls.push_back(recall(inode, *holder, LeaseKind::read));
    if (recalls.size() == kShedAtOnce) break;
  }
  return recalls;
}

bool LeaseTable::writes(InodeId inode, SessionId session) const {
  const auto entry = inodes_.find(inode);
  return entry != inodes_.end() && std::ranges::any_of(entry->second.holders, [&](const Holder& holder) {
           return holder.session == session && holder.held == Held::write;
         });
}

std::vector<SessionId> LeaseTable::open_elsewhere(InodeId inode, SessionId but) const {
  std::vector<SessionId> sessions;
  const auto entry = inodes_.find(inode);
  if (entry == inodes_.end()) return sessions;
  for (const Holder& holder : entry->second.holders) {
    if (holder.session != but && (holder.open || !holder.asked_open)) sessions.push_back(holder.session);
  }
  return sessions;
}

bool LeaseTable::full(InodeId inode, SessionId session) const {
  const auto all = sessions_.find(session);
  return all != sessions_.end() && all->second.size() >= kMostOpens * options_.most_of_session &&
         !all->second.contains(inode);
}

size_t LeaseTable::listed(SessionId session) const {
  const auto all = sessions_.find(session);
  return all == sessions_.end() ? 0 : all->second.size();
}

}  // namespace cairn

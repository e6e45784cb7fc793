// Who may cache which inode, when there are several mounts: leases, the claims of changes under way, and recalls.
//
//   none --> read  --> none        read: data, attributes, names of a directory; many holders
//        --> write --> read/none   write: one holder, which buffers data, size and times
//
// A claim says that a session is about to change an inode: from its start to its end nobody else is granted a lease,
// and it may go on once nobody else holds one that is in its way (obstacles). Claims of changes do not exclude each
// other, the log orders them; claims of write leases are served first come, first served.
//
// A session that was answered about an inode stays listed even without a lease, because it may have the inode open:
// when the last name goes, it is asked (Wanted::removal).
//
// Invariants (docs/coherence.md): [L1] a write lease excludes every other lease; [L2] a lease that is being recalled is
// not granted again until the recall was answered; [L3] no lease is granted to others while a claim stands.
//
// Pure: the caller serialises and brings the time. Not here: waiting, events (leases.h), the lease of the whole tree
// (tree_lease.h).
#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/base/clock.h"
#include "common/meta/session.h"

namespace cairn {

class LeaseTable {
 public:
  struct Options {
    uint64_t first_number = 1;  // of recalls: above those of any earlier run
    Duration write_hold = 1ms;  // a write lease is not recalled sooner: its holder must have been able to use it
    // Listed inodes. Beyond this some are recalled; beyond twice that mere looks are not listed, and get no leases;
    // beyond ten times nothing is (full), so that what a session may hold here is bounded.
    size_t most_of_session = 100'000;
  };
  explicit LeaseTable(Options options) : options_(options), next_number_(options.first_number) {}

  struct Recall {
    SessionId session{};
    Lease lease;  // kind: the weakest that is taken back; generation: the recall's number
  };
  enum class Wanted : uint8_t {
    read,     // nobody else writes
    change,   // nobody else holds a lease
    removal,  // nobody else holds a lease, and whoever is listed has said whether it has the inode open
  };
  struct Obstacles {
    bool clear = true;
    std::vector<Recall> send;               // each is returned once
    Instant look_again = Instant::never();  // a lease may be recalled then
  };
  Obstacles obstacles(InodeId inode, SessionId session, Wanted wanted, Instant now);

  using Ticket = uint64_t;
  Ticket claim_change(InodeId inode, SessionId session);
  Ticket claim_write(InodeId inode, SessionId session);
  void end_claim(InodeId inode, Ticket ticket);

  enum class Use : uint8_t {
    look,
    open,  // or a mapping, or a write: what the session has in use, it must be asked about when the last name goes
  };
  // Lists the session, and grants it a read lease if nothing stands against it. Requires obstacles(read) to be clear.
  bool grant_read(InodeId inode, SessionId session, Use use, Instant now);
  // Of the claim. False: not its turn yet, or a lease or change of others is in the way.
  bool grant_write(InodeId inode, SessionId session, Ticket ticket, Instant now);
  // Of an inode that the session has just made. False: somebody else has a lease or claim already.
  bool grant_new(InodeId inode, SessionId session, Instant now);
  // The holder has given back what the recall of that number asked for; open: it has a descriptor of the inode.
  void acknowledge(InodeId inode, SessionId session, uint64_t number, bool open);
  // What it held before a restart, or (as read) has open: it is listed in any case. False: it does not hold it now,
  // because somebody else has the write lease. A write lease takes the read leases of others away: who names one
  // beside it, only has the inode open.
  bool reclaim(InodeId inode, SessionId session, LeaseKind kind, Instant now);

  void drop(InodeId inode, SessionId session);  // the inode is gone, or the session will not use it
  size_t end(SessionId session);                // closed or expired; returns how many recalls it has not answered
  // Recalls for a session that has too many listed: nobody waits for them.
  std::vector<Recall> shed(SessionId session);

  bool writes(InodeId inode, SessionId session) const;                        // holds the write lease
  std::vector<SessionId> open_elsewhere(InodeId inode, SessionId but) const;  // have said so
  size_t leases() const { return leases_; }
  size_t listed(SessionId session) const;
  bool full(InodeId inode, SessionId session) const;  // the inode cannot be listed for it, also if it is opened

 private:
  enum class Held : uint8_t { none, read, write };
  struct Holder {
    SessionId session{};
    Held held = Held::none;
    LeaseKind recalled = LeaseKind::read;  // of the recall under way
    uint64_t recall = 0;                   // its number; 0: none
    bool open = false;                     // as it said in its last answer
    bool asked_open = false;               // it has said so since it was last answered about the inode
    bool answered = false;                 // about the inode, since the recall under way was sent
    Instant granted;
  };
  struct Claim {
    Ticket ticket = 0;
    SessionId session{};
    bool write = false;
  };
  struct Entry {
    std::vector<Holder> holders;
    std::vector<Claim> claims;  // in the order of arrival
  };
  Holder* find(InodeId inode, SessionId session);
  Holder* list(Entry& entry, InodeId inode, SessionId session, Use use);  // null: too many
  bool grant_write(InodeId inode, SessionId session, Ticket ticket, Use use, Instant now);
  void set(Holder& holder, Held held);
  void remove(InodeId inode, SessionId session);
  void tidy(InodeId inode);
  Recall recall(InodeId inode, Holder& holder, LeaseKind kind);
  static bool claimed_by_others(const Entry& entry, SessionId session);

  const Options options_;
  uint64_t next_number_;
  uint64_t next_ticket_ = 1;
  size_t leases_ = 0;
  std::unordered_map<InodeId, Entry> inodes_;
  std::unordered_map<SessionId, std::unordered_set<InodeId>> sessions_;
};

}  // namespace cairn

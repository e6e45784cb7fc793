// What group commit decides: which commands share the next sync of the log, at which index and time, and who is
// answered.
//
//   offer() offer() offer()        waiting, in order of arrival
//             take()               under way: one batch, written, synced and applied by the owner; the next gathers
//             meanwhile
//          committed()/fail()      the tickets to be answered
//
// Pure: no threads, no I/O; the caller serialises calls (committer.cc holds its mutex).
// Not here: the log (command_log.h), what commands do (state_machine.h).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "metaserver/state/command.h"

namespace cairn {

class CommitBatcher {
 public:
  using Ticket = uint64_t;  // ascending in order of arrival, from 1
  struct Limits {
    size_t batch_commands = 256;
    size_t batch_bytes = 1u << 20;    // a single larger command is a batch of its own
    size_t waiting_commands = 16384;  // more are refused with busy
    size_t waiting_bytes = 64u << 20;
  };
  struct Batch {
    LogIndex first{};               // of commands[0]; the others follow without a gap
    std::vector<Command> commands;  // with their time
    std::vector<Ticket> tickets;    // of the same positions
  };

  // applied and wall_ns: of the last command that the store holds (0, 0: none).
  CommitBatcher(Limits limits, LogIndex applied, int64_t wall_ns);

  // Queues a command. bytes: about its encoded size. busy: too much is waiting; unavailable: after fail().
  Result<Ticket> offer(Command command, size_t bytes);
  // The next batch, or nothing while one is under way or none waits. The time of its commands is wall_ns, or
  // just behind that of the batch before if the clock went back: no two batches have the same.
  std::optional<Batch> take(int64_t wall_ns);
  bool can_take() const { return !under_way_ && !waiting_.empty(); }
  // So many commands of the batch under way were refused and take no index; the others moved up.
  void refused(size_t commands) { under_way_last_ = LogIndex{raw(under_way_last_) - commands}; }
  // The batch under way is in the log and in the store.
  void committed();
  // Of the waiting ones: whose are wanted; and takes them out.
  using Wanted = std::function<bool(const Command&)>;
  std::vector<Mutation> waiting(const Wanted& wanted) const;
  std::vector<Ticket> withdraw(const Wanted& wanted);
  // Nothing more will be written. Returns every ticket that has no answer: of the batch under way, then the waiting
  // ones.
  std::vector<Ticket> fail(Error error);

  LogIndex applied() const { return applied_; }
  size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    Ticket ticket;
    size_t bytes;
    Command command;
  };
  Limits limits_;
  LogIndex applied_;
  int64_t wall_ns_;
  Ticket last_ticket_ = 0;
  std::deque<Waiting> waiting_;
  size_t waiting_bytes_ = 0;
  bool under_way_ = false;
  LogIndex under_way_last_{};
  std::vector<Ticket> under_way_tickets_;
  std::optional<Error> failed_;
};

}  // namespace cairn

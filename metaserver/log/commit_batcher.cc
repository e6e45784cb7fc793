#include "metaserver/log/commit_batcher.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/probes/rare_path.h"

namespace cairn {

CommitBatcher::CommitBatcher(Limits limits, LogIndex applied, int64_t wall_ns)
    : limits_(limits), applied_(applied), wall_ns_(wall_ns) {}

Result<CommitBatcher::Ticket> CommitBatcher::offer(Command command, size_t bytes) {
  if (failed_) return *failed_;
  if (waiting_.size() >= limits_.waiting_commands ||
      (!waiting_.empty() && waiting_bytes_ + bytes > limits_.waiting_bytes)) {
    return Error{Errc::busy,
                 fmt::format("{} changes of about {} bytes wait for the metaserver's log, and at most {} of "
                             "{} bytes may: ask again",
                             waiting_.size(), waiting_bytes_, limits_.waiting_commands, limits_.waiting_bytes)};
  }
  waiting_bytes_ += bytes;
  waiting_.push_back({++last_ticket_, bytes, std::move(command)});
  return last_ticket_;
}

std::optional<CommitBatcher::Batch> CommitBatcher::take(int64_t wall_ns) {
  if (!can_take()) return std::nullopt;
  if (wall_ns <= wall_ns_) reached(RarePath::backward_clock);
  wall_ns_ = std::max(wall_ns_ + 1, wall_ns);
  Batch batch;
  batch.first = LogIndex{raw(applied_) + 1};
  size_t bytes = 0;
  while (!waiting_.empty() && batch.commands.size() < limits_.batch_commands) {
    Waiting& next = waiting_.front();
    if (!batch.commands.empty() && bytes + next.bytes > limits_.batch_bytes) break;
    bytes += next.bytes;
    waiting_bytes_ -= next.bytes;
    next.command.wall_ns = wall_ns_;
    batch.commands.push_back(std::move(next.command));
    batch.tickets.push_back(next.ticket);
    waiting_.pop_front();
  }
  under_way_ = true;
  under_way_last_ = LogIndex{raw(applied_) + batch.commands.size()};
  under_way_tickets_ = batch.tickets;
  return batch;
}

void CommitBatcher::committed() {
  applied_ = under_way_last_;
  under_way_ = false;
  under_way_tickets_.clear();
}

std::vector<Mutation> CommitBatcher::waiting(const Wanted& wanted) const {
  std::vector<Mutation> mutations;
  for (const Waiting& one : waiting_) {
    if (wanted(one.command)) mutations.push_back(one.command.mutation);
  }
  return mutations;
}

std::vector<CommitBatcher::Ticket> CommitBatcher::withdraw(const Wanted& wanted) {
  std::vector<Ticket> withdrawn;
  std::erase_if(waiting_, [&](const Waiting& one) {
    if (!wanted(one.command)) return false;
    withdrawn.push_back(one.ticket);
    waiting_bytes_ -= one.bytes;
    return true;
  });
  return withdrawn;
}

std::vector<CommitBatcher::Ticket> CommitBatcher::fail(Error error) {
  if (!failed_) failed_ = std::move(error);
  std::vector<Ticket> unanswered = std::move(under_way_tickets_);
  under_way_tickets_.clear();
  under_way_ = false;
  for (const Waiting& waiting : waiting_) unanswered.push_back(waiting.ticket);
  waiting_.clear();
  waiting_bytes_ = 0;
  return unanswered;
}

}  // namespace cairn

#include "metaserver/committer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "common/probes/kill_point.h"
#include "metaserver/command_codec.h"
#include "metaserver/state_machine.h"
#include "metaserver/transaction.h"

namespace cairn {
namespace {

// About the encoded size of a command: exact enough to keep a batch near its bound, without encoding twice.
size_t approximate_bytes(const CommandBody& body) {
  constexpr size_t kFixed = 128;
  if (const auto* commit = std::get_if<Commit>(&body)) {
    size_t bytes = kFixed + commit->chunks.size() * 32;
    for (const FileCommit& file : commit->files) {
      bytes += 64 + file.extents.size() * 64 + (file.inline_data ? file.inline_data->size() : 0);
    }
    return bytes;
  }
  if (const auto* node = std::get_if<MakeNode>(&body)) return kFixed + node->name.size() + node->target.size();
  if (const auto* set = std::get_if<SetXattr>(&body)) return kFixed + set->name.size() + set->value.size();
  if (const auto* rename = std::get_if<Rename>(&body))
    return kFixed + rename->old_name.size() + rename->new_name.size();
  if (const auto* forget = std::get_if<ForgetOrphans>(&body)) return kFixed + forget->inodes.size() * 8;
  if (const auto* create = std::get_if<CreateChunks>(&body)) return kFixed + create->chunks.size() * 200;
  return 2 * kFixed;  // a name, or a short list
}

}  // namespace

Committer::Committer(Clock& clock, CommandLog& log, OrderedStore& store, LogIndex applied, int64_t wall_ns,
                     Options options)
    : clock_(clock),
      log_(log),
      store_(store),
      options_(std::move(options)),
      applied_(raw(applied)),
      last_wall_ns_(wall_ns),
      batcher_(options_.limits, applied, wall_ns),
      thread_("committer", [this] { run(); }) {}

Committer::~Committer() { stop(); }

Outcome Committer::propose(Command command) {
  const size_t bytes = approximate_bytes(command.body);
  auto waiter = std::make_shared<Waiter>();
  Lock lock(mutex_);
  if (stopping_) return Error{Errc::unavailable, "the metaserver is stopping"};
  auto ticket = batcher_.offer(std::move(command), bytes);
  if (!ticket.ok()) return ticket.error();
  waiters_.emplace(*ticket, waiter);
  if (batcher_.can_take()) work_.notify_one();
  waiter->answered.wait(lock, [&] { return waiter->outcome.has_value(); });
  return std::move(*waiter->outcome);
}

void Committer::run() {
  while (true) {
    std::optional<CommitBatcher::Batch> batch;
    {
      Lock lock(mutex_);
      work_.wait(lock, [&] { return stopping_ || batcher_.can_take(); });
      batch = batcher_.take(clock_.wall_ns());
      if (!batch) return;  // stopping, and nothing is left
    }
    auto outcomes = commit(*batch);
    if (!outcomes.ok()) return fail(outcomes.error());
    answer(*batch, std::move(outcomes).value());
  }
}

Result<std::vector<Outcome>> Committer::commit(const CommitBatcher::Batch& batch) {
  std::vector<std::string> encoded;
  encoded.reserve(batch.commands.size());
  for (const Command& command : batch.commands) encoded.push_back(encode_command(command));
  TRY(log_.append(batch.first, encoded));

  Transaction transaction(store_.view());
  std::vector<Outcome> outcomes;
  outcomes.reserve(batch.commands.size());
  for (size_t i = 0; i < batch.commands.size(); ++i) {
    ASSIGN(Outcome outcome, apply(transaction, LogIndex{raw(batch.first) + i}, batch.commands[i]));
    outcomes.push_back(std::move(outcome));
  }
  TRY(store_.write(transaction.take()));
  kill_point(KillPoint::batch_applied);
  return outcomes;
}

void Committer::answer(const CommitBatcher::Batch& batch, std::vector<Outcome> outcomes) {
  applied_.store(raw(batch.first) + batch.commands.size() - 1, std::memory_order_release);
  last_wall_ns_.store(batch.commands.back().wall_ns, std::memory_order_release);
  batches_.fetch_add(1, std::memory_order_relaxed);
  Waiters answered;
  {
    const Lock lock(mutex_);
    batcher_.committed();
    for (size_t i = 0; i < batch.tickets.size(); ++i) {
      const auto it = waiters_.find(batch.tickets[i]);
      it->second->outcome = std::move(outcomes[i]);
      answered.push_back(std::move(it->second));
      waiters_.erase(it);
    }
  }
  for (const auto& waiter : answered) waiter->answered.notify_one();
}

void Committer::fail(const Error& error) {
  spdlog::critical("the metaserver takes no more changes: {}", error.what);
  Waiters answered;
  {
    const Lock lock(mutex_);
    const Error unknown{
        Errc::unavailable,
        "the metaserver cannot write its metadata, so it is unknown whether this was done: " + error.what};
    for (const CommitBatcher::Ticket ticket : batcher_.fail(unknown)) {
      const auto it = waiters_.find(ticket);
      it->second->outcome = Outcome(unknown);
      answered.push_back(std::move(it->second));
      waiters_.erase(it);
    }
  }
  for (const auto& waiter : answered) waiter->answered.notify_one();
  if (options_.on_failure) options_.on_failure(error);
}

void Committer::stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

}  // namespace cairn

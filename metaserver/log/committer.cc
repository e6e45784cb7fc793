#include "metaserver/log/committer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/probes/kill_point.h"
#include "metaserver/log/space_needs.h"
#include "metaserver/state/command_codec.h"
#include "metaserver/state/queries.h"
#include "metaserver/state/state_machine.h"
#include "metaserver/state/transaction.h"

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
    UnderWay work{std::move(*batch), {}, {}};
    work.outcomes.resize(work.batch.commands.size());
    if (const Status done = commit(work); !done.ok()) return fail(done.error());
    answer(std::move(work));
  }
}

Status Committer::commit(UnderWay& work) {
  TRY(refuse_refused_before(work));
  if (options_.reserve != nullptr && options_.reserve->low()) TRY(refuse_what_needs_space(work));
  TRY(log(work));
  if (work.logged.empty()) return {};

  Transaction transaction(store_.view());
  uint64_t index = raw(work.batch.first);
  for (const size_t position : work.logged) {
    ASSIGN(Outcome outcome, apply(transaction, LogIndex{index++}, work.batch.commands[position]));
    work.outcomes[position] = std::move(outcome);
  }
  TRY(write(work, transaction.take()));
  kill_point(KillPoint::batch_applied);
  return {};
}

// A retry of what was done already is answered from its outcome. This thread alone writes the store, so whatever came
// before this batch can be seen in it.
Status Committer::refuse_what_needs_space(UnderWay& work) {
  const auto view = store_.view();
  for (size_t i = 0; i < work.outcomes.size(); ++i) {
    const Command& command = work.batch.commands[i];
    if (work.outcomes[i] || !needs_space(command)) continue;
    ASSIGN(auto stored, queries::outcome(*view, command.mutation.session, command.mutation.request));
    if (!stored) remember_refusal(command.mutation);
    work.outcomes[i] = stored ? std::move(*stored) : Outcome(no_space("the rest is kept for changes that free some"));
  }
  return {};
}

Status Committer::refuse_refused_before(UnderWay& work) {
  if (refused_.empty()) return {};
  for (size_t i = 0; i < work.outcomes.size(); ++i) {
    const Mutation& mutation = work.batch.commands[i].mutation;
    if (refused_.contains({mutation.session, mutation.request}))
      work.outcomes[i] = Outcome(no_space("it was refused before, and is not done late"));
  }
  return {};
}

void Committer::refuse_all(UnderWay& work, const Error& error) {
  for (size_t i = 0; i < work.outcomes.size(); ++i) {
    if (work.outcomes[i]) continue;
    if (const Mutation& mutation = work.batch.commands[i].mutation; mutation.session != SessionId{})
      remember_refusal(mutation);
    work.outcomes[i] = Outcome(no_space(error.what));
  }
}

void Committer::remember_refusal(const Mutation& mutation) {
  const Request request{mutation.session, mutation.request};
  if (!refused_.insert(request).second) return;
  refused_in_order_.push_back(request);
  if (refused_in_order_.size() <= kRefusalsKept) return;
  refused_.erase(refused_in_order_.front());
  refused_in_order_.pop_front();
}

Error Committer::no_space(const std::string& cause) const {
  const std::string trouble = options_.reserve != nullptr ? options_.reserve->trouble() : "";
  return {Errc::no_space, fmt::format("{}: {}", trouble.empty() ? "metadata disk full" : trouble, cause)};
}

// Into the log, with as many of its commands as fit: first all, then those that need no space, then none.
Status Committer::log(UnderWay& work) {
  while (true) {
    work.logged.clear();
    std::vector<std::string> encoded;
    for (size_t i = 0; i < work.outcomes.size(); ++i) {
      if (work.outcomes[i]) continue;
      work.logged.push_back(i);
      encoded.push_back(encode_command(work.batch.commands[i]));
    }
    if (work.logged.empty()) return {};
    const Status appended = log_.append(work.batch.first, encoded);
    if (appended.ok() || appended.code() != Errc::no_space) return appended;
    const bool released = options_.reserve != nullptr && options_.reserve->release();
    TRY(refuse_what_needs_space(work));
    const auto refused = [&](size_t i) { return work.outcomes[i].has_value(); };
    if (!released && std::none_of(work.logged.begin(), work.logged.end(), refused)) refuse_all(work, appended.error());
  }
}

Status Committer::write(const UnderWay& work, const std::vector<StoreWrite>& rows) {
  while (true) {
    const Status written = store_.write(rows);
    if (written.ok() || written.code() != Errc::no_space) return written;
    if (options_.reserve != nullptr) options_.reserve->release();
    if (store_.resume().ok()) continue;
    if (!wait_for_the_store(work, written.error()))
      return {Errc::unavailable, "the metaserver was stopped while its disk was full; its log has the change"};
  }
}

// Until the next attempt. Meanwhile nobody waits in vain for what cannot be done: changes that need space are refused,
// unless they repeat one of the batch, which is in the log. False: the committer is to stop.
bool Committer::wait_for_the_store(const UnderWay& work, const Error& error) {
  const Error refusal = no_space("the store takes no changes until there is room");
  spdlog::warn("{} ({})", refusal.what, error.what);
  std::vector<Mutation> candidates;
  {
    Lock lock(mutex_);
    work_.wait_until(lock, clock_.now() + options_.store_pause, [&] { return stopping_ || impatient_; });
    if (stopping_ || impatient_) return false;
    candidates = batcher_.waiting([](const Command& command) { return needs_space(command); });
  }
  std::set<Request> refusable;
  const auto view = store_.view();
  for (const Mutation& mutation : candidates) {
    const auto stored = queries::outcome(*view, mutation.session, mutation.request);
    if (stored.ok() && !*stored) refusable.insert({mutation.session, mutation.request});  // else its row answers it
  }
  for (const size_t position : work.logged) {
    const Mutation& mutation = work.batch.commands[position].mutation;
    refusable.erase({mutation.session, mutation.request});
  }
  for (const Request& request : refusable) remember_refusal({request.first, request.second, {}});
  Waiters refused;
  {
    const Lock lock(mutex_);
    for (const CommitBatcher::Ticket ticket : batcher_.withdraw([&](const Command& command) {
           return refusable.contains({command.mutation.session, command.mutation.request});
         })) {
      const auto it = waiters_.find(ticket);
      it->second->outcome = Outcome(refusal);
      refused.push_back(std::move(it->second));
      waiters_.erase(it);
    }
  }
  for (const auto& waiter : refused) waiter->answered.notify_one();
  return true;
}

void Committer::answer(UnderWay work) {
  if (!work.logged.empty()) {
    applied_.store(raw(work.batch.first) + work.logged.size() - 1, std::memory_order_release);
    last_wall_ns_.store(work.batch.commands.back().wall_ns, std::memory_order_release);
    batches_.fetch_add(1, std::memory_order_relaxed);
  }
  Waiters answered;
  {
    const Lock lock(mutex_);
    batcher_.refused(work.batch.commands.size() - work.logged.size());
    batcher_.committed();
    for (size_t i = 0; i < work.batch.tickets.size(); ++i) {
      const auto it = waiters_.find(work.batch.tickets[i]);
      it->second->outcome = std::move(work.outcomes[i]);
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

void Committer::give_up_waiting() {
  const Lock lock(mutex_);
  impatient_ = true;
  work_.notify_one();
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

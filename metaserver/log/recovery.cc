#include "metaserver/log/recovery.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "common/base/bytes.h"
#include "common/probes/rare_path.h"
#include "metaserver/state/command_codec.h"
#include "metaserver/state/queries.h"
#include "metaserver/state/transaction.h"

namespace cairn {
namespace {

constexpr size_t kCommandsPerBatch = 256;

Status create_database(CommandLog& log, OrderedStore& store, Genesis genesis_values) {
  if (log.empty()) {
    TRY(log.begin(genesis_values.incarnation, LogIndex{1}));
  } else if (raw(log.first()) != 1 || raw(log.last()) != 0) {
    return {
        Errc::corrupt,
        fmt::format(
            "the log holds the changes up to {}, but the metadata store is empty: it was removed or replaced. Put the "
            "store's directory back beside the log",
            raw(log.last()))};
  }
  genesis_values.incarnation = log.incarnation();
  TRY(store.write(genesis(genesis_values)));
  return store.flush();
}

Status check_fit(const CommandLog& log, LogIndex applied, Incarnation incarnation) {
  constexpr const char* kMend =
      "Put the log and the store of the same moment side by side again, from a copy of the disk or a backup of both";
  if (log.empty()) {
    return {
        Errc::corrupt,
        fmt::format(
            "the metadata store holds the changes up to {}, but the log is empty, so later acknowledged ones may be "
            "missing. {}",
            raw(applied), kMend)};
  }
  if (log.incarnation() != incarnation) {
    return {Errc::corrupt, fmt::format("the log belongs to database {:016x} and the metadata store to {:016x}. {}",
                                       raw(log.incarnation()), raw(incarnation), kMend)};
  }
  if (raw(log.first()) > raw(applied) + 1 || log.last() < applied) {
    return {Errc::corrupt,
            fmt::format(
                "the metadata store holds the changes up to {}, and the log those from {} to {}: they do not join. {}",
                raw(applied), raw(log.first()), raw(log.last()), kMend)};
  }
  return {};
}

// Applies decoded commands in batches.
class Replay {
 public:
  explicit Replay(OrderedStore& store) : store_(store) {}
  Status add(LogIndex index, std::span<const uint8_t> bytes) {
    auto command = decode_command(text_of(bytes));
    if (!command.ok()) {
      return {Errc::corrupt, fmt::format("command {} of the log cannot be decoded ({}). It was written by a newer "
                                         "cairn-metaserver: start that one",
                                         raw(index), command.error().what)};
    }
    if (!transaction_) transaction_.emplace(store_.view());
    ASSIGN(const Outcome outcome, apply(*transaction_, index, *command));
    (void)outcome;  // an answer that nobody waits for any more; a retry finds it in its row
    ++replayed_;
    return ++in_batch_ < kCommandsPerBatch ? Status{} : write();
  }
  Status write() {
    if (!transaction_) return {};
    in_batch_ = 0;
    const auto batch = transaction_->take();
    transaction_.reset();
    return store_.write(batch);
  }
  uint64_t replayed() const { return replayed_; }

 private:
  OrderedStore& store_;
  std::optional<Transaction> transaction_;
  size_t in_batch_ = 0;
  uint64_t replayed_ = 0;
};

}  // namespace

Result<Recovered> recover(CommandLog& log, OrderedStore& store, const Genesis& for_new) {
  Recovered recovered;
  auto applied = queries::applied(*store.view());
  if (!applied.ok() && applied.code() == Errc::not_found) {
    TRY(create_database(log, store, for_new));
    recovered.created = true;
    applied = queries::applied(*store.view());
  }
  if (!applied.ok()) return applied.error();
  ASSIGN(recovered.incarnation, queries::incarnation(*store.view()));
  TRY(check_fit(log, applied->index, recovered.incarnation));

  Replay replay(store);
  const LogIndex from{raw(applied->index) + 1};
  TRY(log.replay(from, [&](LogIndex index, std::span<const uint8_t> command) { return replay.add(index, command); }));
  TRY(replay.write());
  ASSIGN(const auto now, queries::applied(*store.view()));
  if (now.index != log.last()) {
    return Error{Errc::corrupt, fmt::format("after the replay the store is at {} and the log ends at {}",
                                            raw(now.index), raw(log.last()))};
  }
  recovered.applied = now.index;
  recovered.wall_ns = now.wall_ns;
  recovered.replayed = replay.replayed();
  if (recovered.replayed > 0) reached(RarePath::log_replay);
  return recovered;
}

}  // namespace cairn

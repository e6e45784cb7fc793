// A state machine under test: a store in memory, the commands it was given, and short calls in the name of a session.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "metaserver/state/command_codec.h"
#include "metaserver/state/queries.h"
#include "metaserver/state/rows.h"
#include "metaserver/state/state_machine.h"
#include "metaserver/state/transaction.h"
#include "metaserver/store/memory_store.h"

namespace cairn {

inline constexpr int64_t kSecond = 1'000'000'000;
inline constexpr uint32_t kTestCell = 4096;

class Machine {
 public:
  explicit Machine(uint32_t servers = 0);  // registered, ids from 1

  // Applies and keeps the command; each is a batch of its own. Stops the test if the store fails.
  Outcome apply_command(Command command);
  // In the name of a session (0: the metaserver), with its next request id.
  Outcome run(SessionId session, CommandBody body);
  template <typename T>
  Result<T> call(SessionId session, CommandBody body) {
    Outcome outcome = run(session, std::move(body));
    if (!outcome.ok()) return outcome.error();
    if (!std::holds_alternative<T>(*outcome)) return Error{Errc::corrupt, "another kind of answer"};
    return std::get<T>(std::move(*outcome));
  }
  Status done(SessionId session, CommandBody body);
  Errc code(SessionId session, CommandBody body);  // of an operation that must fail

  SessionId open_session();
  ChunkInfo open_chunk(SessionId session, Code code = {2, 1});

  Entry make(SessionId session, InodeId parent, const std::string& name, uint32_t mode = S_IFREG | 0644);
  // One stripe with all its cells, full of one file's bytes from `offset` on, at the chunk's committed end.
  Extent stripe_extent(const ChunkInfo& chunk, uint64_t offset, uint64_t length) const;
  Result<Committed> commit_extent(SessionId session, const ChunkInfo& chunk, InodeId inode, uint64_t offset,
                                  uint64_t length);

  std::shared_ptr<const StoreView> view() const { return store_.view(); }
  ChunkInfo chunk(ChunkId id) const;
  InodeRow inode(InodeId id) const;
  queries::Counters counters() const;
  uint64_t hash() const;
  MemoryStore& store() { return store_; }

  int64_t wall_ns = 1000 * kSecond;        // of the next commands
  std::vector<std::string> log;            // encoded
  std::map<SessionId, uint64_t> requests;  // the last of each session
  std::map<SessionId, uint64_t> lowest;    // unanswered, if not the last one

 private:
  void register_servers(uint32_t count);

  MemoryStore store_;
  uint64_t applied_ = 0;
};

// Owned by root, without a device number.
inline MakeNode node(InodeId parent, std::string name, uint32_t mode, std::string target = {}) {
  return {parent, std::move(name), mode, 0, 0, 0, std::move(target)};
}
Genesis test_genesis();
// A fresh store after the log, applied in batches of so many commands.
uint64_t replayed_hash(const std::vector<std::string>& log, size_t batch);

}  // namespace cairn

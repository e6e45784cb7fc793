// The open chunks of this client: for each storage class one for streams and one for the mixed rest, spares granted
// before they are needed, and the sealing of those that are full or broken.
//
//   granted -> spare -> current -> retired (full, broken) -> sealed once nobody uses it
//
// A ChunkLease is a use of a chunk; a retired chunk is sealed when its last use ends, in the background. Any thread,
// except that current() is called by whoever has the class and kind's turn to append (flusher.h). Not here: what is
// written (flush_job.h).
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "client/statistics.h"
#include "common/base/thread.h"
#include "common/rpc/meta_client.h"
#include "common/stripe/open_chunk.h"

namespace cairn {

enum class ChunkKind : uint8_t { stream, mixed };
using ChunkLease = std::shared_ptr<OpenChunk>;

class ChunkPool {
 public:
  ChunkPool(MetaClient& meta, ShardTransport& transport, Clock& clock, Duration io_timeout, Duration patience,
            Statistics& statistics);
  ~ChunkPool() { stop(); }
  void begin_stop();  // nobody waits for the metaserver any more
  void stop();        // of the background thread; chunks stay open for the session's end to seal

  // The chunk to append to now: neither broken nor full.
  Result<ChunkLease> current(ClassId storage_class, ChunkKind kind);
  // A chunk that nobody else appends to, without these servers if that is possible: for what was written to a chunk
  // that broke.
  Result<ChunkLease> fresh(ClassId storage_class, const std::vector<ServerId>& avoid);
  // A fresh() one that has room left: becomes a spare. Everything appended to it is committed.
  void give_back(ChunkLease lease);
  // Broken: nobody gets it any more, and it is sealed. Its failed servers are avoided by the next grants.
  void retire(const ChunkLease& lease);
  // Seals now: afterwards no commit to it can succeed that has not already. Tries until the deadline.
  Status seal_now(const OpenChunk& chunk, Instant deadline);
  // They belonged to a session that is gone, and its end has sealed them.
  void abandon();
  // Between two attempts that failed: the cluster may learn meanwhile which servers are gone. Ends early with the pool.
  void pause(Duration time);

 private:
  struct Held {
    explicit Held(std::unique_ptr<OpenChunk> the_chunk) : chunk(std::move(the_chunk)) {}
    std::unique_ptr<OpenChunk> chunk;
    uint32_t uses = 0;
    bool retired = false;
  };
  using HeldPtr = std::shared_ptr<Held>;
  struct PerClass {
    HeldPtr current[2];  // by kind
    std::vector<HeldPtr> spares;
    bool wants_spare = false;
    Instant no_spare_before;  // after a grant failed
  };
  // What leases need after the pool's end.
  struct Shared {
    Mutex mutex;
    CondVar work;
    std::map<ClassId, PerClass> classes;       // guarded by mutex, as the rest
    std::map<const OpenChunk*, HeldPtr> used;  // leased now
    std::vector<ChunkId> to_seal;
    std::map<ServerId, Instant> avoided;  // until then
    CondVar pause;                        // of grants that are asked for again
    Instant no_patience_before;           // waited in vain lately: no_space is believed at once
    bool stopping = false;
  };

  static ChunkLease lease(const std::shared_ptr<Shared>& shared, const HeldPtr& held);  // mutex held
  static void retire_locked(Shared& shared, const HeldPtr& held);
  Result<HeldPtr> grant(ClassId storage_class, const std::vector<ServerId>& avoid);
  // Grants, and does not take a metaserver that has not yet heard its chunkservers for a full cluster.
  Result<std::vector<ChunkInfo>> ask_for_chunk(const GrantChunks& request);
  bool servers_may_yet_report();
  void loop();

  MetaClient& meta_;
  ShardTransport& transport_;
  Clock& clock_;
  const Duration io_timeout_;
  const Duration patience_;  // with servers that are silent, before "no space" is believed
  Statistics& statistics_;
  std::shared_ptr<Shared> shared_;
  Thread thread_;
};

}  // namespace cairn

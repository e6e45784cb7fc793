// Which shards to ask for a range of one stripe, and what an answer, a failure or the time changes.
//
//   asks() -> on_good / on_failed (each ask), on_tick(now) -> asks() ... until done() or failed()
//
// Each cell of the range is asked for directly. It is decoded instead, from the same blocks of d other shards, when its
// own shard has failed, is late, or is known to be bad; a late one may still win. Cells that are absent from the stripe
// are zeros, known without asking. Asks are in whole blocks. Decides only: it holds no bytes and knows no clock. Not
// thread-safe. Not here: reading, verifying and decoding (stripe_reader.cc).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/meta/cluster.h"
#include "common/stripe/geometry.h"

namespace cairn {

inline constexpr uint32_t kKnownBad = 1000;  // ShardTransport::reluctance from which a server is asked last

class StripeReadPlan {
 public:
  struct Stripe {
    ChunkId chunk{};
    uint64_t place = 0;
    StripeShape shape;
    uint32_t position = 0;             // of the range in the stripe's data
    uint32_t length = 0;               // > 0
    std::vector<ServerId> servers;     // of each shard
    std::vector<uint32_t> reluctance;  // of each shard's server
  };
  // A request for whole blocks of one shard. Its id is its position among all asks of this plan.
  struct Ask {
    uint32_t id = 0;
    uint32_t shard = 0;
    uint32_t offset = 0;  // in the cell; multiple of 4096, as is length
    uint32_t length = 0;
    bool direct = false;  // for a cell of the range itself, and exactly its blocks
  };
  // How one cell of the range was obtained. Sources are asks; data shards that are absent count as zeros.
  struct Cell {
    uint32_t cell = 0;
    uint32_t offset = 0;  // of the wanted bytes in the cell, to the byte
    uint32_t length = 0;
    uint32_t first_block = 0;        // in bytes: wanted bytes rounded to blocks
    uint32_t blocks = 0;             // in bytes
    std::optional<uint32_t> direct;  // the ask that brought it
    std::vector<uint32_t> sources;   // else it is decoded from these
    bool obtained = false;
    bool hedged = false;  // asked for elsewhere because its own shard was late
  };

  StripeReadPlan(Stripe stripe, Instant now, Duration hedge_after, Instant give_up);

  // Asks that are to be started now; each is returned once.
  std::vector<Ask> take_asks();
  void on_good(uint32_t ask, Instant now);
  void on_failed(uint32_t ask, Error error, Instant now);
  void on_tick(Instant now);
  Instant next_tick() const;  // when on_tick may change something

  bool done() const;                                    // every cell is obtained
  bool failed() const { return failure_.has_value(); }  // too few good shards, or given up
  const Error& failure() const { return *failure_; }    // io: names each bad shard
  bool any_corrupt() const { return any_corrupt_; }     // smaller ranges might still be read
  const std::vector<Cell>& cells() const { return cells_; }
  const Ask& ask(uint32_t id) const { return asks_[id].ask; }
  bool pending(uint32_t id) const { return asks_[id].state == AskState::pending; }
  size_t asks_made() const { return asks_.size(); }

 private:
  enum class AskState { pending, good, failed };
  struct Asked {
    Ask ask;
    AskState state = AskState::pending;
    Instant late_at;
    bool late = false;
  };
  struct Shard {
    bool absent = false;  // a data cell that is not stored: zeros
    std::optional<Error> bad;
  };
  bool covers(const Asked& asked, const Cell& cell) const;
  void decide(Instant now);
  void decide_cell(Cell& cell, Instant now);
  bool ask_direct(Cell& cell, Instant now);
  // The best shard that could still be a source for this cell and has not been asked.
  std::optional<uint32_t> spare_for(const Cell& cell) const;
  void start(uint32_t shard, uint32_t offset, uint32_t length, bool direct, Instant now);
  Error too_few() const;

  const Stripe stripe_;
  const Duration hedge_after_;
  const Instant give_up_;
  std::vector<Cell> cells_;
  std::vector<Shard> shards_;
  std::vector<Asked> asks_;
  size_t taken_ = 0;  // asks that take_asks() has returned
  std::optional<Error> failure_;
  bool any_corrupt_ = false;
};

}  // namespace cairn

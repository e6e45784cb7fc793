#include "common/stripe/stripe_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <list>
#include <optional>
#include <unordered_map>

#include "common/base/buffer.h"
#include "common/probes/planted_bug.h"
#include "common/stripe/erasure_code.h"
#include "common/stripe/record_format.h"
#include "common/stripe/stripe_read_plan.h"

namespace cairn {

namespace {

constexpr size_t kWindowBytes = 4u << 20;  // of the caller's, being read
constexpr size_t kWindowStripes = 16;
constexpr int kLate = 3;              // times the usual latency
constexpr Duration kSurelyLate = 2s;  // whatever is usual

// A range within one stripe, and where its bytes go.
struct Job {
  uint64_t place = 0;
  uint32_t position = 0;  // in the stripe's data
  std::span<uint8_t> out;
};

// Buffers that were used by an earlier ask of the same read.
class Spares {
 public:
  Buffer take(size_t size) {
    const auto found = std::ranges::find_if(buffers_, [&](const Buffer& buffer) { return buffer.size() == size; });
    if (found == buffers_.end()) return Buffer(size);
    Buffer buffer = std::move(*found);
    *found = std::move(buffers_.back());
    buffers_.pop_back();
    return buffer;
  }
  void give(Buffer buffer) {
    if (!buffer.empty()) buffers_.push_back(std::move(buffer));
  }

 private:
  std::vector<Buffer> buffers_;  // never more than were under way at once
};

// One plan and the memory of its asks.
struct ActiveStripe {
  struct AskMemory {
    ShardCalls::Tag tag = 0;
    Buffer header;
    Buffer own;               // empty where the blocks go straight to `out`
    std::span<uint8_t> cell;  // the blocks
  };
  Job job;
  StripeReadPlan plan;
  std::vector<AskMemory> asks;
  Instant gives_up_at;

  // Of a cell of the range: its wanted bytes in the caller's memory.
  std::span<uint8_t> out_of(const StripeReadPlan::Cell& cell, uint32_t cell_bytes) const {
    return job.out.subspan(size_t{cell.cell} * cell_bytes + cell.offset - job.position, cell.length);
  }
};

bool in_whole_blocks(const StripeReadPlan::Cell& cell) {
  return cell.offset == cell.first_block && cell.length == cell.blocks;
}

class ExtentRead {
 public:
  ExtentRead(ShardTransport& transport, Clock& clock, const ChunkInfo& chunk, const Extent& extent,
             std::span<uint8_t> out, const ReadOptions& options)
      : transport_(transport),
        clock_(clock),
        chunk_(chunk),
        extent_(extent),
        shape_(extent.shape),
        out_(out),
        options_(options),
        calls_(transport.calls()) {}

  ReadOutcome run() {
    outcome_.status = read_all();
    return std::move(outcome_);
  }

 private:
  using Active = std::list<ActiveStripe>::iterator;
  struct Address {
    Active stripe;
    uint32_t ask = 0;
  };

  Status read_all() {
    for (;;) {
      while (const auto job = next_job()) TRY(start(*job));
      if (active_.empty()) return {};
      Instant until = Instant::never();
      for (const ActiveStripe& stripe : active_) until = std::min(until, stripe.plan.next_tick());
      const auto done = calls_->wait(until);
      if (done.has_value()) {
        TRY(on_completion(*done));
      } else if (calls_->under_way() == 0) {
        return {Errc::io, fmt::format("chunk {}: calls to its servers were lost", raw(chunk_.chunk))};
      }
      if (time_is_up()) TRY(take_all_answers());
      TRY(tick());
    }
  }

  bool time_is_up() const {
    const Instant now = clock_.now();
    return std::ranges::any_of(active_, [&](const ActiveStripe& stripe) { return stripe.gives_up_at <= now; });
  }

  // This thread may have spent the time on connecting to servers that are gone, while the others have answered.
  Status take_all_answers() {
    while (const auto done = calls_->wait(clock_.now())) TRY(on_completion(*done));
    return {};
  }

  Duration hedge_after() const {
    if (options_.hedge_after == Duration::zero()) return Duration::zero();
    return std::max(options_.hedge_after, std::min(kLate * transport_.usual_latency(), kSurelyLate));
  }

  // The next range to start, if the window has room for it.
  std::optional<Job> next_job() {
    const bool room = active_.empty() || (active_.size() < kWindowStripes && bytes_active_ < kWindowBytes);
    if (!room) return {};
    if (!again_.empty()) {
      Job job = again_.back();
      again_.pop_back();
      return job;
    }
    if (started_ == out_.size()) return {};
    const Extent rest = extent_.part(extent_.offset + started_, extent_.end());
    const auto length = static_cast<size_t>(std::min(rest.length, shape_.data_bytes() - rest.position));
    const Job job{rest.place, static_cast<uint32_t>(rest.position), out_.subspan(started_, length)};
    started_ += length;
    return job;
  }

  Status start(const Job& job) {
    std::vector<uint32_t> reluctance;
    for (const ServerId server : chunk_.servers) reluctance.push_back(transport_.reluctance(server));
    StripeReadPlan::Stripe stripe{
        chunk_.chunk,         job.place, shape_, job.position, static_cast<uint32_t>(job.out.size()), chunk_.servers,
        std::move(reluctance)};
    const Instant now = clock_.now();
    active_.push_back({job,
                       StripeReadPlan(std::move(stripe), now, hedge_after(), now + options_.give_up_after),
                       {},
                       now + options_.give_up_after});
    bytes_active_ += job.out.size();
    return advance(std::prev(active_.end()));
  }

  Status tick() {
    const Instant now = clock_.now();
    for (Active stripe = active_.begin(); stripe != active_.end();) {
      const Active current = stripe++;
      if (current->plan.next_tick() > now) continue;
      current->plan.on_tick(now);
      TRY(advance(current));
    }
    return {};
  }

  Status on_completion(const ShardCalls::Completion& done) {
    const auto found = by_tag_.find(done.tag);
    if (found == by_tag_.end()) return {};
    const auto [stripe, ask] = found->second;
    by_tag_.erase(found);
    const Status status = done.status.ok() ? verify(*stripe, ask) : done.status;
    if (status.ok()) {
      stripe->plan.on_good(ask, clock_.now());
    } else {
      remember(stripe->job.place, stripe->plan.ask(ask).shard, status.error());
      stripe->plan.on_failed(ask, status.error(), clock_.now());
    }
    return advance(stripe);
  }

  ExpectedRecord expected(const ActiveStripe& stripe, uint32_t shard) const {
    return {chunk_.incarnation, chunk_.chunk, stripe.job.place, static_cast<uint8_t>(shard), shape_};
  }

  Status verify(ActiveStripe& stripe, uint32_t id) {
    const StripeReadPlan::Ask& ask = stripe.plan.ask(id);
    const auto header = decode_header(stripe.asks[id].header.span());
    if (planted(PlantedBug::believe_bad_record)) return {};
    // A committed record that is not there is as damaged as one with a wrong byte.
    if (!header.ok()) return {Errc::corrupt, header.error().what};
    return verify_blocks(expected(stripe, ask.shard), header.value(), ask.offset, stripe.asks[id].cell);
  }

  void remember(uint64_t place, uint32_t shard, const Error& error) {
    const bool known = std::ranges::any_of(outcome_.troubles, [&](const ReadTrouble& trouble) {
      return trouble.place == place && trouble.shard == shard && trouble.error.code == error.code;
    });
    if (!known)
      outcome_.troubles.push_back({chunk_.chunk, place, static_cast<uint8_t>(shard), chunk_.servers[shard], error});
  }

  // Starts what the plan asks for, and ends the stripe when the plan has ended.
  Status advance(Active stripe) {
    for (const auto& ask : stripe->plan.take_asks()) send(stripe, ask);
    if (stripe->plan.done()) {
      stop(stripe);
      TRY(finish(*stripe));
    } else if (stripe->plan.failed()) {
      stop(stripe);
      TRY(try_smaller(*stripe));
    } else {
      return {};
    }
    bytes_active_ -= stripe->job.out.size();
    for (auto& memory : stripe->asks) {
      spares_.give(std::move(memory.header));
      spares_.give(std::move(memory.own));
    }
    active_.erase(stripe);
    return {};
  }

  void send(Active stripe, const StripeReadPlan::Ask& ask) {
    ActiveStripe::AskMemory memory;
    memory.tag = next_tag_++;
    memory.header = spares_.take(shape_.header_bytes);
    const auto& cells = stripe->plan.cells();
    const auto cell = std::ranges::find_if(cells, [&](const auto& c) { return ask.direct && c.cell == ask.shard; });
    if (cell != cells.end() && in_whole_blocks(*cell)) {
      memory.cell = stripe->out_of(*cell, shape_.cell_bytes);
    } else {
      memory.own = spares_.take(ask.length);
      memory.cell = memory.own.span();
    }
    const ShardRef shard{chunk_.servers[ask.shard], chunk_.incarnation, chunk_.chunk, static_cast<uint8_t>(ask.shard)};
    const ReadCall call{shard, stripe->job.place, shape_.header_bytes, ask.offset, ask.length};
    by_tag_[memory.tag] = {stripe, ask.id};
    calls_->read(memory.tag, call, memory.header.span(), memory.cell, clock_.now() + options_.give_up_after);
    stripe->asks.push_back(std::move(memory));
  }

  // Late answers must not touch memory that is about to be filled otherwise.
  void stop(Active stripe) {
    for (uint32_t id = 0; id < stripe->asks.size(); ++id) {
      if (!stripe->plan.pending(id)) continue;
      calls_->cancel(stripe->asks[id].tag);
      by_tag_.erase(stripe->asks[id].tag);
    }
  }

  Status finish(ActiveStripe& stripe) {
    std::vector<const StripeReadPlan::Cell*> missing;
    for (const auto& cell : stripe.plan.cells()) {
      const std::span<uint8_t> out = stripe.out_of(cell, shape_.cell_bytes);
      if (cell.hedged) ++outcome_.hedged_cells;
      if (cell.direct.has_value()) {
        const auto& ask = stripe.plan.ask(*cell.direct);
        const uint8_t* from = stripe.asks[*cell.direct].cell.data() + (cell.offset - ask.offset);
        if (from != out.data()) std::memcpy(out.data(), from, out.size());
      } else if ((shape_.present >> cell.cell & 1) == 0) {
        std::memset(out.data(), 0, out.size());
      } else {
        outcome_.decoded_bytes += out.size();
        missing.push_back(&cell);
      }
    }
    if (!missing.empty()) ++outcome_.decoded_stripes;
    // Cells that come from the same blocks of the same shards are decoded in one pass over them.
    while (!missing.empty()) {
      const StripeReadPlan::Cell& first = *missing.front();
      // Not the algorithm of std::ranges: its subrange does not compile with clang 14, which the fuzzers are built
      // with.
      const auto others = std::stable_partition(missing.begin(), missing.end(), [&](const StripeReadPlan::Cell* cell) {
        return cell->sources == first.sources && cell->first_block == first.first_block && cell->blocks == first.blocks;
      });
      TRY(decode(stripe, {missing.begin(), others}));
      missing.erase(missing.begin(), others);
    }
    return {};
  }

  // Requires that the cells have the same sources and blocks.
  Status decode(ActiveStripe& stripe, std::span<const StripeReadPlan::Cell* const> cells) {
    const StripeReadPlan::Cell& first = *cells.front();
    std::array<const uint8_t*, kMaxDataShards + kMaxParityShards> known{};
    for (const uint32_t id : first.sources) {
      const auto& ask = stripe.plan.ask(id);
      known[ask.shard] = stripe.asks[id].cell.data() + (first.first_block - ask.offset);
    }
    std::vector<ErasureCode::Wanted> wanted;
    std::vector<Buffer> blocks;  // of cells that are not wanted in whole blocks
    for (const auto* cell : cells) {
      blocks.push_back(in_whole_blocks(*cell) ? Buffer() : spares_.take(cell->blocks));
      const auto out = stripe.out_of(*cell, shape_.cell_bytes);
      wanted.push_back({cell->cell, blocks.back().empty() ? out.data() : blocks.back().data()});
    }
    const uint32_t zeros = shape_.all_present() & ~shape_.present;
    TRY(ErasureCode::of(shape_.code)->reconstruct({known.data(), shape_.code.shards()}, zeros, wanted, first.blocks));
    for (size_t i = 0; i < cells.size(); ++i) {
      if (blocks[i].empty()) continue;
      const auto out = stripe.out_of(*cells[i], shape_.cell_bytes);
      std::memcpy(out.data(), blocks[i].data() + (cells[i]->offset - cells[i]->first_block), out.size());
      spares_.give(std::move(blocks[i]));
    }
    return {};
  }

  // Damaged blocks at different offsets of more than m shards still leave each block with enough good ones: a range
  // that cannot be read whole is halved, down to single blocks.
  Status try_smaller(const ActiveStripe& stripe) {
    const Job& job = stripe.job;
    const uint32_t first = job.position / kBlockBytes;
    const uint32_t last = static_cast<uint32_t>((job.position + job.out.size() - 1) / kBlockBytes);
    if (!stripe.plan.any_corrupt() || first == last) return stripe.plan.failure();
    const uint32_t middle = (first + (last - first) / 2 + 1) * kBlockBytes;  // in the stripe's data
    const size_t front = middle - job.position;
    again_.push_back({job.place, middle, job.out.subspan(front)});
    again_.push_back({job.place, job.position, job.out.first(front)});
    return {};
  }

  ShardTransport& transport_;
  Clock& clock_;
  const ChunkInfo& chunk_;
  const Extent& extent_;
  const StripeShape& shape_;
  const std::span<uint8_t> out_;
  const ReadOptions& options_;

  Spares spares_;
  std::list<ActiveStripe> active_;
  std::unordered_map<ShardCalls::Tag, Address> by_tag_;  // of the asks under way
  std::vector<Job> again_;
  size_t started_ = 0;  // bytes of out
  size_t bytes_active_ = 0;
  ShardCalls::Tag next_tag_ = 0;
  ReadOutcome outcome_;
  std::unique_ptr<ShardCalls> calls_;  // destroyed first: it writes to the memory above
};

}  // namespace

ReadOutcome read_extent(ShardTransport& transport, Clock& clock, const ChunkInfo& chunk, const Extent& extent,
                        std::span<uint8_t> out, const ReadOptions& options) {
  if (!valid(extent) || out.size() != extent.length || extent.chunk != chunk.chunk || chunk.code != extent.shape.code ||
      chunk.servers.size() != chunk.code.shards()) {
    return {{Errc::invalid, fmt::format("an extent at offset {} of chunk {} is malformed or not of this chunk",
                                        extent.offset, raw(extent.chunk))},
            {},
            0,
            0,
            0};
  }
  return ExtentRead(transport, clock, chunk, extent, out, options).run();
}

}  // namespace cairn

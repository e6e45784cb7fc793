#include "common/stripe/open_chunk.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>

#include "common/probes/kill_point.h"
#include "common/stripe/open_chunk_state.h"

namespace cairn {

namespace {

constexpr size_t kWindow = 4;              // stripes under way: one is encoded while others travel
constexpr uint32_t kTagsOfStripe = 64;     // more than any number of shards
constexpr Duration kMoreFailures = 100ms;  // after a first failure, to learn who else has failed

}  // namespace

struct OpenChunk::State {
  State(ChunkInfo chunk, ShardTransport& shard_transport, Clock& a_clock, Duration timeout)
      : info(std::move(chunk)), transport(shard_transport), clock(a_clock), io_timeout(timeout), core(info) {}

  ShardRef shard_ref(uint32_t shard) const {
    return {info.servers[shard], info.incarnation, info.chunk, static_cast<uint8_t>(shard)};
  }

  const ChunkInfo info;
  ShardTransport& transport;
  Clock& clock;
  const Duration io_timeout;

  mutable Mutex mutex;
  CondVar changed;       // a sync ended, a commit happened, the chunk broke
  OpenChunkState core;   // guarded by mutex
  bool syncing = false;  // guarded by mutex: one round of syncs is under way

  std::vector<std::unique_ptr<StripeEncoder>> encoders;  // used by the one caller of append
};

namespace {

// One call of OpenChunk::append: a window of stripes, each in a slot with its encoder until all its shards have
// answered.
class AppendRun {
 public:
  struct Slot {
    uint64_t place = 0;
    uint64_t place_behind = 0;
    uint64_t waiting = 0;  // bit for each shard that has not answered
    Instant deadline;
    std::array<uint32_t, kTagsOfStripe> record_bytes{};
    uint64_t synced = 0;  // bit for each shard that was asked to sync
  };

  AppendRun(const ChunkInfo& info, ShardCalls& calls, Clock& clock, Mutex& mutex, OpenChunkState& core)
      : info_(info), calls_(calls), clock_(clock), mutex_(mutex), core_(core) {}

  // The slot of the next stripe; its last stripe has been answered.
  Result<Slot*> free_slot() {
    Slot& slot = slots_[next_ % kWindow];
    if (next_ - first_ == kWindow) TRY(finish_oldest());
    ++next_;
    return &slot;
  }

  Status finish_all() {
    while (first_ < next_) TRY(finish_oldest());
    return {};
  }

  void send(Slot& slot, size_t slot_index, std::span<const StripeEncoder::Record> records,
            const std::vector<ShardRef>& shards) {
    for (const auto& record : records) {
      const uint64_t bit = uint64_t{1} << record.shard;
      slot.waiting |= bit;
      slot.record_bytes[record.shard] = record.bytes;
      const AppendCall call{shards[record.shard], slot.place, info_.writer_epoch, (slot.synced & bit) != 0};
      calls_.append(static_cast<uint32_t>(slot_index) * kTagsOfStripe + record.shard, call, record.pieces,
                    slot.deadline);
    }
  }
  size_t index_of(const Slot& slot) const { return static_cast<size_t>(&slot - slots_.data()); }

 private:
  // Takes answers until all shards of the oldest stripe have given theirs.
  Status finish_oldest() {
    Slot& slot = slots_[first_ % kWindow];
    while (slot.waiting != 0) {
      if (Status status = take(calls_.wait(slot.deadline), slot); !status.ok()) {
        learn_of_more_failures();
        return status;
      }
    }
    ++first_;
    Lock lock(mutex_);
    core_.on_stripe_appended(slot.place_behind);
    return {};
  }

  Status take(const std::optional<ShardCalls::Completion>& done, const Slot& oldest) {
    Lock lock(mutex_);
    if (!done.has_value()) {
      for (uint32_t shard = 0; shard < info_.servers.size(); ++shard) {
        if ((oldest.waiting >> shard & 1) != 0)
          core_.on_failed(shard, {Errc::timed_out, "no answer to an append in time"});
      }
      return core_.why();
    }
    Slot& slot = slots_.at(done->tag / kTagsOfStripe);
    const uint32_t shard = done->tag % kTagsOfStripe;
    slot.waiting &= ~(uint64_t{1} << shard);
    if (!done->status.ok()) {
      core_.on_failed(shard, done->status.error());
    } else {
      const bool synced = (slot.synced >> shard & 1) != 0;
      TRY(core_.on_appended(shard, slot.place, slot.place + slot.record_bytes[shard], synced, done->boot, done->end));
    }
    if (core_.broken()) return core_.why();  // by this answer, or by mark_broken meanwhile
    return {};
  }

  // The next chunk should avoid all failed servers, not only the first that was heard of.
  void learn_of_more_failures() {
    const Instant until = clock_.now() + kMoreFailures;
    while (calls_.under_way() > 0 && clock_.now() < until) {
      const auto done = calls_.wait(until);
      if (!done.has_value()) return;
      if (done->status.ok()) continue;
      Lock lock(mutex_);
      core_.on_failed(done->tag % kTagsOfStripe, done->status.error());
    }
  }

  const ChunkInfo& info_;
  ShardCalls& calls_;
  Clock& clock_;
  Mutex& mutex_;
  OpenChunkState& core_;
  std::array<Slot, kWindow> slots_{};
  size_t first_ = 0;  // stripes [first_, next_) are under way
  size_t next_ = 0;
};

Result<std::vector<StripeShape>> shapes_of(std::span<const StripeData> stripes, Code code) {
  std::vector<StripeShape> shapes;
  shapes.reserve(stripes.size());
  for (const StripeData& stripe : stripes) {
    ASSIGN(const StripeShape shape, shape_of(stripe, code));
    shapes.push_back(shape);
  }
  return shapes;
}

bool stores(const StripeShape& shape, uint32_t shard) {
  return shard >= shape.code.d || (shape.present >> shard & 1) != 0;
}

// For each stripe, the shards that hold nothing of the later ones: where a sync covers all of this call's.
std::vector<uint64_t> last_records(std::span<const StripeShape> shapes) {
  std::vector<uint64_t> last(shapes.size());
  uint64_t later = 0;
  for (size_t i = shapes.size(); i-- > 0;) {
    for (uint32_t shard = 0; shard < shapes[i].code.shards(); ++shard) {
      const uint64_t bit = uint64_t{1} << shard;
      if (!stores(shapes[i], shard) || (later & bit) != 0) continue;
      last[i] |= bit;
      later |= bit;
    }
  }
  return last;
}

}  // namespace

OpenChunk::OpenChunk(ChunkInfo info, ShardTransport& transport, Clock& clock, Duration io_timeout)
    : state_(std::make_unique<State>(std::move(info), transport, clock, io_timeout)) {
  const ChunkInfo& chunk = state_->info;
  if (chunk.code.d < 1 || chunk.code.d > kMaxDataShards || chunk.code.m > kMaxParityShards ||
      chunk.servers.size() != chunk.code.shards()) {
    state_->core.break_down(fmt::format("chunk {}: {} servers do not fit the code ({},{})", raw(chunk.chunk),
                                        chunk.servers.size(), chunk.code.d, chunk.code.m));
  }
}

OpenChunk::~OpenChunk() = default;

const ChunkInfo& OpenChunk::info() const { return state_->info; }

bool OpenChunk::broken() const {
  Lock lock(state_->mutex);
  return state_->core.broken();
}

bool OpenChunk::has_room() const {
  Lock lock(state_->mutex);
  return state_->core.has_room();
}

size_t OpenChunk::fitting(std::span<const StripeData> stripes) const {
  Lock lock(state_->mutex);
  if (state_->core.broken()) return 0;
  uint64_t place = state_->core.next_place();
  size_t count = 0;
  for (; count < stripes.size() && place < state_->core.shard_limit(); ++count) {
    const StripeData& stripe = stripes[count];
    place +=
        uint64_t{header_bytes_for(static_cast<uint32_t>(stripe.owners.size()), stripe.cell_bytes)} + stripe.cell_bytes;
  }
  return count;
}

uint32_t OpenChunk::next_first_cell(uint32_t cells) {
  Lock lock(state_->mutex);
  return state_->core.next_first_cell(cells);
}

Result<std::vector<PlacedStripe>> OpenChunk::append(std::span<const StripeData> stripes, bool sync_too) {
  auto placed = append_stripes(stripes, sync_too);
  if (!placed.ok()) {
    Lock lock(state_->mutex);
    if (state_->core.broken()) state_->changed.notify_all();  // nobody's turn comes any more
  }
  return placed;
}

Result<std::vector<PlacedStripe>> OpenChunk::append_stripes(std::span<const StripeData> stripes, bool sync_too) {
  State& state = *state_;
  {
    Lock lock(state.mutex);
    if (state.core.broken()) return state.core.why();
  }
  ASSIGN(const std::vector<StripeShape> shapes, shapes_of(stripes, state.info.code));
  if (fitting(stripes) < stripes.size()) {
    return Error{Errc::invalid, fmt::format("chunk {}: {} stripes do not fit before place {}", raw(state.info.chunk),
                                            stripes.size(), state.info.shard_limit)};
  }
  std::vector<ShardRef> shards;
  for (uint32_t shard = 0; shard < state.info.servers.size(); ++shard) shards.push_back(state.shard_ref(shard));
  while (state.encoders.size() < std::min(kWindow, stripes.size())) {
    state.encoders.push_back(std::make_unique<StripeEncoder>(state.info.code));
  }
  const std::vector<uint64_t> last = last_records(shapes);
  std::vector<PlacedStripe> placed;
  const auto calls = state.transport.calls();
  AppendRun run(state.info, *calls, state.clock, state.mutex, state.core);
  for (size_t i = 0; i < stripes.size(); ++i) {
    ASSIGN(AppendRun::Slot* const slot, run.free_slot());
    {
      Lock lock(state.mutex);
      if (state.core.broken()) return state.core.why();
      slot->place = state.core.give_place(shapes[i].stride());
    }
    slot->place_behind = slot->place + shapes[i].stride();
    slot->synced = sync_too ? last[i] : 0;
    const size_t index = run.index_of(*slot);
    const StripeEncoder::Identity identity{state.info.incarnation, state.info.chunk, slot->place,
                                           state.info.writer_epoch};
    const auto records = state.encoders[index]->encode(identity, shapes[i], stripes[i]);
    slot->deadline = state.clock.now() + state.io_timeout;
    run.send(*slot, index, records, shards);
    placed.push_back({slot->place, shapes[i]});
  }
  TRY(run.finish_all());
  if (sync_too) TRY(sync(end()));  // what earlier calls left on shards that this one did not touch
  return placed;
}

Status OpenChunk::sync(uint64_t end) {
  State& state = *state_;
  std::vector<OpenChunkState::SyncAsk> asks;
  {
    Lock lock(state.mutex);
    assert(end <= state.core.end());
    for (;;) {
      asks = state.core.syncs_for(end);
      if (asks.empty()) return {};
      if (state.core.broken()) return state.core.why();
      if (!state.syncing) break;
      state.changed.wait(lock);  // that round may cover this one
    }
    state.syncing = true;
  }
  kill_point(KillPoint::stripes_appended);
  const auto calls = state.transport.calls();
  const Instant deadline = state.clock.now() + state.io_timeout;
  for (uint32_t i = 0; i < asks.size(); ++i) {
    calls->sync(i, {state.shard_ref(asks[i].shard), asks[i].boot, asks[i].end}, deadline);
  }
  std::vector<bool> answered(asks.size());
  for (size_t left = asks.size(); left > 0; --left) {
    const auto done = calls->wait(deadline);
    if (!done.has_value()) break;
    answered.at(done->tag) = true;
    const auto& ask = asks[done->tag];
    Lock lock(state.mutex);
    if (!done->status.ok())
      state.core.on_failed(ask.shard, done->status.error());
    else
      (void)state.core.on_synced(ask, done->boot, done->end);  // its error is kept in why()
  }
  Lock lock(state.mutex);
  for (size_t i = 0; i < asks.size(); ++i) {
    if (!answered[i]) state.core.on_failed(asks[i].shard, {Errc::timed_out, "no answer to a sync in time"});
  }
  state.syncing = false;
  state.changed.notify_all();
  return state.core.durable(end) ? Status() : Status(state.core.why());
}

uint64_t OpenChunk::end() const {
  Lock lock(state_->mutex);
  return state_->core.end();
}

bool OpenChunk::wait_for_turn(uint64_t from) {
  Lock lock(state_->mutex);
  state_->changed.wait(lock, [&] { return state_->core.may_commit(from) || state_->core.broken(); });
  return state_->core.may_commit(from);
}

void OpenChunk::committed(uint64_t to) {
  Lock lock(state_->mutex);
  state_->core.on_committed(to);
  state_->changed.notify_all();
}

void OpenChunk::mark_broken(std::string why) {
  Lock lock(state_->mutex);
  state_->core.break_down(std::move(why));
  state_->changed.notify_all();
}

std::vector<ServerId> OpenChunk::failed_servers() const {
  Lock lock(state_->mutex);
  return state_->core.failed_servers();
}

}  // namespace cairn

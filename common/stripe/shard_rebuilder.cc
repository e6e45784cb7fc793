#include "common/stripe/shard_rebuilder.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <deque>
#include <unordered_map>

#include "common/stripe/stripe_read_plan.h"
#include "common/stripe/stripe_reader.h"

namespace cairn {

namespace {

constexpr size_t kMostStripes = 64;  // of a batch

uint32_t first_cell_of(const StripeShape& shape) { return static_cast<uint32_t>(std::countr_zero(shape.present)); }
uint32_t cells_of(const StripeShape& shape) { return static_cast<uint32_t>(std::popcount(shape.present)); }
uint64_t present_bytes(const StripeShape& shape) { return uint64_t{cells_of(shape)} * shape.cell_bytes; }

// Whether `next` lies behind `stripe` as the next one of a run.
bool continues(const StripeAt& stripe, const StripeAt& next) {
  return stripe.shape == next.shape && stripe.shape.present == stripe.shape.all_present() &&
         next.place == stripe.place + stripe.shape.stride() && stripe.dead == next.dead;
}

// Calls `each` with every stripe run of the list.
template <typename Each>
Status for_each_run(std::span<const StripeAt> stripes, const Each& each) {
  while (!stripes.empty()) {
    size_t length = 1;
    while (length < stripes.size() && continues(stripes[length - 1], stripes[length])) ++length;
    TRY(each(stripes.first(length)));
    stripes = stripes.subspan(length);
  }
  return {};
}

}  // namespace

// The servers of the other shards. The one that is being made is refused at once; the headers of all others are seen as
// they come by, so that none is asked for twice.
class ShardRebuilder::SurvivorCalls : public ShardCalls {
 public:
  SurvivorCalls(ShardRebuilder& owner, std::unique_ptr<ShardCalls> calls) : owner_(owner), calls_(std::move(calls)) {}

  void append(Tag tag, const AppendCall& call, std::span<const iovec> record, Instant deadline) override {
    calls_->append(tag, call, record, deadline);
  }
  void sync(Tag tag, const SyncCall& call, Instant deadline) override { calls_->sync(tag, call, deadline); }
  void read(Tag tag, const ReadCall& call, std::span<uint8_t> header_into, std::span<uint8_t> cell_into,
            Instant deadline) override {
    if (call.shard.server == ServerId{}) {
      refused_.push_back({tag, {Errc::unavailable, fmt::format("shard {} is not asked", call.shard.shard)}, {}, 0});
      return;
    }
    reads_[tag] = {call.place, call.shard.shard, header_into};
    calls_->read(tag, call, header_into, cell_into, deadline);
  }
  void cancel(Tag tag) override {
    if (reads_.erase(tag) != 0) calls_->cancel(tag);
    std::erase_if(refused_, [&](const Completion& one) { return one.tag == tag; });
  }
  size_t under_way() const override { return refused_.size() + calls_->under_way(); }
  std::optional<Completion> wait(Instant deadline) override {
    if (!refused_.empty()) {
      Completion first = std::move(refused_.front());
      refused_.pop_front();
      return first;
    }
    auto done = calls_->wait(deadline);
    if (!done.has_value()) return done;
    if (const auto read = reads_.find(done->tag); read != reads_.end()) {
      if (done->status.ok()) owner_.on_header(read->second.place, read->second.shard, read->second.header);
      reads_.erase(read);
    }
    return done;
  }

 private:
  struct Read {
    uint64_t place = 0;
    uint8_t shard = 0;
    std::span<const uint8_t> header;
  };
  ShardRebuilder& owner_;
  std::unordered_map<Tag, Read> reads_;  // under way
  std::deque<Completion> refused_;
  const std::unique_ptr<ShardCalls> calls_;
};

class ShardRebuilder::SurvivorTransport : public ShardTransport {
 public:
  explicit SurvivorTransport(ShardRebuilder& owner) : owner_(owner) {}
  std::unique_ptr<ShardCalls> calls() override {
    return std::make_unique<SurvivorCalls>(owner_, owner_.transport_.calls());
  }
  uint32_t reluctance(ServerId server) const override {
    return server == ServerId{} ? UINT32_MAX : owner_.transport_.reluctance(server);
  }
  Duration usual_latency() const override { return owner_.transport_.usual_latency(); }

 private:
  ShardRebuilder& owner_;
};

ShardRebuilder::ShardRebuilder(ShardTransport& transport, Clock& clock, ChunkInfo chunk, uint8_t shard, Options options,
                               Sink sink)
    : transport_(transport),
      clock_(clock),
      chunk_(std::move(chunk)),
      shard_(shard),
      options_(std::move(options)),
      sink_(std::move(sink)),
      survivors_(chunk_),
      encoder_(chunk_.code) {
  assert(shard_ < chunk_.code.shards() && chunk_.servers.size() == chunk_.code.shards());
  for (size_t i = 0; i < survivors_.servers.size(); ++i) {
    if (i == shard_ || ((options_.lost >> i) & 1) != 0) survivors_.servers[i] = ServerId{};
  }
}

bool ShardRebuilder::stored(const StripeAt& stripe) const {
  return shard_ >= chunk_.code.d || ((stripe.shape.present >> shard_) & 1) != 0;
}

ExpectedRecord ShardRebuilder::expected(const StripeAt& stripe) const {
  return {chunk_.incarnation, chunk_.chunk, stripe.place, shard_, stripe.shape};
}

Result<size_t> ShardRebuilder::step(std::span<const StripeAt> stripes) {
  uint64_t bytes = 0;
  size_t taken = 0;
  std::vector<StripeAt> batch;
  for (; taken < std::min(stripes.size(), kMostStripes); ++taken) {
    const StripeAt& stripe = stripes[taken];
    if (!valid(stripe.shape) || stripe.shape.code != chunk_.code || stripe.place % kBlockBytes != 0 ||
        stripe.place >= kMaxShardBytes) {
      return Error{Errc::invalid,
                   fmt::format("the stripe at place {} is none of chunk {}", stripe.place, raw(chunk_.chunk))};
    }
    if (taken > 0 && bytes + present_bytes(stripe.shape) > options_.batch_bytes) break;
    bytes += present_bytes(stripe.shape);
    if (stored(stripe)) batch.push_back(stripe);
  }
  for (const ServerId from : options_.copies) {
    if (batch.empty()) break;
    ASSIGN(batch, copy(from, batch));
  }
  TRY(decode(batch));
  return taken;
}

Result<std::vector<StripeAt>> ShardRebuilder::copy(ServerId from, std::span<const StripeAt> stripes) {
  struct Reading {
    Buffer header, cell;
  };
  std::vector<Reading> readings;
  std::vector<bool> good(stripes.size());
  for (const StripeAt& stripe : stripes)
    readings.push_back({Buffer(stripe.shape.header_bytes), Buffer(stripe.shape.cell_bytes)});
  const auto calls = transport_.calls();  // destroyed first: it writes to the memory above
  const Instant deadline = clock_.now() + options_.give_up_after;
  const ShardRef ref{from, chunk_.incarnation, chunk_.chunk, shard_};
  for (size_t i = 0; i < stripes.size(); ++i) {
    const StripeShape& shape = stripes[i].shape;
    calls->read(static_cast<uint32_t>(i), {ref, stripes[i].place, shape.header_bytes, 0, shape.cell_bytes},
                readings[i].header.span(), readings[i].cell.span(), deadline);
  }
  while (const auto done = calls->wait(deadline)) good[done->tag] = done->status.ok();
  std::vector<StripeAt> rest;
  for (size_t i = 0; i < stripes.size(); ++i) {
    const auto header = good[i] ? decode_header(readings[i].header.span()) : Error{Errc::unavailable, "no answer"};
    if (!header.ok() || !verify_blocks(expected(stripes[i]), *header, 0, readings[i].cell.span()).ok()) {
      rest.push_back(stripes[i]);
      continue;
    }
    const uint32_t blocks = (header->data_bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
    const iovec pieces[] = {{readings[i].header.data(), readings[i].header.size()}, {readings[i].cell.data(), blocks}};
    TRY(sink_(stripes[i].place, pieces));
    ++counts_.copied;
    counts_.bytes += readings[i].header.size() + blocks;
  }
  return rest;
}

Status ShardRebuilder::decode(std::span<const StripeAt> stripes) {
  return for_each_run(stripes, [&](std::span<const StripeAt> run) -> Status {
    const auto data = read(run);
    if (data.ok()) return emit(run, data->span());
    if (!run.front().dead) return data.error();
    // One by one: those that can be had are kept, for a job may have pinned them.
    for (const StripeAt& stripe : run) {
      const auto one = run.size() > 1 ? read({&stripe, 1}) : Error(data.error());
      if (one.ok()) TRY(emit({&stripe, 1}, one->span()));
      if (!one.ok()) ++counts_.given_up;
    }
    return {};
  });
}

Result<Buffer> ShardRebuilder::read(std::span<const StripeAt> run) {
  const StripeShape& shape = run.front().shape;
  seen_.clear();
  for (const StripeAt& stripe : run) seen_[stripe.place].shape = shape;
  const Extent extent{.length = present_bytes(shape) * run.size(),
                      .chunk = chunk_.chunk,
                      .place = run.front().place,
                      .position = uint64_t{first_cell_of(shape)} * shape.cell_bytes,
                      .shape = shape};
  Buffer data(extent.length);
  SurvivorTransport transport(*this);
  TRY(read_extent(transport, clock_, survivors_, extent, data.span(), {.give_up_after = options_.give_up_after})
          .status);
  return data;
}

Status ShardRebuilder::emit(std::span<const StripeAt> run, std::span<const uint8_t> data) {
  const size_t each = data.size() / run.size();
  for (size_t i = 0; i < run.size(); ++i) TRY(emit_one(run[i], data.subspan(i * each, each)));
  return {};
}

void ShardRebuilder::on_header(uint64_t place, uint8_t shard, std::span<const uint8_t> bytes) {
  const auto it = seen_.find(place);
  if (it == seen_.end()) return;
  Seen& seen = it->second;
  auto header = decode_header(bytes);
  if (!header.ok() || !verify_identity({chunk_.incarnation, chunk_.chunk, place, shard, seen.shape}, *header).ok())
    return;
  seen.longest = std::max(seen.longest, header->data_bytes);
  if (shard + 1u == first_cell_of(seen.shape) + cells_of(seen.shape)) seen.last_cell = header->data_bytes;
  if (seen.any) return;
  seen.any = true;
  seen.owners = std::move(header->owners);
  seen.writer_epoch = header->writer_epoch;
}

Status ShardRebuilder::emit_one(const StripeAt& stripe, std::span<const uint8_t> data) {
  const StripeShape& shape = stripe.shape;
  const Seen& seen = seen_[stripe.place];
  if (!seen.any) {
    return {Errc::io,
            fmt::format("chunk {}: no record of the stripe at place {} has a header", raw(chunk_.chunk), stripe.place)};
  }
  // How far the last cell goes: its own record says so, or that of parity if it is the only cell; else the end of the
  // last owner, which is where its writer's data ended. Bytes that are not zero are data in any case.
  const uint64_t before = data.size() - shape.cell_bytes;
  uint64_t last = seen.last_cell;
  if (last == 0 && before == 0) last = seen.longest;
  if (last == 0) {
    const uint64_t start = uint64_t{first_cell_of(shape)} * shape.cell_bytes + before;
    for (const Owner& owner : seen.owners) {
      const uint64_t end = uint64_t{owner.position} + owner.length;
      if (end > start) last = std::max(last, end - start);
    }
    last = std::min<uint64_t>(last, shape.cell_bytes);
    const auto cell = data.subspan(before);
    const auto tail = std::find_if(cell.rbegin(), cell.rend(), [](uint8_t byte) { return byte != 0; });
    last = std::max<uint64_t>({last, static_cast<uint64_t>(cell.rend() - tail), 1});
  }
  StripeData again{.cell_bytes = shape.cell_bytes,
                   .first_cell = first_cell_of(shape),
                   .pieces = {{const_cast<uint8_t*>(data.data()), before + last}},  // read, never written
                   .owners = seen.owners};
  ASSIGN(const StripeShape shape_again, shape_of(again, chunk_.code));
  if (shape_again != shape) {
    return {Errc::io, fmt::format("chunk {}: the stripe at place {} has a shape that its records do not give",
                                  raw(chunk_.chunk), stripe.place)};
  }
  const auto records =
      encoder_.encode({chunk_.incarnation, chunk_.chunk, stripe.place, seen.writer_epoch}, shape, again);
  const auto record = std::ranges::find_if(records, [&](const auto& one) { return one.shard == shard_; });
  if (record == records.end())
    return {Errc::io, fmt::format("chunk {}: its stripes have no shard {}", raw(chunk_.chunk), shard_)};
  TRY(sink_(stripe.place, record->pieces));
  ++counts_.decoded;
  counts_.bytes += record->bytes;
  return {};
}

}  // namespace cairn

#include "chunkserver/shard_check.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <vector>

#include "common/probes/rare_path.h"

namespace cairn {
namespace {

constexpr Duration kSlice = 100ms;  // the rate is kept over slices of this length

enum class Found : uint8_t { record, nothing, garbage };
struct Look {
  Found found = Found::nothing;
  uint64_t stride = kBlockBytes;  // to where the next record may begin
  bool cut_short = false;         // a header begins here, but needs more bytes than were given, or is damaged
};

Look look_at(std::span<const uint8_t> bytes, const RecordPlace& where) {
  auto header = decode_header(bytes);
  if (header.ok() && check_identity(*header, where).ok()) return {Found::record, header->shape.stride()};
  if (!header.ok() && header.code() == Errc::corrupt) return {.found = Found::garbage, .cut_short = true};
  auto block = bytes.first(std::min<size_t>(bytes.size(), kBlockBytes));
  bool zeros = std::all_of(block.begin(), block.end(), [](uint8_t byte) { return byte == 0; });
  return {zeros ? Found::nothing : Found::garbage};
}

// A header of one block is the rule; a longer one is read in a second step.
Result<Look> read_and_look(File& file, const RecordPlace& where, std::vector<uint8_t>& buffer) {
  for (size_t bytes : {size_t{kBlockBytes}, size_t{kMaxHeaderBytes}}) {
    buffer.resize(bytes);
    ASSIGN(size_t size, file.read_at(where.place, buffer));
    Look look = look_at({buffer.data(), size}, where);
    if (!look.cut_short) return look;
  }
  return Look{.found = Found::garbage};
}

}  // namespace

Result<ShardReport> check_shard(File& file, Incarnation incarnation, ShardKey key, uint64_t end,
                                std::optional<uint64_t> committed, const CheckPace& pace) {
  ShardReport report;
  uint64_t limit = committed ? std::min(end, *committed) : end;
  std::optional<uint64_t> bad_since;  // of the current run of garbage
  auto count_bad = [&] {
    if (!bad_since) return;
    ++report.bad_records;
    if (!report.first_bad) report.first_bad = bad_since;
    bad_since.reset();
  };
  std::vector<uint8_t> buffer;
  for (uint64_t place = 0; place < limit && pace();) {
    auto data = file.next_data(place);
    if (!data.ok() && data.code() != Errc::not_found) return data.error();
    if (!data.ok()) break;  // only a hole follows
    place = std::max(place, *data / kBlockBytes * kBlockBytes);
    if (place >= limit) break;
    ASSIGN(Look look, read_and_look(file, {incarnation, key, place}, buffer));
    if (look.found == Found::record) {
      ++report.records;
      count_bad();
    }
    if (look.found == Found::garbage && !bad_since) bad_since = place;
    place += look.stride;
  }
  if (committed) {
    count_bad();
  } else if (bad_since) {
    report.torn_bytes = end - *bad_since;
    reached(RarePath::torn_record);
  }
  return report;
}

StartupCheck::StartupCheck(ShardStore& store, IdentityFile& identity, Clock& clock, Options options)
    : store_(store), identity_(identity), clock_(clock), options_(options) {}

StartupCheck::~StartupCheck() { stop(); }

void StartupCheck::start() {
  if (options_.reads_per_second == 0) {
    Lock lock(mutex_);
    totals_.done = true;
    return;
  }
  thread_ = Thread("shard-check", [this] { run(); });
}

void StartupCheck::stop() {
  {
    Lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

StartupCheck::Totals StartupCheck::totals() const {
  Lock lock(mutex_);
  return totals_;
}

void StartupCheck::wait_until_done() {
  Lock lock(mutex_);
  changed_.wait(lock, [this] { return totals_.done || stopping_; });
}

bool StartupCheck::pace() {
  Lock lock(mutex_);
  Instant now = clock_.now();
  if (now >= slice_end_) {
    slice_end_ = now + kSlice;
    reads_in_slice_ = 0;
  }
  uint32_t allowed = std::max<uint32_t>(
      1, static_cast<uint32_t>(options_.reads_per_second * uint64_t{kSlice.count()} / 1'000'000'000));
  if (++reads_in_slice_ > allowed) {
    (void)changed_.wait_until(lock, slice_end_, [this] { return stopping_; });
    slice_end_ = clock_.now() + kSlice;
    reads_in_slice_ = 1;
  }
  return !stopping_;
}

void StartupCheck::run() {
  // What is appended from now on is no business of this check: it knows the shards as they are found now. Sealed ones
  // have no known end and are checked up to their committed length.
  Incarnation incarnation = identity_.get().incarnation;
  for (uint32_t folder = 0; folder < kShardFolders; ++folder) {
    for (const ShardStatus& shard : store_.statuses(folder)) {
      if (!pace()) return;
      check_one(shard, incarnation);
    }
  }
  Lock lock(mutex_);
  totals_.done = true;
  changed_.notify_all();
  spdlog::info("start-up check: {} shards, {} records, {} bad records, {} KiB torn, {} unreadable", totals_.shards,
               totals_.records, totals_.bad_records, totals_.torn_bytes >> 10, totals_.unreadable);
}

void StartupCheck::check_one(const ShardStatus& shard, Incarnation incarnation) {
  bool sealed = shard.state == ShardState::sealed;
  auto file = store_.file(shard.key);
  if (!file.ok() && file.code() == Errc::not_found) return;  // removed meanwhile
  auto report = file.ok()
                    ? check_shard(**file, incarnation, shard.key, sealed ? shard.committed : shard.end,
                                  sealed ? std::optional(shard.committed) : std::nullopt, [this] { return pace(); })
                    : Result<ShardReport>(file.error());
  if (!report.ok()) spdlog::error("start-up check of {}: {}", shard.key.text(), report.error().what);
  if (report.ok() && report->first_bad) {
    spdlog::error("{}: {} bad records, the first at {:#x}", shard.key.text(), report->bad_records, *report->first_bad);
  }
  Lock lock(mutex_);
  ++totals_.shards;
  if (!report.ok()) {
    ++totals_.unreadable;
    return;
  }
  totals_.records += report->records;
  totals_.bad_records += report->bad_records;
  totals_.torn_bytes += report->torn_bytes;
}

}  // namespace cairn

#include "chunkserver/shard_rebuild.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <vector>

#include "common/probes/kill_point.h"
#include "common/probes/rare_path.h"
#include "common/stripe/shard_rebuilder.h"

namespace cairn {
namespace {

constexpr const char* kFolder = "rebuild";

ShardKey key_of(const ShardRef& shard) { return {shard.chunk, shard.shard}; }

// Who may have this very shard: this server, where it lies damaged perhaps, and its old server.
std::vector<ServerId> copies_of(const RebuildShard& request, bool here) {
  std::vector<ServerId> copies;
  if (here) copies.push_back(request.shard.server);
  const ServerId old = request.servers[request.shard.shard];
  if (request.copy && (!here || old != request.shard.server)) copies.push_back(old);
  return copies;
}

}  // namespace

// While it lives, no other call works on this shard. Then it is kept for the next, or forgotten with its file.
class ShardRebuilds::Work {
 public:
  Work(ShardRebuilds& owner, ShardKey key, std::shared_ptr<Staged> staged)
      : owner_(&owner), key_(key), staged_(std::move(staged)) {}
  Work(Work&& other) noexcept = default;
  Work& operator=(Work&&) = delete;
  ~Work() {
    if (!staged_) return;
    if (!keep_) {
      staged_->file.reset();
      const Status removed = owner_->disk_.remove(owner_->path_of(key_));
      if (!removed.ok() && removed.code() != Errc::not_found) spdlog::warn("{}", removed.error().what);
    }
    const Lock lock(owner_->mutex_);
    staged_->at_work = false;
    staged_->touched = owner_->clock_.now();
    --owner_->at_work_;
    if (!keep_) owner_->staged_.erase(key_);
  }
  Staged& staged() { return *staged_; }
  void keep() { keep_ = true; }

 private:
  ShardRebuilds* owner_;
  ShardKey key_;
  std::shared_ptr<Staged> staged_;
  bool keep_ = false;
};

ShardRebuilds::ShardRebuilds(Disk& disk, Clock& clock, ShardStore& store, ShardTransport& peers, std::string directory,
                             Options options)
    : disk_(disk),
      clock_(clock),
      store_(store),
      peers_(peers),
      folder_(std::move(directory) + "/" + kFolder),
      options_(options) {}

std::string ShardRebuilds::path_of(ShardKey key) const {
  return fmt::format("{}/{:016x}-{:02x}", folder_, raw(key.chunk), key.shard);
}

Status ShardRebuilds::open() {
  TRY(disk_.make_directories(folder_));
  ASSIGN(const std::vector<std::string> left, disk_.list(folder_));
  for (const std::string& name : left) TRY(disk_.remove(folder_ + "/" + name));
  if (!left.empty()) spdlog::info("{}: {} shards were being made again, and are begun anew", folder_, left.size());
  return {};
}

void ShardRebuilds::forget_silent() {
  std::vector<Work> silent;  // removes their files at its end, without the mutex
  const Lock lock(mutex_);
  for (const auto& [key, staged] : staged_) {
    if (staged->at_work || clock_.now() - staged->touched < options_.forget_after) continue;
    staged->at_work = true;
    ++at_work_;
    silent.emplace_back(*this, key, staged);
  }
}

Result<ShardRebuilds::Work> ShardRebuilds::begin(const RebuildShard& request) {
  forget_silent();
  const ShardKey key = key_of(request.shard);
  std::shared_ptr<Staged> earlier;  // of another attempt: its file is closed without the mutex
  const Lock lock(mutex_);
  const auto known = staged_.find(key);
  if (known != staged_.end() && known->second->at_work)
    return Error{Errc::busy, key.text() + " is being made again by another call"};
  if (at_work_ >= options_.at_once) return Error{Errc::busy, fmt::format("{} shards are being made again", at_work_)};
  std::shared_ptr<Staged> staged;
  if (request.from == 0) {
    staged = std::make_shared<Staged>();
    staged->attempt = request.attempt;
    earlier = std::exchange(staged_[key], staged);
  } else if (known != staged_.end() && known->second->attempt == request.attempt &&
             known->second->end == request.from) {
    staged = known->second;
  } else {
    return Error{Errc::not_found, key.text() + ": what was made of it is not remembered; begin again"};
  }
  staged->at_work = true;
  ++at_work_;
  return Work(*this, key, std::move(staged));
}

Status ShardRebuilds::make(Staged& staged, ShardKey key) {
  const Status removed = disk_.remove(path_of(key));  // of an earlier attempt
  if (!removed.ok() && removed.code() != Errc::not_found) return removed;
  ASSIGN(staged.file, disk_.open(path_of(key), OpenMode::create_new));
  return {};
}

Result<RebuildProgress> ShardRebuilds::work(const RebuildShard& request) {
  ASSIGN(Work work, begin(request));
  if (work.staged().file == nullptr) TRY(make(work.staged(), key_of(request.shard)));
  ASSIGN(const RebuildProgress progress, go_on(work.staged(), request));
  if (!progress.done) work.keep();
  return progress;
}

Result<RebuildProgress> ShardRebuilds::go_on(Staged& staged, const RebuildShard& request) {
  ChunkInfo chunk{.chunk = request.shard.chunk, .code = request.code, .servers = request.servers, .sealed = true};
  chunk.incarnation = request.shard.incarnation;
  const bool here = store_.file(key_of(request.shard)).ok();
  ShardRebuilder rebuilder(
      peers_, clock_, std::move(chunk), request.shard.shard,
      {.copies = copies_of(request, here), .lost = request.lost, .give_up_after = options_.give_up_after},
      [&](uint64_t place, std::span<const iovec> record) -> Status {
        uint64_t bytes = 0;
        for (const iovec& piece : record) bytes += piece.iov_len;
        TRY(store_.admit(bytes));
        return staged.file->write_at(place, record);
      });
  const Instant until = clock_.now() + request.at_most;
  std::span<const StripeAt> left(request.stripes);
  while (!left.empty() && clock_.now() <= until) {
    ASSIGN(const size_t done, rebuilder.step(left));
    const StripeAt& last = left[done - 1];
    staged.end = last.place + last.shape.stride();
    left = left.subspan(done);
  }
  const ShardRebuilder::Counts& counts = rebuilder.counts();
  reached(RarePath::copied_shard, counts.copied);
  reached(RarePath::decoded_shard, counts.decoded);
  RebuildProgress progress{static_cast<uint32_t>(request.stripes.size() - left.size()), false, counts.copied,
                           counts.decoded, counts.bytes};
  if (left.empty() && request.last) {
    TRY(finish(staged, request));
    progress.done = true;
  }
  return progress;
}

Status ShardRebuilds::finish(Staged& staged, const RebuildShard& request) {
  const ShardKey key = key_of(request.shard);
  kill_point(KillPoint::shard_staged);
  TRY(staged.file->sync_data());
  kill_point(KillPoint::shard_staged_synced);
  staged.file.reset();
  TRY(store_.adopt(key, path_of(key), request.committed));
  spdlog::debug("{} is made again", key.text());
  return {};
}

}  // namespace cairn

// The thread of the disk cache that writes what was admitted, and makes room for it.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "client/cache/disk_cache.h"

namespace cairn {

namespace {

constexpr uint64_t kBatchBytes = 2u << 20;
constexpr int kNameAttempts = 1000;   // somebody else may have made segments with names that we would give
constexpr Duration kLookAfter = 10s;  // whether the files are still there

}  // namespace

uint64_t DiskCache::Batch::bytes() const {
  uint64_t bytes = 0;
  for (const CacheSegment::Outgoing& one : records) bytes += one.piece.size() + 2 * kCacheRecordBytes;
  return bytes;
}

void DiskCache::stop() {
  {
    Lock lock(mutex_);
    stopping_ = true;
    work_.notify_all();
    room_.notify_all();
  }
  if (writer_.joinable()) writer_.join();
}

void DiskCache::write_loop() {
  Instant look_at = clock_.now() + kLookAfter;
  while (true) {
    Batch batch;
    {
      Lock lock(mutex_);
      work_.wait_until(lock, look_at, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_ && queue_.empty()) return;
      batch = take_batch();
    }
    if (clock_.now() >= look_at) {
      drop_vanished();
      look_at = clock_.now() + kLookAfter;
    }
    if (!batch.records.empty()) write(batch);
  }
}

// What it returns can still be read from queued_, until it is published or given up.
DiskCache::Batch DiskCache::take_batch() {
  Batch batch;
  batch.generation = generation_;
  for (uint64_t bytes = 0; !queue_.empty() && bytes < kBatchBytes; queue_.pop_front()) {
    const auto found = queued_.find(queue_.front());
    if (found == queued_.end()) continue;
    const std::span<const uint8_t> piece = found->second.piece;
    batch.records.push_back({{options_.incarnation, found->first, static_cast<uint32_t>(piece.size()), 0}, piece});
    batch.owners.push_back(found->second.owner);
    bytes += piece.size();
  }
  return batch;
}

void DiskCache::write(Batch& batch) {
  bool may_try = false;
  {
    Lock lock(mutex_);
    may_try = writing_.may_try(clock_.now());
  }
  if (!may_try) return give_up(batch);
  const Status stored = store(batch);
  Lock lock(mutex_);
  if (stored.ok()) {
    const bool again = !std::exchange(writing_, {}).what.empty();
    lock.unlock();
    if (again) spdlog::info("block cache: the disk takes bytes again");
    return;
  }
  const bool is_new = writing_.met(clock_.now(), stored.error());
  lock.unlock();
  give_up(batch);
  if (is_new) spdlog::warn("block cache: nothing is written for a while: {}", stored.error().what);
}

Status DiskCache::store(Batch& batch) {
  for (CacheSegment::Outgoing& one : batch.records)
    one.record.checksum = piece_checksum(one.record.incarnation, one.record.key, one.piece);
  TRY(make_room(batch.bytes()));
  ASSIGN(const std::shared_ptr<CacheSegment> segment, segment_for(batch.bytes()));
  const uint64_t at = segment->size();
  if (const Status appended = segment->append(batch.records); !appended.ok()) {
    active_ = 0;  // its tail is unknown; what it has stays readable
    return appended;
  }
  publish(batch, at);
  return {};
}

Status DiskCache::make_room(uint64_t bytes) {
  while (true) {
    Result<DiskSpace> space = disk_.space(options_.directory);
    if (!space.ok() && space.code() == Errc::not_found) {  // somebody has removed the directory
      TRY(disk_.make_directories(options_.directory));
      space = disk_.space(options_.directory);
    }
    if (!space.ok()) return space.error();
    const bool no_space = space->free_bytes < options_.keep_free_bytes + bytes;
    std::string path;
    {
      Lock lock(mutex_);
      // A little behind the mark, so that admission stays strict while the filesystem is about full.
      short_of_space_ = space->free_bytes < options_.keep_free_bytes + bytes + 2 * segment_bytes_;
      if (!no_space && !over_limit(bytes)) return {};
      if (segments_.empty()) {
        return Error{Errc::no_space, fmt::format("{} has {} bytes free, {} of them are to be kept free",
                                                 options_.directory, space->free_bytes, options_.keep_free_bytes)};
      }
      path = evict_one();
    }
    remove_file(path);
  }
}

Result<std::shared_ptr<CacheSegment>> DiskCache::segment_for(uint64_t bytes) {
  std::shared_ptr<CacheSegment> active;
  {
    Lock lock(mutex_);
    if (const auto found = segments_.find(active_); found != segments_.end()) active = found->second.file;
  }
  if (active == nullptr) return start_segment();
  if (!active->named()) {
    drop_vanished();
    return start_segment();
  }
  if (active->size() + bytes <= segment_bytes_) return active;
  active_ = 0;
  TRY(active->seal());
  return start_segment();
}

Result<std::shared_ptr<CacheSegment>> DiskCache::start_segment() {
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    const std::string path = fmt::format("{}/segment-{:016x}", options_.directory, next_name_++);
    Result<std::shared_ptr<CacheSegment>> created = CacheSegment::create(disk_, path);
    if (!created.ok() && created.code() == Errc::exists) continue;
    if (!created.ok()) return created.error();
    Lock lock(mutex_);
    active_ = next_id_++;
    Segment segment;
    segment.file = *created;
    segment.bytes = kIndexFrameBytes;
    segment.used = ++turn_;
    used_bytes_ += segment.bytes;
    segments_.emplace(active_, std::move(segment));
    return created;
  }
  return Error{Errc::exists, options_.directory + ": all names for a new segment are taken"};
}

void DiskCache::publish(const Batch& batch, uint64_t at) {
  Lock lock(mutex_);
  const auto segment = segments_.find(active_);
  const bool dropped = batch.generation != generation_ || segment == segments_.end();
  for (const CacheSegment::Outgoing& one : batch.records) {
    if (dropped) break;  // by clear(), together with what was queued
    const CacheRecord& record = one.record;
    at += kCacheRecordBytes;
    if (unqueue(record.key)) {
      index_[record.key] = {active_, static_cast<uint32_t>(at), record.length, record.checksum};
      segment->second.keys.push_back(record.key);
      ++counts_.admitted;
    }
    at += record.length;
  }
  if (segment != segments_.end()) {
    segment->second.bytes += batch.bytes();
    segment->second.used = ++turn_;
    used_bytes_ += batch.bytes();
  }
  room_.notify_all();
}

void DiskCache::give_up(const Batch& batch) {
  Lock lock(mutex_);
  for (const CacheSegment::Outgoing& one : batch.records) {
    if (batch.generation == generation_ && unqueue(one.record.key)) ++counts_.dropped;
  }
  room_.notify_all();
}

void DiskCache::drop_vanished() {
  std::vector<std::pair<uint32_t, std::shared_ptr<CacheSegment>>> all;
  {
    Lock lock(mutex_);
    for (const auto& [id, segment] : segments_) all.emplace_back(id, segment.file);
  }
  for (const auto& [id, file] : all) {
    if (file->named()) continue;
    Lock lock(mutex_);
    const auto found = segments_.find(id);
    if (found == segments_.end()) continue;
    counts_.bad += found->second.keys.size();
    take_out(found);
  }
}

}  // namespace cairn

#include "client/cache/disk_cache.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace cairn {

namespace {

constexpr uint64_t kSegments = 64;  // that the limit is cut into: what goes at once
constexpr uint64_t kMostSegments = 256;
constexpr uint64_t kLeastSegmentBytes = 1u << 20, kMostSegmentBytes = 1u << 30;
constexpr Duration kFirstPause = 1s, kLongestPause = 60s;
constexpr Duration kPatience = 20ms;  // of one admission with a queue that is full
constexpr char kPrefix[] = "segment-";

// segment-<number, 16 hex digits>; 0 for every other name.
uint64_t number_of(const std::string& name) {
  constexpr size_t kLength = sizeof kPrefix - 1;
  uint64_t number = 0;
  if (name.size() != kLength + 16 || !name.starts_with(kPrefix)) return 0;
  const auto [end, error] = std::from_chars(name.data() + kLength, name.data() + name.size(), number, 16);
  return error == std::errc() && end == name.data() + name.size() ? number : 0;
}

}  // namespace

const char* name_of(DiskCacheState state) {
  constexpr const char* kNames[] = {"good", "full", "failed"};
  return kNames[static_cast<size_t>(state)];
}

DiskCache::DiskCache(Disk& disk, Clock& clock, Options options)
    : disk_(disk),
      clock_(clock),
      options_(std::move(options)),
      segment_bytes_(std::clamp(options_.limit_bytes / kSegments, kLeastSegmentBytes, kMostSegmentBytes)),
      admission_(std::min(options_.limit_bytes / kPieceBytes, options_.most_entries)) {}

// --- what was there before ---

Result<std::unique_ptr<DiskCache>> DiskCache::open(Disk& disk, Clock& clock, Options options) {
  if (options.limit_bytes < kLeastBytes)
    return {Errc::invalid, fmt::format("a disk cache of less than {} bytes", kLeastBytes)};
  std::unique_ptr<DiskCache> cache(new DiskCache(disk, clock, std::move(options)));
  TRY(cache->load());
  cache->writer_ = Thread("cairn-cache", [raw_cache = cache.get()] { raw_cache->write_loop(); });
  return cache;
}

Status DiskCache::load() {
  ASSIGN(const std::vector<std::string> names, disk_.list(options_.directory));
  for (const std::string& name : names) {  // sorted: older ones first
    const uint64_t number = number_of(name);
    if (number == 0) continue;
    next_name_ = std::max(next_name_, number + 1);
    load_segment(options_.directory + "/" + name);
  }
  while (true) {
    Lock lock(mutex_);
    if (segments_.empty() || !over_limit(0)) return {};
    const std::string path = evict_one();
    lock.unlock();
    remove_file(path);
  }
}

void DiskCache::load_segment(const std::string& path) {
  Result<CacheSegment::Found> found = CacheSegment::open(disk_, path);
  if (!found.ok()) {
    spdlog::warn("block cache: {} cannot be used: {}", path, found.error().what);
    return;
  }
  Lock lock(mutex_);
  Segment segment;
  const uint32_t id = next_id_++;
  uint64_t at = 0;
  for (const CacheRecord& record : found->records) {
    at += kCacheRecordBytes;
    const Where where{id, static_cast<uint32_t>(at), record.length, record.checksum};
    at += record.length;
    if (record.incarnation != options_.incarnation || at > UINT32_MAX) continue;
    index_[record.key] = where;
    segment.keys.push_back(record.key);
  }
  const bool useful = !segment.keys.empty();
  if (useful) {
    segment.bytes = found->segment->size();
    segment.file = std::move(found->segment);
    segment.used = ++turn_;
    used_bytes_ += segment.bytes;
    segments_.emplace(id, std::move(segment));
  }
  lock.unlock();
  if (!useful) remove_file(path);
}

void DiskCache::remove_file(const std::string& path) {
  const Status removed = disk_.remove(path);
  if (!removed.ok() && removed.code() != Errc::not_found) spdlog::debug("block cache: {}", removed.error().what);
}

void DiskCache::take_out(std::map<uint32_t, Segment>::iterator segment) {
  for (const PieceKey& key : segment->second.keys) {
    const auto found = index_.find(key);
    if (found != index_.end() && found->second.segment == segment->first) index_.erase(found);
  }
  used_bytes_ -= segment->second.bytes;
  segments_.erase(segment);
}

std::string DiskCache::evict_one() {
  const auto oldest = victim();
  std::string path = oldest->second.file->path();
  const size_t before = index_.size();
  take_out(oldest);
  counts_.evicted += before - index_.size();
  return path;
}

// --- reading ---

void DiskCache::used(const PieceKey& key) {
  const bool new_visit = admission_.note(hash_of(key));
  const auto found = index_.find(key);
  if (found == index_.end()) return;
  Segment& segment = segments_.at(found->second.segment);
  segment.used = ++turn_;
  if (new_visit) ++segment.hits;
}

void DiskCache::note_use(ChunkId chunk, uint64_t place, uint64_t from, uint64_t to) {
  Lock lock(mutex_);
  for (uint64_t at = from; at < to; at = piece_end(at, to)) used({chunk, place, static_cast<uint32_t>(at)});
}

bool DiskCache::read(const PieceKey& key, std::span<uint8_t> out) {
  Where where;
  std::shared_ptr<CacheSegment> file;
  {
    Lock lock(mutex_);
    used(key);
    if (const auto queued = queued_.find(key); queued != queued_.end() && queued->second.piece.size() == out.size()) {
      const Queued held = queued->second;
      ++counts_.hits;
      lock.unlock();
      std::memcpy(out.data(), held.piece.data(), out.size());
      return true;
    }
    const auto found = index_.find(key);
    if (found == index_.end() || !reading_.may_try(clock_.now())) {
      ++counts_.misses;
      return false;
    }
    where = found->second;
    file = segments_.at(where.segment).file;
  }
  const Status status = file->read({options_.incarnation, key, where.length, where.checksum}, where.offset, out);
  if (!status.ok()) {
    drop_bad(key, where, status.error());
    return false;
  }
  Lock lock(mutex_);
  ++counts_.hits;
  reading_ = {};
  return true;
}

void DiskCache::drop_bad(const PieceKey& key, const Where& where, const Error& error) {
  bool new_trouble = false;
  {
    Lock lock(mutex_);
    ++counts_.misses;
    ++counts_.bad;
    const auto found = index_.find(key);
    if (found != index_.end() && found->second == where) index_.erase(found);
    if (error.code != Errc::corrupt) new_trouble = reading_.met(clock_.now(), error);
  }
  if (new_trouble) spdlog::warn("block cache: the disk is not read for a while: {}", error.what);
  if (error.code != Errc::corrupt) return;
  if (const auto end = bad_lines_.admit(clock_.now()))
    spdlog::warn("block cache: a piece is fetched from the servers again: {}{}", error.what, *end);
}

// --- admission ---

bool DiskCache::Trouble::met(Instant now, const Error& error) {
  const bool is_new = what.empty();
  pause = is_new ? kFirstPause : std::min<Duration>(pause * 2, kLongestPause);
  what = error.what;
  no_space = error.code == Errc::no_space;
  until = now + pause;
  return is_new;
}

bool DiskCache::over_limit(uint64_t bytes) const {
  return used_bytes_ + bytes > options_.limit_bytes || segments_.size() > kMostSegments ||
         index_.size() + queued_.size() > options_.most_entries;
}

std::map<uint32_t, DiskCache::Segment>::iterator DiskCache::victim() {
  return std::min_element(segments_.begin(), segments_.end(),
                          [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
}

bool DiskCache::worth_it(const PieceKey& key) {
  const auto incumbent = victim();
  if (incumbent == segments_.end()) return true;
  Segment& segment = incumbent->second;
  const auto pieces = static_cast<double>(std::max<size_t>(segment.keys.size(), 1));
  if (admission_.worth_more(hash_of(key), 1 + static_cast<double>(segment.hits) / pieces)) return true;
  // What was loved once must not keep others out for ever.
  if (++segment.refused >= index_.size()) {
    segment.hits /= 2;
    segment.refused = 0;
  }
  return false;
}

bool DiskCache::admit(const PieceKey& key, std::shared_ptr<const void> owner, std::span<const uint8_t> piece,
                      Wish wish) {
  if (piece.empty() || piece.size() > kPieceBytes) return false;
  Lock lock(mutex_);
  const Instant deadline = wish == Wish::must ? Instant::never() : clock_.now() + kPatience;
  const auto refused = [&] { return stopping_ || !writing_.may_try(clock_.now()); };
  if (index_.contains(key) || queued_.contains(key)) return true;
  if (wish == Wish::if_worth && (short_of_space_ || over_limit(queued_bytes_ + piece.size())) && !worth_it(key)) {
    ++counts_.rejected;
    return false;
  }
  while (!refused() && queue_full(piece.size())) {
    if (!room_.wait_until(lock, deadline)) break;
  }
  if (refused() || queue_full(piece.size())) {
    ++counts_.dropped;
    return false;
  }
  if (index_.contains(key) || queued_.contains(key)) return true;
  queued_.emplace(key, Queued{std::move(owner), piece});
  queue_.push_back(key);
  queued_bytes_ += piece.size();
  work_.notify_one();
  return true;
}

bool DiskCache::takes_more() const {
  Lock lock(mutex_);
  return !stopping_ && writing_.may_try(clock_.now()) && queued_bytes_ * 2 <= options_.queue_bytes;
}

bool DiskCache::unqueue(const PieceKey& key) {
  const auto found = queued_.find(key);
  if (found == queued_.end()) return false;
  queued_bytes_ -= found->second.piece.size();
  queued_.erase(found);
  return true;
}

void DiskCache::clear() {
  std::vector<std::string> paths;
  {
    Lock lock(mutex_);
    ++generation_;
    while (!segments_.empty()) {
      paths.push_back(segments_.begin()->second.file->path());
      take_out(segments_.begin());
    }
    queue_.clear();
    queued_.clear();
    queued_bytes_ = 0;
    room_.notify_all();
  }
  for (const std::string& path : paths) remove_file(path);
}

DiskCacheStatus DiskCache::status() const {
  Lock lock(mutex_);
  DiskCacheStatus status = counts_;
  status.limit_bytes = options_.limit_bytes;
  status.used_bytes = used_bytes_;
  status.entries = index_.size();
  status.segments = segments_.size();
  status.queued_bytes = queued_bytes_;
  const Trouble& trouble = reading_.what.empty() ? writing_ : reading_;
  status.trouble = trouble.what;
  if (!trouble.what.empty()) status.state = trouble.no_space ? DiskCacheState::full : DiskCacheState::failed;
  return status;
}

}  // namespace cairn

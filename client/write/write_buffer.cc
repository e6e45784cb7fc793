#include "client/write/write_buffer.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace cairn {

namespace {
constexpr uint64_t kBoundaryUnit = 64 << 10;
constexpr uint32_t kSegmentUnit = kBlockBytes;
}  // namespace

Piece Piece::part(uint64_t from, uint64_t to) const {
  return {from, static_cast<uint32_t>(to - from), segment, static_cast<uint32_t>(at + (from - offset))};
}

void PieceMap::insert(Piece piece) {
  erase(piece.offset, piece.end());
  bytes_ += piece.length;
  auto next = pieces_.upper_bound(piece.offset);
  if (next != pieces_.begin()) {  // continues the piece before it in the same memory?
    Piece& before = std::prev(next)->second;
    if (before.end() == piece.offset && before.segment == piece.segment && before.at + before.length == piece.at) {
      before.length += piece.length;
      return;
    }
  }
  pieces_.emplace_hint(next, piece.offset, std::move(piece));
}

void PieceMap::insert_below(const Piece& piece) {
  uint64_t from = piece.offset;
  for (const Piece& there : within(piece.offset, piece.end())) {
    if (from < there.offset) insert(piece.part(from, there.offset));
    from = there.end();
  }
  if (from < piece.end()) insert(piece.part(from, piece.end()));
}

void PieceMap::erase(uint64_t from, uint64_t to) {
  if (from >= to) return;
  auto it = pieces_.upper_bound(from);
  if (it != pieces_.begin() && std::prev(it)->second.end() > from) --it;
  while (it != pieces_.end() && it->second.offset < to) {
    Piece piece = std::move(it->second);
    it = pieces_.erase(it);
    bytes_ -= piece.length;
    if (piece.offset < from) {
      bytes_ += from - piece.offset;
      pieces_.emplace_hint(it, piece.offset, piece.part(piece.offset, from));
    }
    if (piece.end() > to) {
      bytes_ += piece.end() - to;
      it = pieces_.emplace_hint(it, to, piece.part(to, piece.end()));
      break;
    }
  }
}

std::vector<Piece> PieceMap::within(uint64_t from, uint64_t to) const {
  std::vector<Piece> found;
  if (from >= to) return found;
  auto it = pieces_.upper_bound(from);
  if (it != pieces_.begin() && std::prev(it)->second.end() > from) --it;
  for (; it != pieces_.end() && it->second.offset < to; ++it) {
    const Piece& piece = it->second;
    found.push_back(piece.part(std::max(from, piece.offset), std::min(to, piece.end())));
  }
  return found;
}

bool PieceMap::covers(uint64_t from, uint64_t to) const {
  for (const Piece& piece : within(from, to)) {
    if (piece.offset != from) return false;
    from = piece.end();
  }
  return from >= to;
}

PieceMap PieceMap::split_below(uint64_t cut) {
  PieceMap below;
  while (!pieces_.empty() && pieces_.begin()->second.end() <= cut) {
    auto node = pieces_.extract(pieces_.begin());
    bytes_ -= node.mapped().length;
    below.bytes_ += node.mapped().length;
    below.pieces_.insert(below.pieces_.end(), std::move(node));
  }
  for (const Piece& piece : within(0, cut)) below.insert(piece);  // at most one, which the cut divides
  erase(0, cut);
  return below;
}

void DirtyLayer::write(const std::shared_ptr<BufferBudget>& budget, uint64_t offset, std::span<const uint8_t> data,
                       Time mtime, Instant now) {
  const bool was_empty = empty();
  const bool continues = offset == run_end_ && run_bytes_ > 0;
  if (was_empty) {
    since_ = now;
    pure_stream_ = true;
    boundaries_.clear();
    boundary_base_ = offset;
  } else if (!continues) {
    pure_stream_ = false;
  }
  if (!continues) {
    run_bytes_ = 0;
    open_.reset();
  }
  const uint64_t write_end = offset + data.size();
  while (!data.empty()) {
    if (open_ == nullptr || open_used_ == open_->capacity()) {
      open_ = std::make_shared<Segment>(budget, next_capacity(data.size()));
      open_used_ = 0;
    }
    const uint32_t length = static_cast<uint32_t>(std::min<uint64_t>(data.size(), open_->capacity() - open_used_));
    std::memcpy(open_->data() + open_used_, data.data(), length);
    pieces_.insert({offset, length, open_, open_used_});
    open_used_ += length;
    offset += length;
    run_bytes_ += length;
    data = data.subspan(length);
  }
  run_end_ = write_end;
  size_at_least_ = std::max(size_at_least_, write_end);
  mtime_ = mtime;
  if (pure_stream_) note_boundary(write_end, now);
}

void DirtyLayer::grow(uint64_t size, Time mtime, Instant now) {
  if (empty()) since_ = now;
  size_at_least_ = std::max(size_at_least_, size);
  mtime_ = mtime;
  pure_stream_ = false;
}

// A run's segments double up to 1 MiB, so that their ends fall on the ends of cells.
uint32_t DirtyLayer::next_capacity(uint64_t remaining) const {
  uint64_t wanted = std::bit_floor(std::max<uint64_t>(run_bytes_, 1));
  wanted = std::max(wanted, (remaining + kSegmentUnit - 1) / kSegmentUnit * kSegmentUnit);
  return static_cast<uint32_t>(std::min<uint64_t>(wanted, kMaxSegmentBytes));
}

void DirtyLayer::note_boundary(uint64_t end, Instant now) {
  // In units from the run's start: the first end in a unit is kept, so one at a multiple of the unit is never lost.
  const size_t count = boundaries_.size();
  const auto unit_of = [this](uint64_t offset) { return (offset - boundary_base_) / kBoundaryUnit; };
  if (count >= 2 && unit_of(boundaries_[count - 2].end) == unit_of(end)) {
    boundaries_.back() = {end, now};
  } else {
    boundaries_.push_back({end, now});
  }
}

std::optional<uint64_t> DirtyLayer::stream_cut(uint64_t min_bytes, uint64_t max_bytes, uint64_t stripe_bytes) const {
  if (!pure_stream_ || pieces_.empty()) return std::nullopt;
  const uint64_t start = pieces_.begin_offset();
  std::optional<uint64_t> largest;
  for (auto it = boundaries_.rbegin(); it != boundaries_.rend(); ++it) {
    if (it->end > start + max_bytes) continue;
    if (it->end < start + min_bytes) break;
    if ((it->end - start) % stripe_bytes == 0) return it->end;
    if (!largest) largest = it->end;
  }
  return largest;
}

std::shared_ptr<FlushLayer> DirtyLayer::take() {
  auto layer = std::make_shared<FlushLayer>();
  layer->pieces = std::move(pieces_);
  layer->size_at_least = size_at_least_;
  layer->mtime = mtime_.value_or(Time{});
  layer->since = since_;
  pieces_ = {};
  size_at_least_ = 0;
  mtime_.reset();
  boundaries_.clear();
  pure_stream_ = true;
  open_.reset();
  run_bytes_ = std::min(run_bytes_, layer->pieces.bytes());  // the next line of a synced log gets a small segment again
  return layer;
}

std::shared_ptr<FlushLayer> DirtyLayer::take_below(uint64_t cut) {
  if (pieces_.empty() || cut >= pieces_.end_offset()) return take();
  auto layer = std::make_shared<FlushLayer>();
  layer->pieces = pieces_.split_below(cut);
  layer->size_at_least = cut;
  layer->mtime = mtime_.value_or(Time{});
  layer->since = since_;
  const auto kept =
      std::find_if(boundaries_.begin(), boundaries_.end(), [&](const Boundary& b) { return b.end > cut; });
  if (kept != boundaries_.begin()) since_ = std::prev(kept)->at;
  boundaries_.erase(boundaries_.begin(), kept);
  return layer;
}

void DirtyLayer::put_back(const FlushLayer& layer, std::span<const std::shared_ptr<FlushLayer>> newer) {
  since_ = empty() ? layer.since : std::min(since_, layer.since);
  size_at_least_ = std::max(size_at_least_, layer.size_at_least);
  if (!mtime_) mtime_ = layer.mtime;
  PieceMap older = layer.pieces;
  for (const auto& other : newer) {
    for (const auto& [offset, piece] : other->pieces) older.erase(offset, piece.end());
  }
  for (const auto& [offset, piece] : older) pieces_.insert_below(piece);
  pure_stream_ = false;
}

void DirtyLayer::truncate(uint64_t size) {
  pieces_.erase(size, UINT64_MAX);
  // The new size is the metaserver's by now: only a growth beyond it would have been left to say.
  size_at_least_ = 0;
  if (!pieces_.empty()) size_at_least_ = pieces_.end_offset();
  if (pieces_.empty()) mtime_.reset();
  run_bytes_ = 0;
  open_.reset();
  pure_stream_ = false;
}

void DirtyLayer::clear() {
  (void)take();
  run_bytes_ = 0;
}

}  // namespace cairn

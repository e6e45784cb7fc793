#include "client/write/flush_take.h"

#include <algorithm>
#include <cstring>

namespace cairn {

namespace {

constexpr uint64_t kUnit = 64 << 10;
constexpr uint32_t kMaxExtentsOfUnit = 16;
constexpr uint32_t kFewExtentsOfUnit = 4;  // a finished unit with more is stored again as one

uint64_t down_to(uint64_t offset, uint64_t unit) { return offset / unit * unit; }

// The whole content, if it may live in the inode.
std::optional<std::string> whole_content(const FileState& file, const FlushLayer& layer, uint64_t committed_size,
                                         uint64_t size) {
  if (size > kMaxInlineBytes) return std::nullopt;
  const bool is_inline = file.layout.head() == LayoutCache::Head::inline_data;
  if (!is_inline && committed_size > 0 && !layer.pieces.covers(0, size)) return std::nullopt;
  std::string content(size, '\0');
  if (is_inline)
    content.replace(0, std::min<size_t>(size, file.layout.inline_data()->size()), *file.layout.inline_data(), 0, size);
  for (const auto& [offset, piece] : layer.pieces) {
    std::memcpy(content.data() + offset, piece.data(), piece.length);
  }
  return content;
}

std::optional<uint64_t> append_start(const FileState& file, const FlushLayer& layer, uint64_t committed_size) {
  if (layer.pieces.empty() || committed_size == 0 || layer.pieces.begin_offset() != committed_size) return std::nullopt;
  const uint64_t unit = down_to(committed_size, kUnit);
  const uint64_t first_end = layer.pieces.begin()->second.end();
  const bool finished = first_end >= unit + kUnit && file.tail_extents > kFewExtentsOfUnit;
  if (committed_size > unit && (finished || file.tail_extents > kMaxExtentsOfUnit)) return unit;
  const uint64_t block = down_to(committed_size, kBlockBytes);
  return block < committed_size ? std::optional(block) : std::nullopt;
}

iovec bytes_of(const uint8_t* data, uint64_t length) { return {const_cast<uint8_t*>(data), length}; }

}  // namespace

Taken take(const std::shared_ptr<Inode>& inode, const TakeRule& rule, FlushFile& out) {
  Lock lock(inode->mutex);
  FileState& file = inode->file();
  if (file.dirty.empty()) return Taken::nothing;
  if (file.changing) return Taken::busy;
  if (file.layout.head() == LayoutCache::Head::unknown || inode->attributes.version == 0) return Taken::unknown;
  const bool is_inline = file.layout.head() == LayoutCache::Head::inline_data;
  if (!file.flushing.empty() && (!rule.may_overlap || is_inline || file.flushing.back()->whole_content))
    return Taken::busy;

  const uint64_t size = inode->size();
  const uint64_t committed_size = inode->attributes.size;
  std::optional<uint64_t> cut;
  if (!is_inline && file.dirty.pieces().bytes() > rule.most_bytes)
    cut = file.dirty.stream_cut(rule.stripe_bytes, rule.most_bytes, rule.stripe_bytes);
  out = {};
  out.inode = inode;
  out.generation = inode->attributes.generation;
  out.failures_before = file.failures;
  if (cut && *cut < file.dirty.pieces().end_offset()) {
    out.layer = file.dirty.take_below(*cut);
    out.layer->write_seq = file.taken_seq;  // the newest writes are still dirty
  } else {
    out.layer = file.dirty.take();
    out.layer->write_seq = file.taken_seq = file.write_seq;
  }
  if (file.flushing.empty()) {
    out.inline_data = whole_content(file, *out.layer, committed_size, size);
    out.layer->whole_content = out.inline_data.has_value();
    if (!out.inline_data && is_inline) out.old_inline = file.layout.inline_data();
    if (!out.inline_data && !is_inline && rule.trusted)
      out.rewrite_from = append_start(file, *out.layer, committed_size);
  }
  file.flushing.push_back(out.layer);
  return Taken::yes;
}

void load_rewritten(FlushFile& file, ReadPath& reader) {
  if (!file.rewrite_from) return;
  const uint64_t from = *file.rewrite_from, to = file.layer->pieces.begin_offset();
  {
    Lock lock(file.inode->mutex);
    const FileState& state = file.inode->file();
    if (state.tail != nullptr && state.tail_offset <= from && state.tail_offset + state.tail->size() == to) {
      file.rewritten.assign(state.tail->begin() + static_cast<std::ptrdiff_t>(from - state.tail_offset),
                            state.tail->end());
      return;
    }
  }
  file.rewritten.resize(to - from);
  if (!reader.read_committed(*file.inode, from, file.rewritten).ok()) {
    file.rewritten.clear();  // the bytes stay where they are; only an extent is not saved
    file.rewrite_from.reset();
  }
}

void add_runs(const FlushFile& file, uint32_t index, std::vector<PackRun>& runs) {
  if (file.inline_data) return;
  const size_t first = runs.size();
  const auto add = [&](uint64_t offset, iovec bytes) {
    if (runs.size() > first && runs.back().offset + runs.back().length() == offset) {
      runs.back().bytes.push_back(bytes);
    } else {
      runs.push_back({index, file.inode->id, file.generation, offset, {bytes}});
    }
  };
  const uint64_t old_bytes = file.old_inline ? file.old_inline->size() : 0;
  uint64_t at = 0;
  const auto add_old = [&](uint64_t until) {
    const uint64_t end = std::min(until, old_bytes);
    if (at < end) add(at, bytes_of(reinterpret_cast<const uint8_t*>(file.old_inline->data()) + at, end - at));
  };
  if (!file.rewritten.empty()) add(*file.rewrite_from, bytes_of(file.rewritten.data(), file.rewritten.size()));
  for (const auto& [offset, piece] : file.layer->pieces) {
    add_old(offset);
    add(offset, bytes_of(piece.data(), piece.length));
    at = piece.end();
  }
  add_old(UINT64_MAX);
}

void remember_tail(const FlushFile& file) {
  FileState& state = file.inode->file();
  const PieceMap& pieces = file.layer->pieces;
  const auto give_up = [&] {
    state.tail.reset();
    state.tail_extents = 0;
  };
  if (file.inline_data || pieces.empty() || pieces.end_offset() != file.inode->attributes.size) return give_up();
  const uint64_t end = pieces.end_offset(), first = pieces.begin_offset();
  if (first == 0 || file.inode->open_handles == 0) return give_up();  // not appended to; or not again soon
  const uint64_t from = file.rewritten.empty() ? first : *file.rewrite_from;
  if (end - from > 2 * kUnit || !pieces.covers(first, end)) return give_up();
  const uint64_t unit = down_to(end, kUnit);
  // Extents of the last unit: one more for each flush, but not for one that only filled the last block up.
  const bool new_block = file.rewritten.empty() || down_to(end - 1, kBlockBytes) != down_to(first - 1, kBlockBytes);
  const bool all_of_unit = from <= unit;
  state.tail_extents = all_of_unit ? 1 : state.tail_extents + (new_block ? 1 : 0);
  if (end == unit) return give_up();
  auto tail = std::make_shared<std::vector<uint8_t>>();
  uint64_t tail_offset = std::max(from, unit);
  if (from > unit && state.tail != nullptr && state.tail_offset + state.tail->size() >= from &&
      state.tail_offset <= from && state.tail_offset >= unit) {
    tail->assign(state.tail->begin(), state.tail->begin() + static_cast<std::ptrdiff_t>(from - state.tail_offset));
    tail_offset = state.tail_offset;
  }
  if (!file.rewritten.empty()) {
    const uint64_t skip = std::min<uint64_t>(file.rewritten.size(), unit > from ? unit - from : 0);
    tail->insert(tail->end(), file.rewritten.begin() + static_cast<std::ptrdiff_t>(skip), file.rewritten.end());
  }
  for (const Piece& piece : pieces.within(std::max(first, unit), end))
    tail->insert(tail->end(), piece.data(), piece.data() + piece.length);
  state.tail = std::move(tail);
  state.tail_offset = tail_offset;
}

}  // namespace cairn

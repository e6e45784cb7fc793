#include "common/tasks/sorted_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/base/checksum.h"

namespace cairn::tasks {
namespace {

constexpr uint64_t kBlockHead = 8;
constexpr uint64_t kMergeBytes = 64u << 20, kMostPiece = 1u << 20;

uint64_t prefix_of(std::string_view key) {
  uint64_t prefix = 0;
  for (size_t i = 0; i < 8; ++i) prefix = prefix << 8 | (i < key.size() ? static_cast<uint8_t>(key[i]) : 0u);
  return prefix;
}

uint32_t piece_bytes(size_t runs) {
  const uint64_t piece = std::clamp<uint64_t>(kMergeBytes / std::max<size_t>(runs, 1), kRunBlock, kMostPiece);
  return static_cast<uint32_t>(piece / kRunBlock * kRunBlock);
}

}  // namespace

// Cuts what is put into blocks.
class SortedRuns::BlockWriter {
 public:
  explicit BlockWriter(RunStore& store) : store_(store) {}
  Status put(std::string_view bytes) {
    constexpr size_t kRoom = kRunBlock - kBlockHead;
    while (!bytes.empty()) {
      const size_t taken = std::min(bytes.size(), kRoom - block_.size());
      block_ += bytes.substr(0, taken);
      bytes.remove_prefix(taken);
      if (block_.size() == kRoom) TRY(end_block());
    }
    return {};
  }
  Status end() {
    if (!block_.empty()) TRY(end_block());
    return out_.empty() ? Status{} : store_.append(std::exchange(out_, {}));
  }

 private:
  Status end_block() {
    ByteWriter head;
    head.u32(static_cast<uint32_t>(block_.size())).u32(crc32c(bytes_of(block_)));
    out_ += head.view();
    out_ += block_;
    block_.clear();
    if (out_.size() < kMostPiece) return {};
    const Status status = store_.append(out_);
    out_.clear();
    return status;
  }

  RunStore& store_;
  std::string block_, out_;
};

// One run, from its first record to its last.
class SortedRuns::Cursor {
 public:
  Cursor(const SortedRuns& all, const Run& run, uint32_t piece)
      : all_(all), run_(run), piece_(piece), keys_(all.options_.order) {
    // A piece and the beginning of a record: it grows for records that are longer than a block alone.
    known_.reserve(std::min<uint64_t>(piece, run.bytes) + kRunBlock);
  }

  // Goes to the next record. False: there is none.
  Result<bool> next() {
    const size_t place_bytes = all_.by_column() ? 12 : 0;
    ASSIGN(const bool more, want(4));
    if (!more) return false;
    const uint32_t length = ByteReader(rest()).u32();
    if (length > kMaxRecordBytes) return damaged();
    ASSIGN(const bool whole, want(4 + place_bytes + length));
    if (!whole) return damaged();
    ByteReader in(rest().substr(4));
    if (place_bytes > 0) {
      file_ = in.u32();
      offset_ = in.u64();
      if (file_ >= all_.files_.size()) return damaged();
    }
    record_ = rest().substr(4 + place_bytes, length);
    at_ += 4 + place_bytes + length;
    if (keys_.read({file_, offset_, record_}) || !keys_.present()) return damaged();
    return true;
  }
  std::string_view record() const { return record_; }
  std::string_view key() const { return keys_.key(); }
  // Whether its record is to come before that of the other one.
  bool comes_before(const Cursor& other) const {
    const int order = all_.options_.order.compare(key(), other.key());
    return order != 0 ? order < 0 : std::tie(file_, offset_) < std::tie(other.file_, other.offset_);
  }

 private:
  std::string_view rest() const { return std::string_view(known_).substr(at_); }
  Error damaged() const { return {Errc::corrupt, fmt::format("a sorted run of task {} is damaged", run_.origin)}; }
  // Has at least so many bytes of records in known_, if the run has. False: it has ended.
  Result<bool> want(size_t bytes) {
    while (known_.size() - at_ < bytes) {
      if (read_ == run_.bytes) {
        if (known_.size() > at_) return damaged();
        return false;
      }
      known_.erase(0, std::exchange(at_, 0));
      const auto piece = static_cast<uint32_t>(std::min<uint64_t>(piece_, run_.bytes - read_));
      ASSIGN(const std::string blocks, all_.store_->read(run_.origin, run_.offset + read_, piece));
      read_ += piece;
      for (std::string_view left = blocks; !left.empty();) {
        ByteReader head(left);
        const uint32_t size = head.u32(), crc = head.u32();
        if (!head.ok() || size == 0 || size > kRunBlock - kBlockHead || size > left.size() - kBlockHead)
          return damaged();
        const std::string_view block = left.substr(kBlockHead, size);
        if (crc32c(bytes_of(block)) != crc) return damaged();
        known_ += block;
        left.remove_prefix(kBlockHead + size);
      }
    }
    return true;
  }

  const SortedRuns& all_;
  const Run run_;
  const uint32_t piece_;
  RecordKeys keys_;
  std::string known_;  // bytes of records
  size_t at_ = 0;      // in known_: behind the current record
  uint64_t read_ = 0;  // of the run's blocks
  uint32_t file_ = 0;
  uint64_t offset_ = 0;
  std::string_view record_;
};

std::string_view SortedRuns::key_of(const Entry& entry) const {
  return std::string_view(arena_).substr(entry.at, entry.key_bytes);
}

// Of lines the key is the record, which is kept once.
std::string_view SortedRuns::record_of(const Entry& entry) const {
  return std::string_view(arena_).substr(entry.at + (by_column() ? entry.key_bytes : 0), entry.record_bytes);
}

int SortedRuns::compare(const Entry& a, const Entry& b) const {
  if (a.prefix != b.prefix) return (a.prefix < b.prefix) != options_.order.reverse ? -1 : 1;
  return options_.order.compare(key_of(a), key_of(b));
}

void SortedRuns::add(const Record& record, const RecordKeys& keys) {
  if (!failed_.ok()) return;
  entries_.push_back({prefix_of(keys.key()), arena_.size(), static_cast<uint32_t>(keys.key().size()),
                      static_cast<uint32_t>(keys.text().size()), record.file, record.offset});
  if (by_column()) arena_ += keys.key();
  arena_ += keys.text();
  if (arena_.size() + entries_.size() * sizeof(Entry) >= options_.memory_bytes) failed_ = write_run();
}

Status SortedRuns::settle() {
  if (failed_.ok() && !entries_.empty()) failed_ = write_run();
  return failed_;
}

Status SortedRuns::write_run() {
  if (store_ == nullptr) return {Errc::not_supported, "nothing here keeps sorted runs"};
  std::sort(entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) {
    const int order = compare(a, b);
    return order != 0 ? order < 0 : std::tie(a.file, a.offset) < std::tie(b.file, b.offset);
  });
  if (options_.unique) {
    const auto equal = [this](const Entry& a, const Entry& b) { return compare(a, b) == 0; };
    entries_.erase(std::unique(entries_.begin(), entries_.end(), equal), entries_.end());
  }
  Run run{store_->origin(), store_->size(), 0};
  BlockWriter blocks(*store_);
  for (const Entry& entry : entries_) {
    ByteWriter head;
    head.u32(entry.record_bytes);
    if (by_column()) head.u32(entry.file).u64(entry.offset);
    TRY(blocks.put(head.view()));
    TRY(blocks.put(record_of(entry)));
  }
  TRY(blocks.end());
  run.bytes = store_->size() - run.offset;
  runs_.push_back(run);
  entries_.clear();
  arena_.clear();
  return {};
}

void SortedRuns::merge(SortedRuns& other) {
  const Status settled = other.settle();
  if (failed_.ok() && !settled.ok()) failed_ = settled;
  runs_.insert(runs_.end(), other.runs_.begin(), other.runs_.end());
  other.runs_.clear();
}

void SortedRuns::encode(ByteWriter& out) const {
  out.u32(static_cast<uint32_t>(runs_.size()));
  for (const Run& run : runs_) out.u32(run.origin).u64(run.offset).u64(run.bytes);
}

bool SortedRuns::decode(ByteReader& in) {
  constexpr size_t kRunBytes = 20;
  constexpr uint64_t kMost = uint64_t{1} << 48;  // bytes
  for (uint32_t left = in.count(kRunBytes); left > 0; --left) {
    const Run run{in.u32(), in.u64(), in.u64()};
    if (!in.ok() || run.bytes == 0 || run.bytes > kMost || run.offset > kMost) return false;
    runs_.push_back(run);
  }
  return in.ok();
}

Status SortedRuns::each(const std::function<Status(std::string_view record)>& visit) {
  TRY(settle());
  std::string().swap(arena_);
  std::vector<Entry>().swap(entries_);
  if (runs_.size() > kMaxRuns)
    return {Errc::too_big, fmt::format("{} sorted runs are more than the {} that are merged at once; take larger tasks "
                                       "(--task-bytes), or more --memory",
                                       runs_.size(), kMaxRuns)};
  std::vector<std::unique_ptr<Cursor>> heap;
  const auto later = [](const std::unique_ptr<Cursor>& a, const std::unique_ptr<Cursor>& b) {
    return b->comes_before(*a);
  };
  for (const Run& run : runs_) {
    auto cursor = std::make_unique<Cursor>(*this, run, piece_bytes(runs_.size()));
    ASSIGN(const bool some, cursor->next());
    if (some) heap.push_back(std::move(cursor));
  }
  std::make_heap(heap.begin(), heap.end(), later);
  std::string last;
  for (bool first = true; !heap.empty(); first = false) {
    std::pop_heap(heap.begin(), heap.end(), later);
    Cursor& cursor = *heap.back();
    if (!options_.unique || first || cursor.key() != last) TRY(visit(cursor.record()));
    if (options_.unique) last = cursor.key();
    ASSIGN(const bool more, cursor.next());
    if (more) {
      std::push_heap(heap.begin(), heap.end(), later);
    } else {
      heap.pop_back();
    }
  }
  return {};
}

}  // namespace cairn::tasks

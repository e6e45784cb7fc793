#include "tests/sim/sim_file.h"

#include <algorithm>

namespace cairn {
namespace {

constexpr uint64_t kSectorBytes = 512;

std::vector<uint8_t> gather(std::span<const iovec> pieces) {
  std::vector<uint8_t> bytes;
  for (const iovec& piece : pieces) {
    const auto* begin = static_cast<const uint8_t*>(piece.iov_base);
    bytes.insert(bytes.end(), begin, begin + piece.iov_len);
  }
  return bytes;
}

}  // namespace

void FileChange::apply(FileImage& image) const {
  switch (kind) {
    case Kind::write:
      return image.write(offset, bytes);
    case Kind::truncate:
      return image.truncate(length);
    case Kind::punch:
      return image.punch(offset, length);
    case Kind::reserve:
      return image.reserve(offset, length);
  }
}

void FileChange::apply_perhaps(FileImage& image, Random& random) const {
  const uint64_t fate = random.below(3);
  if (fate == 0) return;
  if (fate == 1 || kind != Kind::write) return apply(image);
  for (uint64_t at = offset; at < offset + bytes.size();) {
    const uint64_t end = std::min(offset + bytes.size(), (at / kSectorBytes + 1) * kSectorBytes);
    if (random.one_in(2)) image.write(at, std::span(bytes).subspan(at - offset, end - at));
    at = end;
  }
}

void SimFileNode::make_durable(uint64_t last) {
  std::erase_if(unsynced, [&](const FileChange& change) {
    if (change.sequence > last) return false;
    change.apply(durable);
    return true;
  });
}

void SimFileNode::lose(Random& random) {
  for (const FileChange& change : unsynced) change.apply_perhaps(durable, random);
  unsynced.clear();
}

void SimFileNode::power_cut(Random& random) {
  lose(random);
  seen = durable;
  handles = 0;
}

SimFile::SimFile(SimDisk& disk, std::shared_ptr<SimFileNode> node, std::string path, bool writable)
    : disk_(disk),
      node_(std::move(node)),
      path_(std::move(path)),
      writable_(writable),
      boot_(disk.boots_),
      process_(disk.scheduler_.current_process()) {
  disk_.opened(process_, node_);
}

SimFile::~SimFile() {
  if (of_this_boot()) disk_.closed(process_, node_);
}

Status SimFile::begin(DiskOperation operation, bool changes) {
  if (changes && !writable_) return Error{Errc::io, "write " + path_ + ": opened for reading only"};
  TRY(disk_.delay(operation == DiskOperation::sync ? disk_.options_.longest_sync : disk_.options_.longest_access));
  if (!of_this_boot()) return Error{Errc::io, path_ + ": this handle is from before a power cut"};
  return disk_.fault(operation, path_);
}

Status SimFile::change(FileChange change) {
  const uint64_t before = node_->seen.pages();
  change.sequence = ++disk_.sequence_;
  const bool grows = change.kind == FileChange::Kind::write || change.kind == FileChange::Kind::reserve;
  const uint64_t length = change.kind == FileChange::Kind::write ? change.bytes.size() : change.length;
  if (grows && !disk_.take_pages(node_->seen.new_pages(change.offset, length))) {
    return Error{Errc::no_space, path_ + ": the simulated disk is full"};
  }
  change.apply(node_->seen);
  if (!grows) disk_.give_pages(before - node_->seen.pages());
  node_->unsynced.push_back(std::move(change));
  return {};
}

Result<size_t> SimFile::read_at(uint64_t offset, std::span<uint8_t> into) {
  TRY(begin(DiskOperation::read, false));
  return node_->seen.read(offset, into);
}

Status SimFile::write_at(uint64_t offset, std::span<const iovec> pieces) {
  const std::vector<uint8_t> bytes = gather(pieces);
  TRY(begin(DiskOperation::write, true));
  // In two parts with time between them: a process may be killed in the middle of a write, and a disk fills up in one.
  // They meet at a sector's edge, because a sector is never torn.
  const uint64_t edge = (offset + disk_.random_.below(bytes.size() + 1)) / kSectorBytes * kSectorBytes;
  const size_t first = edge > offset ? edge - offset : 0;
  const auto part = [&](size_t from, size_t to) {
    if (from == to) return Status{};
    return change(
        {.offset = offset + from,
         .bytes = {bytes.begin() + static_cast<ptrdiff_t>(from), bytes.begin() + static_cast<ptrdiff_t>(to)}});
  };
  TRY(part(0, first));
  TRY(begin(DiskOperation::write, true));
  return part(first, bytes.size());
}

Status SimFile::sync_data() {
  const uint64_t last = disk_.sequence_;  // what is written while this sync runs is not part of it
  const Status begun = begin(DiskOperation::sync, false);
  if (!begun.ok()) {
    if (of_this_boot()) node_->lose(disk_.random_);
    return begun;
  }
  node_->make_durable(last);
  return disk_.delay(disk_.options_.longest_access);  // done, but not yet known: a kill may fall between
}

Status SimFile::truncate(uint64_t size) {
  TRY(begin(DiskOperation::write, true));
  return change({.kind = FileChange::Kind::truncate, .length = size});
}

Status SimFile::preallocate(uint64_t offset, uint64_t length) {
  TRY(begin(DiskOperation::write, true));
  return change({.kind = FileChange::Kind::reserve, .offset = offset, .length = length});
}

Status SimFile::punch(uint64_t offset, uint64_t length) {
  TRY(begin(DiskOperation::write, true));
  return change({.kind = FileChange::Kind::punch, .offset = offset, .length = length});
}

Result<uint64_t> SimFile::size() {
  TRY(begin(DiskOperation::read, false));
  return node_->seen.size();
}

Result<uint64_t> SimFile::allocated() {
  TRY(begin(DiskOperation::read, false));
  return node_->seen.pages() * FileImage::kPageBytes;
}

Result<uint64_t> SimFile::next_data(uint64_t offset) {
  TRY(begin(DiskOperation::read, false));
  const auto found = node_->seen.next_data(offset);
  if (!found) return Error{Errc::not_found, "no data behind this offset in " + path_};
  return *found;
}

}  // namespace cairn

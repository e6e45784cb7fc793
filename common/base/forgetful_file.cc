#include "common/base/forgetful_file.h"

#include <algorithm>
#include <cstring>

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

Status write_bytes(File& file, uint64_t offset, std::span<const uint8_t> bytes) {
  const iovec piece{const_cast<uint8_t*>(bytes.data()), bytes.size()};
  return file.write_at(offset, {&piece, 1});
}

}  // namespace

Turns::Turn::Turn(Turns& turns) : turns_(turns) {
  Lock lock(turns_.mutex_);
  turns_.passed_.wait(lock, [this] { return !turns_.taken_; });
  turns_.taken_ = true;
}

Turns::Turn::~Turn() {
  const Lock lock(turns_.mutex_);
  turns_.taken_ = false;
  turns_.passed_.notify_one();
}

Status ForgetfulFile::open_below(Disk& below, bool for_reading_only) {
  if (below_) return {};
  auto opened = below.open(home, OpenMode::read_write);
  // It may be changed through another handle later; where that is not allowed, nobody will.
  if (!opened.ok() && opened.code() != Errc::not_found && for_reading_only) {
    opened = below.open(home, OpenMode::read_only);
  }
  if (!opened.ok()) return opened.error();
  below_ = std::move(*opened);
  return {};
}

Result<size_t> ForgetfulFile::read_at(uint64_t offset, std::span<uint8_t> into) {
  View view;
  Pages pages;  // of this range
  {
    const Lock lock(mutex_);
    view = view_;
    if (!into.empty()) {
      pages.insert(pages_.lower_bound(offset / kPageBytes),
                   pages_.upper_bound((offset + into.size() - 1) / kPageBytes));
    }
  }
  if (!view.dirty) return below_->read_at(offset, into);
  if (offset >= view.size) return size_t{0};
  const size_t length = std::min<uint64_t>(into.size(), view.size - offset);
  size_t got = 0;
  if (offset < view.cut) {
    ASSIGN(got, below_->read_at(offset, into.first(std::min<uint64_t>(length, view.cut - offset))));
  }
  std::fill(into.begin() + static_cast<ptrdiff_t>(got), into.begin() + static_cast<ptrdiff_t>(length), uint8_t{0});
  for (const auto& [number, page] : pages) {
    const uint64_t start = number * kPageBytes;
    const uint64_t from = std::max(start, offset);
    const uint64_t to = std::min(start + kPageBytes, offset + length);
    if (from >= to) continue;
    if (page) {
      std::memcpy(into.data() + (from - offset), page->data() + (from - start), to - from);
    } else {
      std::memset(into.data() + (from - offset), 0, to - from);
    }
  }
  return length;
}

Result<ForgetfulFile::View> ForgetfulFile::view_to_change() {
  {
    const Lock lock(mutex_);
    if (view_.dirty) return view_;
  }
  ASSIGN(const uint64_t size, below_->size());
  return View{.dirty = true, .size = size};
}

// A copy of one page as readers see it.
Result<std::shared_ptr<ForgetfulFile::Page>> ForgetfulFile::load(const View& view, uint64_t number) {
  auto page = std::make_shared<Page>();  // zeros
  if (const auto known = pages_.find(number); known != pages_.end()) {
    if (known->second) *page = *known->second;
    return page;
  }
  const uint64_t start = number * kPageBytes;
  const uint64_t end = std::min({start + kPageBytes, view.size, view.cut});
  if (start < end) {
    ASSIGN(const size_t got, below_->read_at(start, std::span(*page).first(end - start)));
    (void)got;  // what is behind the end stays zero
  }
  return page;
}

void ForgetfulFile::remember(const View& view, const Pages& changed) {
  const Lock lock(mutex_);
  view_ = view;
  for (const auto& [number, page] : changed) pages_[number] = page;
}

Status ForgetfulFile::write_through(uint64_t offset, std::span<const uint8_t> bytes, UnsyncedFate fate) {
  if (!fate.through) return {};
  if (!fate.torn) return write_bytes(*below_, offset, bytes);
  for (uint64_t done = 0; done < bytes.size();) {
    const uint64_t to =
        std::min<uint64_t>(bytes.size(), (offset + done) / kSectorBytes * kSectorBytes + kSectorBytes - offset);
    if (fate.sectors.one_in(2)) TRY(write_bytes(*below_, offset + done, bytes.subspan(done, to - done)));
    done = to;
  }
  return {};
}

Status ForgetfulFile::write_at(uint64_t offset, std::span<const iovec> pieces, UnsyncedFate fate) {
  const std::vector<uint8_t> bytes = gather(pieces);
  const Turns::Turn turn(changes_);
  ASSIGN(View view, view_to_change());
  if (bytes.empty()) return {};
  // A full disk says so now, as the page cache of a real one does, and not at the sync.
  TRY(below_->preallocate(offset, bytes.size()));
  Pages changed;
  for (uint64_t done = 0; done < bytes.size();) {
    const uint64_t number = (offset + done) / kPageBytes;
    const uint64_t within = (offset + done) % kPageBytes;
    const uint64_t n = std::min<uint64_t>(bytes.size() - done, kPageBytes - within);
    ASSIGN(const std::shared_ptr<Page> page, n == kPageBytes ? std::make_shared<Page>() : load(view, number));
    std::memcpy(page->data() + within, bytes.data() + done, n);
    changed[number] = page;
    done += n;
  }
  view.size = std::max<uint64_t>(view.size, offset + bytes.size());
  TRY(write_through(offset, bytes, fate));
  remember(view, changed);
  return {};
}

Status ForgetfulFile::truncate(uint64_t size, UnsyncedFate fate) {
  const Turns::Turn turn(changes_);
  ASSIGN(View view, view_to_change());
  Pages edge;
  if (size < view.size) {
    if (size % kPageBytes != 0) {
      ASSIGN(const std::shared_ptr<Page> page, load(view, size / kPageBytes));
      std::fill(page->begin() + static_cast<ptrdiff_t>(size % kPageBytes), page->end(), uint8_t{0});
      edge[size / kPageBytes] = page;
    }
    view.cut = std::min(view.cut, size);
  }
  view.size = size;
  remember(view, edge);
  {
    const Lock lock(mutex_);
    pages_.erase(pages_.lower_bound((size + kPageBytes - 1) / kPageBytes), pages_.end());
  }
  return fate.through ? below_->truncate(size) : Status{};
}

Status ForgetfulFile::punch(uint64_t offset, uint64_t length, UnsyncedFate fate) {
  const Turns::Turn turn(changes_);
  ASSIGN(const View view, view_to_change());
  const uint64_t end = std::min(offset + length, (view.size + kPageBytes - 1) / kPageBytes * kPageBytes);
  Pages changed;
  for (uint64_t at = offset; at < end;) {
    const uint64_t number = at / kPageBytes;
    const uint64_t to = std::min(end, (number + 1) * kPageBytes);
    if (to - at == kPageBytes) {
      changed[number] = nullptr;
    } else {
      ASSIGN(const std::shared_ptr<Page> page, load(view, number));
      std::fill(page->begin() + static_cast<ptrdiff_t>(at % kPageBytes),
                page->begin() + static_cast<ptrdiff_t>(to - number * kPageBytes), uint8_t{0});
      changed[number] = page;
    }
    at = to;
  }
  if (!changed.empty()) remember(view, changed);
  return fate.through ? below_->punch(offset, length) : Status{};
}

// A run of neighbouring pages at a time.
Status ForgetfulFile::bring_pages(uint64_t size) {
  constexpr size_t kMaxRun = 256;
  for (auto first = pages_.begin(); first != pages_.end();) {
    std::vector<iovec> run;
    auto next = first;
    uint64_t length = 0;
    while (next != pages_.end() && next->first == first->first + run.size() && !next->second == !first->second &&
           run.size() < kMaxRun) {
      const uint64_t n = std::min(kPageBytes, size - next->first * kPageBytes);
      run.push_back({next->second ? const_cast<uint8_t*>(next->second->data()) : nullptr, n});
      length += n;
      ++next;
    }
    const uint64_t offset = first->first * kPageBytes;
    if (first->second) {
      TRY(below_->write_at(offset, run));
    } else {
      TRY(below_->punch(offset, run.size() * kPageBytes));
    }
    first = next;
  }
  return {};
}

Status ForgetfulFile::bring_below() {
  const Turns::Turn turn(changes_);
  View view;
  {
    const Lock lock(mutex_);
    view = view_;
  }
  if (!view.dirty) return {};
  ASSIGN(uint64_t size, below_->size());
  if (view.cut < size) TRY(below_->truncate(view.cut));
  TRY(bring_pages(view.size));
  ASSIGN(size, below_->size());
  if (size != view.size) TRY(below_->truncate(view.size));
  const Lock lock(mutex_);
  view_ = View{};
  pages_.clear();
  return {};
}

Status ForgetfulFile::sync_data() {
  TRY(bring_below());
  return below_->sync_data();
}

Result<uint64_t> ForgetfulFile::size() {
  {
    const Lock lock(mutex_);
    if (view_.dirty) return view_.size;
  }
  return below_->size();
}

Result<uint64_t> ForgetfulFile::allocated() {
  std::vector<uint64_t> holes;
  {
    const Lock lock(mutex_);
    for (const auto& [number, page] : pages_) {
      if (!page) holes.push_back(number * kPageBytes);
    }
  }
  ASSIGN(uint64_t bytes, below_->allocated());  // with what is not synced: writes preallocate
  for (const uint64_t hole : holes) {
    const auto data = below_->next_data(hole);
    if (!data.ok() && data.code() != Errc::not_found) return data.error();
    if (data.ok() && *data == hole) bytes -= std::min(bytes, kPageBytes);
  }
  return bytes;
}

Result<uint64_t> ForgetfulFile::next_data(uint64_t offset) {
  View view;
  Pages pages;
  {
    const Lock lock(mutex_);
    view = view_;
    pages.insert(pages_.lower_bound(offset / kPageBytes), pages_.end());
  }
  if (!view.dirty) return below_->next_data(offset);
  uint64_t found = kNoCut;
  for (const auto& [number, page] : pages) {
    if (page) {
      found = std::max(offset, number * kPageBytes);
      break;
    }
  }
  for (uint64_t at = offset; at < std::min({found, view.size, view.cut});) {
    const auto below = below_->next_data(at);
    if (!below.ok() && below.code() != Errc::not_found) return below.error();
    if (!below.ok() || *below >= view.cut) break;
    if (!pages.contains(*below / kPageBytes)) {
      found = std::min(found, *below);
      break;
    }
    at = (*below / kPageBytes + 1) * kPageBytes;  // known here as a hole, or as the data found above
  }
  if (found >= view.size) return Error{Errc::not_found, "no data behind this offset"};
  return found;
}

int ForgetfulFile::descriptor() const { return dirty() ? -1 : below_->descriptor(); }

bool ForgetfulFile::dirty() const {
  const Lock lock(mutex_);
  return view_.dirty;
}

}  // namespace cairn

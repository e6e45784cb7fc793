#include "tests/sim/file_image.h"

#include <algorithm>
#include <cstring>

namespace cairn {

uint64_t FileImage::new_pages(uint64_t offset, uint64_t length) const {
  if (length == 0) return 0;
  uint64_t added = 0;
  for (uint64_t page = offset / kPageBytes; page <= (offset + length - 1) / kPageBytes; ++page) {
    if (!pages_.contains(page) && !reserved_.contains(page)) ++added;
  }
  return added;
}

size_t FileImage::read(uint64_t offset, std::span<uint8_t> into) const {
  if (offset >= size_) return 0;
  const size_t length = std::min<uint64_t>(into.size(), size_ - offset);
  std::fill_n(into.begin(), length, uint8_t{0});
  for (auto page = pages_.lower_bound(offset / kPageBytes); page != pages_.end(); ++page) {
    const uint64_t start = page->first * kPageBytes;
    if (start >= offset + length) break;
    const uint64_t from = std::max(start, offset);
    const uint64_t to = std::min(start + kPageBytes, offset + length);
    std::memcpy(into.data() + (from - offset), page->second.data() + (from - start), to - from);
  }
  return length;
}

void FileImage::write(uint64_t offset, std::span<const uint8_t> bytes) {
  if (bytes.empty()) return;
  size_ = std::max(size_, offset + bytes.size());
  while (!bytes.empty()) {
    const uint64_t number = offset / kPageBytes;
    const uint64_t within = offset % kPageBytes;
    const size_t n = std::min<uint64_t>(bytes.size(), kPageBytes - within);
    reserved_.erase(number);
    std::memcpy(pages_[number].data() + within, bytes.data(), n);
    offset += n;
    bytes = bytes.subspan(n);
  }
}

void FileImage::truncate(uint64_t size) {
  if (size < size_) {
    punch(size, size_ - size);
    pages_.erase(pages_.lower_bound((size + kPageBytes - 1) / kPageBytes), pages_.end());
    reserved_.erase(reserved_.lower_bound((size + kPageBytes - 1) / kPageBytes), reserved_.end());
  }
  size_ = size;
}

void FileImage::zero(uint64_t begin, uint64_t end) {
  const auto page = pages_.find(begin / kPageBytes);
  if (page == pages_.end()) return;
  std::memset(page->second.data() + begin % kPageBytes, 0, end - begin);
}

void FileImage::punch(uint64_t offset, uint64_t length) {
  const uint64_t end = offset + length;
  const uint64_t first_whole = (offset + kPageBytes - 1) / kPageBytes;
  const uint64_t end_whole = end / kPageBytes;
  if (first_whole > end_whole) return zero(offset, end);  // inside one page
  if (offset < first_whole * kPageBytes) zero(offset, first_whole * kPageBytes);
  pages_.erase(pages_.lower_bound(first_whole), pages_.lower_bound(end_whole));
  reserved_.erase(reserved_.lower_bound(first_whole), reserved_.lower_bound(end_whole));
  if (end > end_whole * kPageBytes) zero(end_whole * kPageBytes, end);
}

void FileImage::reserve(uint64_t offset, uint64_t length) {
  if (length == 0) return;
  for (uint64_t page = offset / kPageBytes; page <= (offset + length - 1) / kPageBytes; ++page) {
    if (!pages_.contains(page)) reserved_.insert(page);
  }
}

std::optional<uint64_t> FileImage::next_data(uint64_t offset) const {
  if (offset >= size_) return std::nullopt;
  const auto page = pages_.lower_bound(offset / kPageBytes);
  if (page == pages_.end()) return std::nullopt;
  const uint64_t found = std::max(offset, page->first * kPageBytes);
  return found < size_ ? std::optional(found) : std::nullopt;
}

bool FileImage::flip_bit(uint64_t offset, uint32_t bit) {
  const auto page = pages_.find(offset / kPageBytes);
  if (offset >= size_ || page == pages_.end()) return false;
  page->second[offset % kPageBytes] ^= static_cast<uint8_t>(1u << (bit % 8));
  return true;
}

}  // namespace cairn

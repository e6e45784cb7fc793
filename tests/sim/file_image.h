// The bytes of one simulated file: pages and holes. Pure; sim_disk.h keeps two of them for each file, what a reader
// sees and what a power cut leaves.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>

namespace cairn {

class FileImage {
 public:
  static constexpr uint64_t kPageBytes = 4096;

  uint64_t size() const { return size_; }
  uint64_t pages() const { return pages_.size() + reserved_.size(); }
  // How many pages a write or reservation of this range would add.
  uint64_t new_pages(uint64_t offset, uint64_t length) const;

  size_t read(uint64_t offset, std::span<uint8_t> into) const;
  void write(uint64_t offset, std::span<const uint8_t> bytes);
  void truncate(uint64_t size);
  void punch(uint64_t offset, uint64_t length);
  void reserve(uint64_t offset, uint64_t length);
  std::optional<uint64_t> next_data(uint64_t offset) const;
  bool flip_bit(uint64_t offset, uint32_t bit);  // false in a hole or behind the end

 private:
  using Page = std::array<uint8_t, kPageBytes>;
  void zero(uint64_t begin, uint64_t end);  // within one page

  uint64_t size_ = 0;
  std::map<uint64_t, Page> pages_;  // by page number
  std::set<uint64_t> reserved_;     // preallocated and not written
};

}  // namespace cairn

#include "client/inodes/directory_listing.h"

#include <sys/stat.h>

#include <algorithm>

namespace cairn {

namespace {
constexpr uint64_t kFirstCookie = 3;  // of an entry; "." and ".." are before it
static_assert(kMaxNameBytes <= UINT8_MAX);
}  // namespace

void DirectoryListing::add(uint64_t after_cookie, const DirectoryPage& page) {
  if (whole_) return;
  const bool first = after_cookie < kFirstCookie;
  if (!first && (rows_.empty() || rows_.back().cookie != after_cookie)) return;
  if (first) *this = {};
  begun_ = true;
  parent_ = page.parent;
  for (const Entry& entry : page.entries) {
    rows_.push_back({entry.cookie, entry.attributes.inode, static_cast<uint32_t>(names_.size()),
                     static_cast<uint16_t>(entry.attributes.mode & S_IFMT), static_cast<uint8_t>(entry.name.size())});
    names_ += entry.name;
  }
  whole_ = page.complete;
  if (!whole_) return;
  rows_.shrink_to_fit();
  names_.shrink_to_fit();
}

std::optional<DirectoryPage> DirectoryListing::page(InodeId directory, uint64_t after_cookie, uint32_t limit) const {
  if (!whole_) return std::nullopt;
  DirectoryPage page;
  page.parent = parent_;
  const auto from = std::ranges::upper_bound(rows_, after_cookie, {}, &Row::cookie);
  const auto to = from + std::min<std::ptrdiff_t>(limit, rows_.end() - from);
  page.entries.reserve(static_cast<size_t>(to - from));
  for (auto row = from; row != to; ++row) {
    Entry& entry = page.entries.emplace_back();
    entry.parent = directory;
    entry.name = names_.substr(row->name_at, row->name_bytes);
    entry.attributes.inode = row->inode;
    entry.attributes.mode = row->type;
    entry.cookie = row->cookie;
  }
  page.complete = to == rows_.end();
  return page;
}

}  // namespace cairn

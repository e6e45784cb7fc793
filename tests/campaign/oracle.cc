#include "tests/campaign/oracle.h"

#include <fmt/format.h>

#include <algorithm>

namespace cairn {
namespace {

uint8_t at_or_zero(std::span<const uint8_t> bytes, uint64_t at) { return at < bytes.size() ? bytes[at] : uint8_t{0}; }

}  // namespace

void FileModel::apply(const Change& change, Bytes& content) {
  switch (change.kind) {
    case Change::Kind::write:
      if (content.size() < change.offset + change.length) content.resize(change.offset + change.length);
      std::ranges::copy(change.data, content.begin() + static_cast<std::ptrdiff_t>(change.offset));
      return;
    case Change::Kind::truncate:
      content.resize(change.offset);
      return;
    case Change::Kind::zero:
      if (change.may_grow && content.size() < change.offset + change.length)
        content.resize(change.offset + change.length);
      for (uint64_t at = change.offset; at < std::min<uint64_t>(content.size(), change.offset + change.length); ++at) {
        content[at] = 0;
      }
  }
}

void FileModel::add(Change change) {
  apply(change, content_);
  pending_.push_back(std::move(change));
  ++changes_;
}

void FileModel::write(uint64_t offset, Bytes data) {
  const uint64_t length = data.size();
  add({Change::Kind::write, offset, length, std::move(data)});
}

void FileModel::truncate(uint64_t size) { add({Change::Kind::truncate, size, UINT64_MAX - size}); }

void FileModel::zero(uint64_t offset, uint64_t length, bool may_grow) {
  add({Change::Kind::zero, offset, length, {}, may_grow});
}

void FileModel::acknowledge(uint64_t mark) {
  while (changes_ - pending_.size() < mark) {
    apply(pending_.front(), durable_);
    pending_.pop_front();
  }
}

void FileModel::adopt(Bytes seen) {
  content_ = durable_ = std::move(seen);
  pending_.clear();
}

std::optional<std::string> FileModel::objection(std::span<const uint8_t> seen) const {
  if (auto wrong = size_objection(seen.size())) return wrong;
  if (auto wrong = byte_objection(seen)) return wrong;
  return torn_write(seen);
}

std::optional<std::string> FileModel::size_objection(uint64_t size) const {
  if (size == durable_.size()) return {};
  for (const Change& change : pending_) {
    if (size == change.offset + (change.kind == Change::Kind::truncate ? 0 : change.length)) return {};
  }
  return fmt::format("its size is {}; acknowledged were {} bytes, and none of {} later changes gives that size", size,
                     durable_.size(), pending_.size());
}

std::optional<std::string> FileModel::byte_objection(std::span<const uint8_t> seen) const {
  std::vector<bool> explained(seen.size());
  for (uint64_t at = 0; at < seen.size(); ++at) explained[at] = seen[at] == at_or_zero(durable_, at);
  for (const Change& change : pending_) {
    for (uint64_t at = change.offset; at < seen.size() && change.covers(at); ++at) {
      if (seen[at] == change.value(at)) explained[at] = true;
    }
  }
  const auto first = std::ranges::find(explained, false);
  if (first == explained.end()) return {};
  const auto at = static_cast<uint64_t>(first - explained.begin());
  const auto last = explained.size() - 1 -
                    static_cast<size_t>(std::find(explained.rbegin(), explained.rend(), false) - explained.rbegin());
  std::string text = fmt::format(
      "{} bytes from {} to {} are neither acknowledged nor written later; the first is {:#04x}, acknowledged is "
      "{:#04x}",
      std::ranges::count(explained, false), at, last, seen[at], at_or_zero(durable_, at));
  for (const Change& change : pending_) {
    if (change.covers(at))
      text += fmt::format(", a change of [{}, +{}) gives {:#04x}", change.offset, change.length, change.value(at));
  }
  return text;
}

std::optional<std::string> FileModel::torn_write(std::span<const uint8_t> seen) const {
  for (const Change& write : pending_) {
    if (write.kind != Change::Kind::write) continue;
    uint64_t there = 0, missing = 0;
    for (uint64_t at = write.offset; write.covers(at); ++at) {
      if (write.value(at) == at_or_zero(durable_, at)) continue;
      if (std::ranges::any_of(pending_, [&](const Change& other) { return &other != &write && other.covers(at); }))
        continue;
      (at_or_zero(seen, at) == write.value(at) && at < seen.size() ? there : missing) += 1;
    }
    if (there > 0 && missing > 0) {
      return fmt::format("a write of [{}, +{}) is torn: {} of its bytes are there and {} are not", write.offset,
                         write.length, there, missing);
    }
  }
  return {};
}

bool DirectoryModel::agrees(const Names& names, const std::map<std::string, InodeId>& seen) {
  return std::ranges::equal(names, seen, [](const auto& known, const auto& found) {
    return known.first == found.first && (raw(known.second->inode) == 0 || known.second->inode == found.second);
  });
}

bool DirectoryModel::settle(const std::map<std::string, InodeId>& seen) {
  if (after_ && agrees(*after_, seen)) names_ = *after_;
  after_.reset();
  if (!agrees(names_, seen)) return false;
  for (auto& [name, file] : names_) file->inode = seen.at(name);
  return true;
}

}  // namespace cairn

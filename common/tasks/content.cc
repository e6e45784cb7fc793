#include "common/tasks/content.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "common/base/random.h"

namespace cairn::tasks {
namespace {

constexpr uint64_t kPieceBytes = 1u << 20;
constexpr std::string_view kHeader = "id,group,amount,note\n";
constexpr uint64_t kRecordBytes = 34;  // "0000000007,g03,004711.42,9e3779b9\n"
constexpr std::array<std::string_view, 8> kWords = {"cairn", "stone",  "error", "path",
                                                    "river", "summit", "fog",   "warning"};

}  // namespace

Result<ContentKind> parse_content_kind(std::string_view text) {
  if (text == "bytes") return ContentKind::bytes;
  if (text == "text") return ContentKind::text;
  if (text == "csv") return ContentKind::csv;
  return {Errc::invalid, fmt::format("--kind \"{}\": bytes, text or csv is wanted", text)};
}

Content::Content(const ContentOf& of) : of_(of), base_(mix64(of.seed ^ mix64(of.file ^ mix64(of.round)))) {}

std::string_view Content::next() {
  piece_.clear();
  const uint64_t wanted = std::min(kPieceBytes, of_.size - made_);
  if (of_.kind == ContentKind::bytes) add_words(wanted);
  while (piece_.size() < wanted) {
    const uint64_t left = of_.size - made_ - piece_.size();
    of_.kind == ContentKind::text ? add_line(left) : add_record(left);
  }
  made_ += piece_.size();
  return piece_;
}

void Content::add_words(uint64_t bytes) {
  piece_.reserve(bytes + 8);
  while (piece_.size() < bytes) {
    uint64_t word = mix64(base_ + index_++);
    for (int i = 0; i < 8; ++i, word >>= 8) piece_ += static_cast<char>(word & 0xff);
  }
  piece_.resize(bytes);
}

void Content::add_line(uint64_t left) {
  uint64_t bits = mix64(base_ + index_++);
  const uint64_t words = 1 + bits % kWords.size();
  std::string line;
  for (uint64_t i = 0; i < words; ++i) {
    bits >>= 3;
    if (i > 0) line += ' ';
    line += kWords[bits % kWords.size()];
  }
  line.resize(std::min<uint64_t>(line.size(), left - 1));
  piece_ += line + '\n';
}

void Content::add_record(uint64_t left) {
  if (made_ + piece_.size() == 0) {
    piece_ += kHeader;
    return;
  }
  const uint64_t bits = mix64(base_ + index_);
  const uint64_t cents = bits % 100'000'000;
  fmt::format_to(std::back_inserter(piece_), "{:010},g{:02},{:06}.{:02},{:08x}", index_++ % 10'000'000'000,
                 (bits >> 32) % 16, cents / 100, cents % 100, bits >> 32);
  // What is left behind it is too short for one more.
  if (left < 2 * kRecordBytes) piece_.append(left - kRecordBytes, 'x');
  piece_ += '\n';
}

}  // namespace cairn::tasks

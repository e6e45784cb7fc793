// wc: lines, words and bytes of each file, as coreutils' `wc -lwc` counts them in the C locale.
//
// A line is a \n. A word is a longest split of bytes without white space in which something is printable (0x21 ..
// 0x7e); other bytes, as those of UTF-8 beyond ASCII, neither begin nor end one: this is what wc 9.1 does there. The
// summary of a range says what its first and last telling byte is: words that meet at a border are one.
#include <array>

#include "common/tasks/range_partial.h"
#include "common/tasks/registry.h"

namespace cairn::tasks {
namespace {

enum class Kind : uint8_t { other, space, word };

constexpr std::array<Kind, 256> kKinds = [] {
  std::array<Kind, 256> kinds{};
  for (const char byte : {' ', '\t', '\n', '\v', '\f', '\r'}) kinds[static_cast<uint8_t>(byte)] = Kind::space;
  for (int byte = 0x21; byte <= 0x7e; ++byte) kinds[static_cast<size_t>(byte)] = Kind::word;
  return kinds;
}();

struct Counts {
  uint64_t lines = 0, words = 0, bytes = 0;
  Kind first = Kind::other, last = Kind::other;  // other: the range has neither white space nor anything printable

  void add(std::string_view piece) {
    for (const char byte : piece) {
      const Kind kind = kKinds[static_cast<uint8_t>(byte)];
      lines += byte == '\n';
      if (kind == Kind::other) continue;
      words += kind == Kind::word && last != Kind::word;
      if (first == Kind::other) first = kind;
      last = kind;
    }
    bytes += piece.size();
  }
  void close() {}
  Status join(const Counts& right) {
    lines += right.lines;
    bytes += right.bytes;
    words += right.words - (last == Kind::word && right.first == Kind::word ? 1 : 0);
    if (first == Kind::other) first = right.first;
    if (right.last != Kind::other) last = right.last;
    return {};
  }
  void encode(ByteWriter& out) const {
    out.u64(lines).u64(words).u64(bytes).u8(static_cast<uint8_t>(first)).u8(static_cast<uint8_t>(last));
  }
  static std::optional<Counts> decode(ByteReader& in, const RangeAt& where) {
    Counts counts{in.u64(), in.u64(), in.u64()};
    const uint8_t first = in.u8(), last = in.u8();
    const bool fits = counts.bytes == where.end - where.begin && counts.lines <= counts.bytes &&
                      counts.words <= counts.bytes && first <= 2 && last <= 2 && (first == 0) == (last == 0) &&
                      (counts.words > 0 || (first != 2 && last != 2));
    if (!in.ok() || !fits) return std::nullopt;
    counts.first = Kind{first};
    counts.last = Kind{last};
    return counts;
  }
};

class Wc final : public Operator {
 public:
  explicit Wc(const Job& job) : Operator(job) {}
  Needs needs() const override { return {}; }
  std::unique_ptr<Partial> empty() const override {
    return std::make_unique<RangePartial<Counts>>(
        files(), std::vector<std::string>{"file", "lines", "words", "bytes"}, [] { return Counts{}; },
        [](const InputFile& file, const Counts& counts) {
          return std::vector<Value>{file.name, counts.lines, counts.words, counts.bytes};
        });
  }
};

}  // namespace

OperatorInfo wc_operator() {
  return {.name = "wc",
          .summary = "Lines, words and bytes of each file",
          .explains =
              "Counts as coreutils' wc -lwc in the C locale. One row for each file: file,lines,words,bytes.\n"
              "Examples:\n"
              "  cairn task try wc /mnt/cairn/logs/*.log",
          .options = {},
          .needs = [](const Arguments&) { return Needs{}; },
          .make = [](const Job& job) -> Result<std::unique_ptr<Operator>> { return {std::make_unique<Wc>(job)}; }};
}

}  // namespace cairn::tasks

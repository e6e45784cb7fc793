#include "common/tasks/record_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/tasks/record_partial.h"
#include "tests/tasks/cuts.h"

namespace cairn::tasks {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Gives back all records, by file and offset.
class CollectState final : public RecordState {
 public:
  std::optional<Fault> map(const Record& record) override {
    seen_[{record.file, record.offset}] += record.bytes;  // one that came twice would be seen
    return std::nullopt;
  }
  void merge(RecordState& other) override {
    for (const auto& [place, bytes] : static_cast<CollectState&>(other).seen_) seen_[place] += bytes;
  }
  void encode(ByteWriter& out) const override {
    out.u32(static_cast<uint32_t>(seen_.size()));
    for (const auto& [place, bytes] : seen_) out.u32(place.first).u64(place.second).string(bytes);
  }
  bool decode(ByteReader& in) override {
    for (uint32_t left = in.count(16); left > 0; --left) {
      const uint32_t file = in.u32();
      const uint64_t offset = in.u64();
      seen_[{file, offset}] = in.string(kMaxRecordBytes);
    }
    return in.ok();
  }
  Result<Table> finish() override {
    Table table{{"file", "offset", "record"}, {}};
    for (const auto& [place, bytes] : seen_) table.rows.push_back({uint64_t{place.first}, place.second, bytes});
    return table;
  }

 private:
  std::map<std::pair<uint32_t, uint64_t>, std::string> seen_;
};

class Collect final : public Operator {
 public:
  Collect(const std::vector<std::string>& texts, RecordFormat format)
      : Operator(job_of("wc", {}, texts)), format_(format) {}
  Needs needs() const override { return {.quote_states = format_.framing == Framing::csv}; }
  std::unique_ptr<Partial> empty() const override {
    return std::make_unique<RecordPartial>(files(), format_, std::make_unique<CollectState>());
  }

 private:
  const RecordFormat format_;
};

// The definition, byte by byte.
std::string split_by_hand(const std::vector<std::string>& texts, RecordFormat format) {
  Table table{{"file", "offset", "record"}, {}};
  for (uint64_t file = 0; file < texts.size(); ++file) {
    bool inside = false;
    std::string record;
    for (uint64_t at = 0; at < texts[file].size(); ++at) {
      const char byte = texts[file][at];
      record += byte;
      if (byte == '"') inside = !inside;
      const bool ends = format.framing == Framing::fixed
                            ? record.size() == format.record_bytes
                            : byte == '\n' && (format.framing == Framing::lines || !inside);
      if (ends || at + 1 == texts[file].size())
        table.rows.push_back({file, at + 1 - record.size(), std::exchange(record, {})});
    }
  }
  return to_csv(table);
}

std::string random_bytes(Random& random) {
  static constexpr std::string_view kBytes = "ab\"\"\"\n\n\r,\xc3\xa9";
  std::string out;
  for (uint64_t left = random.below(60); left > 0; --left) {
    out += random.one_in(6) ? std::string_view("\r\n") : kBytes.substr(random.below(kBytes.size()), 1);
  }
  return out;
}

TEST(RecordSplitterTest, AnyCutInAnyOrderGivesTheRecordsOfTheWhole) {
  for (uint64_t seed = 1; seed <= 1500; ++seed) {
    Random random(seed);
    const RecordFormat format{Framing{static_cast<uint8_t>(seed % 3)}, static_cast<uint32_t>(1 + random.below(7))};
    const std::vector<std::string> texts = {random_bytes(random), random_bytes(random)};
    const Collect op(texts, format);
    const std::string by_hand = split_by_hand(texts, format);
    ASSERT_EQ(answer_whole(op, texts), by_hand) << seed;
    const uint64_t mean_split = std::vector<uint64_t>{1, 4, 20}[random.below(3)];
    ASSERT_EQ(answer_cut(op, texts, random, mean_split), by_hand)
        << "seed " << seed << ", splits of about " << mean_split;
  }
}

TEST(RecordSplitterTest, ARunThatIsMappedTwiceOrNotAtAllIsNoticed) {
  const std::vector<std::string> texts = {"one\ntwo\nthree\n"};
  const Collect op(texts, {Framing::lines});
  const auto first = op.empty(), second = op.empty();
  ASSERT_TRUE(map_text(*first, {0, 0, 6}, texts[0], 100).ok());
  EXPECT_THAT(first->finish().error().what, HasSubstr("f0: the bytes from 6 on were not mapped"));
  ASSERT_TRUE(map_text(*second, {0, 5, 14}, texts[0], 100).ok());
  EXPECT_THAT(first->merge(*second).error().what, HasSubstr("mapped twice"));
}

TEST(RecordSplitterTest, AWrongQuoteStateIsRefusedAndNeverGuessed) {
  const std::vector<std::string> texts = {"a,\"x\ny\"\nb,2\n"};
  const Collect op(texts, {Framing::csv});
  for (const bool inside : {false, true}) {
    const auto left = op.empty(), right = op.empty();
    ASSERT_TRUE(map_text(*left, {0, 0, 5}, texts[0], 100).ok());
    ASSERT_TRUE(map_text(*right, {0, 5, texts[0].size(), inside}, texts[0], 100).ok());
    EXPECT_EQ(left->merge(*right).ok(), inside);
  }
}

TEST(RecordSplitterTest, ARunMustLieInItsFileAndHaveItsBytes) {
  const std::vector<std::string> texts = {"one\ntwo\n"};
  const Collect op(texts, {Framing::csv});
  EXPECT_FALSE(map_text(*op.empty(), {1, 0, 1}, texts[0], 9).ok());
  EXPECT_FALSE(map_text(*op.empty(), {0, 0, 9}, texts[0], 9).ok());
  EXPECT_FALSE(map_text(*op.empty(), {0, 0, 4, true}, texts[0], 9).ok());
  const auto nothing = [](uint64_t, uint64_t) -> Result<std::string_view> { return std::string_view{}; };
  EXPECT_THAT(op.empty()->map({0, 2, 5}, nothing).error().what, HasSubstr("f0: offset 2"));
  const auto much = [](uint64_t, uint64_t) -> Result<std::string_view> { return std::string_view("123456"); };
  EXPECT_EQ(op.empty()->map({0, 2, 5}, much).code(), Errc::invalid);
}

TEST(RecordSplitterTest, ARecordBeyondTheBoundIsAnErrorAtItsBeginningForEveryCut) {
  const std::vector<std::string> texts = {"a\n" + std::string(kMaxRecordBytes, 'x') + "\nb\n"};
  const Collect op(texts, {Framing::lines});
  const std::string expected = "error: f0: offset 2: the record that begins here is longer than 16 MiB";
  EXPECT_EQ(answer_whole(op, texts), expected);
  Random random(1);
  EXPECT_EQ(answer_cut(op, {texts[0]}, random, kMaxRecordBytes / 4), expected);
  const std::vector<std::string> fits = {"a\n" + std::string(kMaxRecordBytes - 1, 'x') + "\nb\n"};
  EXPECT_FALSE(answer_whole(Collect(fits, {Framing::lines}), fits).starts_with("error"));
}

TEST(RecordSplitterTest, DamagedAndForeignPartialsAreRefused) {
  const std::vector<std::string> texts = {"one\ntwo\nthree", "four\n"};
  const Collect op(texts, {Framing::lines});
  const auto partial = op.empty();
  ASSERT_TRUE(map_text(*partial, {0, 2, 9}, texts[0], 3).ok());
  const std::string bytes = encode_partial(op, *partial);
  ASSERT_TRUE(decode_partial(op, bytes).ok());
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_EQ(decode_partial(op, bytes.substr(0, size)).code(), Errc::corrupt);
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string flipped = bytes;
    flipped[at] ^= 4;
    EXPECT_FALSE(decode_partial(op, flipped).ok()) << at;
  }
  EXPECT_THAT(decode_partial(Collect({"other"}, {Framing::lines}), bytes).error().what, HasSubstr("another job"));
}

}  // namespace
}  // namespace cairn::tasks

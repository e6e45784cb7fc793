// Operators that work on files: how often, what is counted, what is given, and that any cut and merge gives the same.
#include <gmock/gmock.h>

#include "common/base/checksum.h"
#include "common/tasks/content.h"
#include "common/tasks/per_file.h"
#include "tests/tasks/cuts.h"
#include "tests/tasks/memory_files.h"

namespace cairn::tasks {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<std::string> kTexts = {std::string(100, 'a') + "b", "", "short"};

std::unique_ptr<Operator> make(const std::string& op, const Arguments& arguments,
                               const std::vector<std::string>& texts = kTexts) {
  Result<std::unique_ptr<Operator>> made = make_operator(job_of(op, arguments, texts));
  EXPECT_TRUE(made.ok()) << made.error().what;
  return *std::move(made);
}
std::string refusal(const std::string& op, const Arguments& arguments) {
  const auto made = make_operator(job_of(op, arguments, kTexts));
  return made.ok() ? "" : made.error().what;
}
Split whole(uint32_t file, const std::vector<std::string>& texts = kTexts) { return {file, 0, texts[file].size()}; }
// One file after the other, sent as bytes and merged.
std::string table_of(const Operator& op, MemoryFiles& files, const std::vector<Split>& splits) {
  const auto all = op.empty();
  for (const Split& split : splits) {
    const auto part = op.empty();
    if (const Status done = part->work(split, files); !done.ok()) return "failed: " + done.error().what;
    auto sent = decode_partial(op, encode_partial(op, *part));
    if (!sent.ok()) return "lost: " + sent.error().what;
    if (const Status merged = all->merge(**sent); !merged.ok()) return "refused: " + merged.error().what;
  }
  const auto table = all->finish();
  return table.ok() ? to_csv(*table) : "error: " + table.error().what;
}

TEST(ReadTest, EachFileIsReadAsOftenAsIsSaid) {
  MemoryFiles files(kTexts);
  const auto op = make("read", {{"times", "3,2,0"}, {"partition", "p0*2,p1"}});
  EXPECT_EQ(table_of(*op, files, {{0, 0, 60}, {2, 0, 5}, {0, 60, 101}}),
            "file,partition,reads,writes,bytes,seconds,errors\n"
            "f0,p0,3,0,303,6,0\n"
            "f1,p0,2,0,0,0,0\n"
            "f2,p1,0,0,0,0,0\n");
  EXPECT_EQ(files.reads, 6);
}

TEST(ReadTest, ARoundBeforeIsNotCountedAndColdOnesComeFromTheDisk) {
  MemoryFiles files(kTexts);
  EXPECT_THAT(table_of(*make("read", {{"times", "2"}, {"warm", "true"}}), files, {whole(0), whole(2)}),
              HasSubstr("f0,,2,0,202,2,0\n"));
  EXPECT_EQ(files.reads, 6);
  MemoryFiles cold(kTexts);
  EXPECT_THAT(table_of(*make("read", {{"cold", "true"}}), cold, {whole(0), whole(2)}), HasSubstr("f0,,1,0,101,1,0\n"));
  EXPECT_EQ(cold.cold_reads, 2);
  EXPECT_THAT(refusal("read", {{"cold", "true"}, {"warm", "true"}}), HasSubstr("one of them"));
}

TEST(ReadTest, WhatCannotBeReadIsCountedAndTheRestGoesOn) {
  MemoryFiles files(kTexts);
  files.failing_reads = 2;
  EXPECT_EQ(table_of(*make("read", {{"times", "3"}}), files, {{0, 0, 60}, {0, 60, 101}, whole(2)}),
            "file,partition,reads,writes,bytes,seconds,errors\n"
            "f0,,1,0,183,6,2\n"  // the least of its parts
            "f1,,3,0,0,0,0\n"
            "f2,,3,0,15,3,0\n");
  files.failing_reads = 1;
  files.read_error = Errc::interrupted;
  EXPECT_THAT(table_of(*make("read", {}), files, {whole(0)}), HasSubstr("failed: as the test says"));
}

TEST(ReadTest, PartsThatOverlapOrAreMissingAreErrors) {
  MemoryFiles files(kTexts);
  const auto op = make("read", {});
  EXPECT_THAT(table_of(*op, files, {{0, 0, 60}, {0, 59, 101}}), HasSubstr("refused: f0"));
  EXPECT_THAT(table_of(*op, files, {{0, 0, 60}, whole(2)}), HasSubstr("error: f0: the bytes from 60 on"));
}

TEST(WriteTest, TheLastContentIsGivenAndAllAreSynced) {
  MemoryFiles files(kTexts);
  const auto op = make("write", {{"times", "3,1,0"}, {"seed", "5"}});
  EXPECT_EQ(table_of(*op, files, {whole(0), whole(1), whole(2)}),
            "file,partition,reads,writes,bytes,seconds,errors\n"
            "f0,,0,3,303,3,0\n"
            "f1,,0,1,0,1,0\n"
            "f2,,0,0,0,0,0\n");
  EXPECT_EQ(files.syncs, 4);
  ASSERT_EQ(files.given.size(), 2u);
  EXPECT_EQ(files.given[0].text, Content({ContentKind::bytes, 5, 0, 2, 101}).next());
  EXPECT_EQ(files.given[1].text, "");
  EXPECT_FALSE(files.given[0].reencoded);
}

TEST(WriteTest, AContentThatIsNotWholeIsNotGiven) {
  MemoryFiles files(kTexts);
  files.failing_syncs = 1;
  EXPECT_THAT(table_of(*make("write", {{"times", "2"}, {"size", "9"}}), files, {whole(0), whole(1), whole(2)}),
              HasSubstr("f0,,0,1,9,2,1\n"));
  EXPECT_EQ(files.given.size(), 3u) << "the second time was good";
  MemoryFiles full(kTexts);
  full.failing_syncs = 1;
  EXPECT_THAT(table_of(*make("write", {}), full, {whole(0), whole(1), whole(2)}), HasSubstr("f0,,0,0,0,1,1\n"));
  EXPECT_FALSE(full.given.contains(0));
}

TEST(WriteTest, OneThatWasNotTakenIsAnError) {
  MemoryFiles files(kTexts);
  const auto op = make("write", {});
  const auto partial = op->empty();
  for (const uint32_t file : {0u, 1u, 2u}) ASSERT_TRUE(partial->work(whole(file), files).ok());
  partial->not_taken(2, "f2 is gone");
  EXPECT_THAT(to_csv(*partial->finish()), HasSubstr("f2,,0,1,5,1,1\n"));
}

TEST(GenerateTest, ContentsHaveTheirChecksums) {
  MemoryFiles files(kTexts);
  const auto op = make("generate", {{"size", "3000000,100,0"}, {"kind", "csv"}, {"seed", "9"}});
  const std::string table = table_of(*op, files, {whole(2), whole(0), whole(1)});
  ASSERT_EQ(files.given.size(), 3u);
  std::string expected = "file,bytes,checksum\n";
  for (const auto& [file, given] : files.given)
    expected += fmt::format("f{},{},crc32c:{:08x}\n", file, given.text.size(), crc32c(bytes_of(given.text)));
  EXPECT_EQ(table, expected);
  EXPECT_EQ(files.given[0].text.size(), 3'000'000u);
  EXPECT_THAT(refusal("generate", {{"size", "10"}, {"kind", "csv"}}), HasSubstr("at least 64"));
  EXPECT_THAT(refusal("generate", {}), HasSubstr("needs --size"));
  EXPECT_EQ(op->needs().file_bytes, 3'000'000u);
}

TEST(ContentTest, EachKindHasItsSizeAndFormAndDependsOnAllThatIsSaid) {
  for (const uint64_t size : {0u, 1u, 64u, 65u, 97u, 98u, 131u, 1000u, 2'500'001u}) {
    for (const ContentKind kind : {ContentKind::bytes, ContentKind::text, ContentKind::csv}) {
      if (kind == ContentKind::csv && size == 1) continue;
      std::string text;
      Content content({kind, 1, 2, 3, size});
      for (std::string_view piece = content.next(); !piece.empty(); piece = content.next()) text += piece;
      ASSERT_EQ(text.size(), size) << static_cast<int>(kind);
      if (kind == ContentKind::bytes || size == 0) continue;
      EXPECT_EQ(text.back(), '\n');
      if (kind == ContentKind::text) continue;
      size_t begin = 0;
      for (size_t end = text.find('\n'); end != std::string::npos; begin = end + 1, end = text.find('\n', begin))
        ASSERT_EQ(
            std::count(text.begin() + static_cast<ptrdiff_t>(begin), text.begin() + static_cast<ptrdiff_t>(end), ','),
            3);
    }
  }
  const auto first = [](uint64_t seed, uint64_t file, uint64_t round) {
    return std::string(Content({ContentKind::bytes, seed, file, round, 16}).next());
  };
  EXPECT_NE(first(1, 2, 3), first(0, 2, 3));
  EXPECT_NE(first(1, 2, 3), first(1, 0, 3));
  EXPECT_NE(first(1, 2, 3), first(1, 2, 0));
  EXPECT_EQ(first(1, 2, 3), first(1, 2, 3));
}

TEST(ConvertTest, BytesStayHolesToo) {
  const std::vector<std::string> texts = {std::string(300'000, '\0') + "end", "", "short"};
  MemoryFiles files(texts);
  const auto op = make("convert", {{"policy", "ec(2,1)"}}, texts);
  EXPECT_EQ(table_of(*op, files, {whole(0, texts), whole(1, texts), whole(2, texts)}),
            "file,bytes,from,to,status\n"
            "f0,300003,\"ec(4,2)/256K/host\",\"ec(2,1)\",converted\n"
            "f1,0,\"ec(4,2)/256K/host\",\"ec(2,1)\",converted\n"
            "f2,5,\"ec(4,2)/256K/host\",\"ec(2,1)\",converted\n");
  EXPECT_EQ(files.given[0].text, texts[0]);
  EXPECT_TRUE(files.given[0].reencoded);
  for (const auto& [offset, length] : files.writes[0]) EXPECT_GE(offset, 262'144u) << "zeros are not written";
}

TEST(ConvertTest, AFileThatHasTheClassIsLeftAlone) {
  MemoryFiles files(kTexts);
  files.from = "ec(2,1)";
  const auto op = make("convert", {{"policy", "ec(2,1)"}});
  const auto partial = op->empty();
  for (const uint32_t file : {0u, 1u, 2u}) ASSERT_TRUE(partial->work(whole(file), files).ok());
  EXPECT_THAT(files.given, testing::IsEmpty());
  EXPECT_EQ(files.reads, 0);
  EXPECT_THAT(to_csv(*partial->finish()), HasSubstr("f0,101,\"ec(2,1)\",\"ec(2,1)\",already\n"));
  EXPECT_THAT(refusal("convert", {{"policy", ""}}), HasSubstr("--policy"));
}

TEST(ConvertTest, AFileThatWasChangedIsSaidToBe) {
  MemoryFiles files(kTexts);
  const auto op = make("convert", {{"policy", "ec(2,1)"}});
  const auto partial = op->empty();
  for (const uint32_t file : {0u, 1u, 2u}) ASSERT_TRUE(partial->work(whole(file), files).ok());
  partial->not_taken(1, "f1 was changed");
  EXPECT_THAT(to_csv(*partial->finish()), HasSubstr("f1,0,\"ec(4,2)/256K/host\",\"ec(2,1)\",changed\n"));
}

TEST(FileRowsTest, AFileIsWorkedOnOnce) {
  MemoryFiles files(kTexts);
  const auto op = make("write", {});
  EXPECT_THAT(table_of(*op, files, {whole(0), whole(0)}), HasSubstr("refused: f0: it was worked on twice"));
  EXPECT_THAT(table_of(*op, files, {whole(0), whole(2)}), HasSubstr("error: f1: nothing was done to it"));
  EXPECT_EQ(op->empty()
                ->map(whole(0), [](uint64_t, uint64_t) { return Result<std::string_view>(std::string_view()); })
                .code(),
            Errc::invalid);
  EXPECT_EQ(make("wc", {})->empty()->work(whole(0), files).code(), Errc::invalid);
}

TEST(FileWorkTest, AChangeOfTheBytesOfPartialsNeedsANewVersion) {
  const auto digest = [](const std::string& op_name, const Arguments& arguments) {
    MemoryFiles files(kTexts);
    const auto op = make(op_name, arguments);
    const auto partial = op->empty();
    for (const uint32_t file : {0u, 2u}) EXPECT_TRUE(partial->work(whole(file), files).ok());
    const std::string bytes = encode_partial(*op, *partial);
    return fmt::format("{} {}", bytes.size(), crc32c(bytes_of(std::string_view(bytes).substr(0, bytes.size() - 4))));
  };
  EXPECT_EQ(digest("read", {{"times", "2"}}), "126 43597156");
  EXPECT_EQ(digest("write", {{"times", "2"}}), "94 1645658653");
  EXPECT_EQ(digest("generate", {{"size", "10"}}), "56 787541788");
  EXPECT_EQ(digest("convert", {{"policy", "ec(2,1)"}}), "96 2101176780");
}

TEST(PerFileTest, ListsHaveAValueForEachFile) {
  Job job = job_of("read", {{"times", "10*2,0"}}, kTexts);
  const auto times = PerFile::numbers(job, "times", 0, 10);
  ASSERT_TRUE(times.ok());
  EXPECT_EQ(times->number(0), 10u);
  EXPECT_EQ(times->number(1), 10u);
  EXPECT_EQ(times->number(2), 0u);
  EXPECT_EQ(times->largest(), 10u);
  EXPECT_TRUE(PerFile::numbers(job, "size", 0, 10)->empty());
  for (const char* wrong : {"10*2", "10*0,1,1", "11,1,1", "1,,1", "x", "1*x,1,1", "-1", "", "1*9999999999"}) {
    job.arguments["times"] = wrong;
    EXPECT_EQ(PerFile::numbers(job, "times", 0, 10).code(), Errc::invalid) << wrong;
  }
  EXPECT_EQ(per_file_text({"1", "1", "0", "1"}), "1*2,0*1,1*1");
  EXPECT_EQ(per_file_text({}), "");
}

}  // namespace
}  // namespace cairn::tasks

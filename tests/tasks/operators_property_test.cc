// The promise of every operator: any cut, any sharing, any tree of merges give what the whole files give, errors too.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/tasks/cuts.h"

namespace cairn::tasks {
namespace {

std::string pick(Random& random, const std::vector<std::string>& from) { return from[random.below(from.size())]; }

// Bytes with awkward borders: CRLF, empty lines, UTF-8 and what only looks like it, white space, NULs.
std::string random_text(Random& random, bool) {
  static const std::vector<std::string> kPieces = {"a",
                                                   "b ",
                                                   "foo",
                                                   "\n",
                                                   "\n\n",
                                                   "\r\n",
                                                   "\r",
                                                   " ",
                                                   "\t",
                                                   "\v",
                                                   "é",
                                                   "€",
                                                   "\xf0\x9f\x98\x80",
                                                   "\xc3",
                                                   "\x01",
                                                   std::string(1, '\0'),
                                                   "foo bar\n"};
  std::string out;
  for (uint64_t left = random.below(120); left > 0; --left) out += pick(random, kPieces);
  return out;
}

std::string random_field(Random& random) {
  static const std::vector<std::string> kFields = {
      "1", "-2.5", "1e10", "0.1", "", "3", "\"7\"", " 12 ", "\"\"", "100000000000000000", "1e-9", "0", "-0", "-0.1"};
  return pick(random, kFields);
}

std::string random_label(Random& random) {
  static const std::vector<std::string> kLabels = {
      "x", "", "\"a,b\"", "\"new\nline\"", "\"\"\"\"", "\"he said \"\"no\"\"\"", "\"\r\n\"", "é", "\"\n\n1,2\n\"", "y"};
  return pick(random, kLabels);
}

// Mostly good; rarely one of the things that end a job with an error.
std::string random_csv(Random& random, bool may_fail) {
  const std::string line_end = random.one_in(2) ? "\n" : "\r\n";
  const bool swapped = random.one_in(2);
  std::string out = random.one_in(8) ? "\xef\xbb\xbf" : "";
  out += (swapped ? "label,\"v\"" : "v,label") + line_end;
  for (uint64_t left = random.below(30); left > 0; --left) {
    const std::string value = random_field(random), label = random_label(random);
    out += (swapped ? label + "," + value : value + "," + label) + (left == 1 && random.one_in(2) ? "" : line_end);
    if (random.one_in(15)) out += out.ends_with('\n') ? line_end : "";
    if (may_fail && random.one_in(40))
      out += pick(random, {"5\" disk,x\n", "1,2,3\n", "word,x\n", "1,\xff\n", "\"1\"2,x\n", "1,\"open\n", "a\rb,1\n"});
  }
  return out;
}

// The same, with one header and order of columns in all files.
std::string random_same_csv(Random& random, bool may_fail) {
  while (true) {
    const std::string text = random_csv(random, may_fail);
    if (text.find("v,label") < 4) return text;
  }
}

// Blocks of 512 bytes of a few kinds, one of zeros; the last one may be short.
std::string random_blocks(Random& random, bool) {
  std::string out;
  for (uint64_t left = random.below(12); left > 0; --left) out += std::string(512, "\0ab"[random.below(3)]);
  return out + std::string(random.below(3) * 200, 'a');
}

// Lines in the order of their bytes; rarely one that is not.
std::string random_sorted(Random& random, bool may_fail) {
  std::vector<std::string> lines;
  for (uint64_t left = random.below(30); left > 0; --left)
    lines.push_back(pick(random, {"a", "ab", "b", "b\r", "", "é", "ba", "z"}) + pick(random, {"", "x", "\xff"}));
  std::sort(lines.begin(), lines.end());
  if (may_fail && lines.size() > 1 && random.one_in(6)) std::swap(lines.front(), lines.back());
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  if (!out.empty() && random.one_in(2)) out.pop_back();
  return out;
}

using MakeText = std::string (*)(Random& random, bool may_fail);

struct Case {
  std::string op;
  Arguments arguments;
};

void check(const Case& one, MakeText text, uint64_t seeds, bool may_fail) {
  uint64_t errors = 0;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    Random random(seed);
    std::vector<std::string> texts;
    for (uint64_t left = 1 + random.below(3); left > 0; --left) texts.push_back(text(random, may_fail));
    const auto op = make_operator(job_of(one.op, one.arguments, texts));
    ASSERT_TRUE(op.ok()) << op.error().what;
    const std::string whole = answer_whole(**op, texts);
    errors += whole.starts_with("error");
    ASSERT_FALSE(whole.starts_with("failed")) << whole;
    for (int cut = 0; cut < 3; ++cut) {
      const uint64_t mean_split = std::vector<uint64_t>{1, 3, 40}[random.below(3)];
      ASSERT_EQ(answer_cut(**op, texts, random, mean_split), whole) << one.op << ", seed " << seed << ", cut " << cut;
    }
  }
  EXPECT_TRUE(may_fail ? errors > 0 && errors < seeds : errors == 0) << errors << " of " << seeds;
}

TEST(OperatorsPropertyTest, OfBytes) {
  check({"wc", {}}, random_text, 400, false);
  check({"checksum", {}}, random_text, 400, false);
  check({"checksum", {{"algorithm", "sha256"}}}, random_text, 30, false);
  check({"checksum", {{"algorithm", "xxh3"}}}, random_text, 30, false);
}

TEST(OperatorsPropertyTest, OfBlocks) {
  const Arguments small = {{"block", "512"}};
  check({"dedup-report", small}, random_blocks, 30, false);
  check({"dedup-report", {{"block", "512"}, {"rows", "2"}}}, random_blocks, 30, false);
  check({"dedup-report", {{"block", "700"}, {"files", "true"}}}, random_blocks, 30, false);
}

TEST(OperatorsPropertyTest, OfLines) {
  check({"grep", {{"pattern", "foo|^$|é"}, {"count", "true"}}}, random_text, 300, false);
  check({"grep", {{"pattern", "o+.b"}, {"replace", "true"}}}, random_text, 300, false);
  check({"grep", {{"pattern", "foo"}, {"bytes", "true"}, {"invert", "true"}}}, random_text, 200, true);
  check({"grep", {{"pattern", "foo"}, {"replace", "true"}, {"max-lines", "3"}}}, random_text, 200, true);
}

TEST(OperatorsPropertyTest, OfSortedLines) {
  check({"bsearch", {{"key", "b"}, {"replace", "true"}}}, random_sorted, 200, false);
  check({"bsearch", {{"key", "b"}, {"prefix", "true"}}}, random_sorted, 200, true);
  check({"bsearch", {{"key", "bx"}, {"replace", "true"}, {"max-lines", "2"}}}, random_sorted, 200, true);
}

TEST(OperatorsPropertyTest, OfRuns) {
  check({"sort", {}}, random_text, 200, false);
  check({"sort", {{"unique", "true"}, {"reverse", "true"}}}, random_text, 100, false);
  check({"sort", {{"column", "label"}}}, random_same_csv, 150, false);
  check({"sort", {{"column", "v"}, {"numeric", "true"}, {"reverse", "true"}}}, random_same_csv, 150, false);
  check({"sort", {{"column", "v"}, {"numeric", "true"}, {"unique", "true"}}}, random_same_csv, 150, true);
}

TEST(OperatorsPropertyTest, OfCsv) {
  check({"stats", {{"column", "v"}}}, random_csv, 300, false);
  check({"stats", {{"column", "v"}, {"group-by", "label"}, {"quantiles", "0,0.5,1"}, {"histogram", "0:10:3"}}},
        random_csv, 200, false);
  check({"top", {{"column", "v"}, {"rows", "4"}}}, random_csv, 200, false);
  check({"top", {{"column", "label"}, {"frequent", "true"}, {"rows", "3"}}}, random_csv, 200, false);
}

TEST(OperatorsPropertyTest, OfCsvWithSomethingWrong) {
  check({"stats", {{"column", "v"}, {"group-by", "label"}}}, random_csv, 300, true);
  check({"stats", {{"column", "v"}, {"group-by", "label"}, {"max-groups", "6"}}}, random_csv, 200, true);
  check({"top", {{"column", "v"}, {"smallest", "true"}}}, random_csv, 200, true);
  check({"top", {{"column", "label"}, {"frequent", "true"}, {"max-values", "7"}}}, random_csv, 200, true);
}

}  // namespace
}  // namespace cairn::tasks

// Every target over its seeds and its corpus, in any build: what was once found stays mended.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "common/base/bytes.h"
#include "tests/fuzz/fuzz.h"

namespace cairn::fuzz {
namespace {

class CorpusTest : public testing::TestWithParam<Target> {};

TEST_P(CorpusTest, SeedsAndPastFindingsHold) {
  const Target& target = GetParam();
  for (const std::string& seed : target.seeds()) target.one(bytes_of(seed));
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(CAIRN_CORPUS) / target.name)) {
    files.push_back(entry.path());
  }
  ASSERT_FALSE(files.empty());
  std::sort(files.begin(), files.end());
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    std::printf("%s\n", path.c_str());  // a finding aborts: the last name is its input
    std::fflush(stdout);
    target.one(bytes_of(bytes));
  }
}

INSTANTIATE_TEST_SUITE_P(Fuzz, CorpusTest, testing::ValuesIn(targets()),
                         [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace cairn::fuzz

#include "common/tasks/partition.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "common/base/random.h"

namespace cairn::tasks {
namespace {

using testing::ElementsAre;
using Kind = PartitionRule::Kind;

std::vector<PartitionedFile> files_of(const std::vector<uint64_t>& sizes) {
  std::vector<PartitionedFile> files;
  for (const uint64_t bytes : sizes) files.push_back({bytes, 0});
  return files;
}

// By trying every way to cut so many runs.
uint64_t smallest_largest_run(const std::vector<uint64_t>& sizes, size_t from, uint64_t count) {
  uint64_t run = 0, best = UINT64_MAX;
  for (size_t end = from + 1; end <= sizes.size(); ++end) {
    run += sizes[end - 1];
    if (end == sizes.size()) return std::min(best, run);
    if (count > 1) best = std::min(best, std::max(run, smallest_largest_run(sizes, end, count - 1)));
  }
  return best;
}

TEST(PartitionTest, SoManyRunsOfNeighboursAsEvenAsCanBe) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<uint64_t> sizes(1 + random.below(8));
    for (uint64_t& size : sizes) size = random.one_in(4) ? 0 : random.below(100);
    const uint64_t count = 1 + random.below(10);
    const std::vector<uint32_t> parts = partition({Kind::count, count}, files_of(sizes));
    std::map<uint32_t, uint64_t> bytes;
    for (size_t i = 0; i < sizes.size(); ++i) {
      bytes[parts[i]] += sizes[i];
      ASSERT_TRUE(i == 0 ? parts[i] == 0 : parts[i] == parts[i - 1] || parts[i] == parts[i - 1] + 1);
    }
    ASSERT_EQ(bytes.size(), std::min<uint64_t>(count, sizes.size())) << "none is empty while there are files";
    uint64_t largest = 0;
    for (const auto& [part, sum] : bytes) largest = std::max(largest, sum);
    ASSERT_EQ(largest, smallest_largest_run(sizes, 0, count)) << "round " << round;
  }
}

TEST(PartitionTest, BinsHaveAtMostSoManyBytes) {
  EXPECT_THAT(partition({Kind::bytes, 10}, files_of({6, 5, 4, 5, 30, 0})), ElementsAre(0, 1, 0, 1, 2, 2));
  Random random(2);
  for (int round = 0; round < 100; ++round) {
    std::vector<uint64_t> sizes(random.below(50));
    for (uint64_t& size : sizes) size = random.below(120);
    const std::vector<uint32_t> parts = partition({Kind::bytes, 100}, files_of(sizes));
    std::map<uint32_t, std::vector<uint64_t>> bins;
    for (size_t i = 0; i < sizes.size(); ++i) bins[parts[i]].push_back(sizes[i]);
    for (const auto& [part, of_bin] : bins) {
      uint64_t sum = 0;
      for (const uint64_t size : of_bin) sum += size;
      ASSERT_LE(sum, std::max<uint64_t>(100, *std::ranges::max_element(of_bin))) << "or one file alone";
    }
  }
}

TEST(PartitionTest, FilesGoWhereMostOfThemLies) {
  EXPECT_THAT(partition({Kind::locality, 1}, {{5, 7}, {5, 3}, {5, 7}, {0, 0}, {5, 3}}), ElementsAre(0, 1, 0, 2, 1));
  EXPECT_THAT(partition({Kind::locality, 1}, {}), ElementsAre());
}

TEST(PartitionTest, RulesAreTexts) {
  EXPECT_EQ(parse_partition_rule("count:10")->number, 10u);
  EXPECT_EQ(parse_partition_rule("bytes:1G")->number, 1u << 30);
  EXPECT_EQ(parse_partition_rule("locality")->kind, Kind::locality);
  for (const char* wrong :
       {"", "count", "count:0", "count:x", "count:65537", "bytes:0", "bytes:", "near", ":3", "locality:1"})
    EXPECT_EQ(parse_partition_rule(wrong).code(), Errc::invalid) << wrong;
}

}  // namespace
}  // namespace cairn::tasks

#include "metaserver/servers/placement.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "common/base/random.h"

namespace cairn {
namespace {

constexpr uint64_t kGiB = 1u << 30;

Candidate server(uint32_t id, const std::string& host, uint64_t total = 100 * kGiB, uint64_t free = 80 * kGiB) {
  return {.server = ServerId{id},
          .labels = {"s", "r", host, ""},
          .health = Health::up,
          .total_bytes = total,
          .free_bytes = free};
}
std::vector<Candidate> hosts(uint32_t count) {
  std::vector<Candidate> all;
  for (uint32_t i = 1; i <= count; ++i) all.push_back(server(i, "h" + std::to_string(i)));
  return all;
}
const PlacementRequest kDefault{{4, 2}, "host", {}};

TEST(PlacementTest, KeepsItsInvariantsOnRandomTopologies) {
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    Random random(seed);
    std::vector<Candidate> all;
    const uint64_t count = random.between(0, 24);
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t total = random.between(1, 200) * kGiB;
      all.push_back({.server = ServerId{static_cast<uint32_t>(i + 1)},
                     .labels = {"s" + std::to_string(random.below(2)), "r" + std::to_string(random.below(3)),
                                "h" + std::to_string(random.below(10)), std::to_string(random.below(2))},
                     .health = static_cast<Health>(random.one_in(3) ? random.below(5) : 1),
                     .total_bytes = total,
                     .free_bytes = random.one_in(5) ? 0 : random.below(total),
                     .promised_bytes = random.one_in(4) ? random.below(20) * kGiB : 0});
    }
    const char* levels[] = {"site", "rack", "host", "disk"};
    PlacementRequest request{{static_cast<uint8_t>(random.between(1, 8)), static_cast<uint8_t>(random.below(4))},
                             levels[random.below(4)],
                             {}};
    for (uint64_t i = random.below(4); i > 0; --i)
      request.avoid.push_back(ServerId{static_cast<uint32_t>(random.between(1, 24))});

    std::map<ServerId, Candidate> by_id;
    std::set<std::string> usable, preferred;
    const auto takes = [](const Candidate& c) {
      return c.health == Health::up && c.free_bytes > reserve_bytes(c.total_bytes) + c.promised_bytes;
    };
    const auto avoided = [&](ServerId id) {
      return std::find(request.avoid.begin(), request.avoid.end(), id) != request.avoid.end();
    };
    for (const Candidate& c : all) {
      by_id[c.server] = c;
      if (!takes(c)) continue;
      usable.insert(*domain_of(c.labels, request.failure_domain));
      if (!avoided(c.server)) preferred.insert(*domain_of(c.labels, request.failure_domain));
    }
    const uint32_t m = request.policy.m;
    const auto placement = place(all, request, seed);
    if (usable.size() < m + 1) {
      ASSERT_FALSE(placement.ok());
      EXPECT_EQ(placement.code(), Errc::no_space);
      continue;
    }
    ASSERT_TRUE(placement.ok()) << seed << ": " << placement.error().what;
    const bool can_avoid = preferred.size() >= m + 1;
    EXPECT_EQ(placement->code.m, m) << "m is never given up";
    if (can_avoid) {
      EXPECT_EQ(placement->code.d, std::min<size_t>(request.policy.d, preferred.size() - m));
    }
    EXPECT_EQ(placement->servers.size(), placement->code.shards());
    std::set<std::string> used;
    for (const ServerId id : placement->servers) {
      const Candidate& c = by_id.at(id);
      EXPECT_TRUE(takes(c));
      EXPECT_TRUE(used.insert(*domain_of(c.labels, request.failure_domain)).second)
          << "two shards in one failure domain";
      EXPECT_FALSE(can_avoid && avoided(id));
    }
  }
}

TEST(PlacementTest, SpreadsShardsEvenlyOverEqualServers) {
  std::map<ServerId, int> shards, first;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    const auto placement = place(hosts(12), kDefault, seed);
    for (const ServerId id : placement->servers) ++shards[id];
    ++first[placement->servers[0]];
  }
  for (const auto& [id, count] : shards) EXPECT_NEAR(count, 3000 * 6 / 12, 150) << raw(id);
  for (const auto& [id, count] : first) EXPECT_NEAR(count, 250, 75) << "data and parity rotate";
}

// Fills servers of different sizes and fill grades, as grants would: the fractions come together.
TEST(PlacementTest, EvensOutHowFullServersAre) {
  std::vector<Candidate> all;
  for (uint32_t i = 1; i <= 12; ++i) {
    const uint64_t total = (i % 3 + 1) * 1000 * kGiB;
    all.push_back(server(i, "h" + std::to_string(i), total, total * (i <= 6 ? 9 : 5) / 10));
  }
  for (uint64_t seed = 0; seed < 100'000; ++seed) {
    const auto placement = place(all, {{2, 1}, "host", {}}, seed);
    for (const ServerId id : placement->servers) all[raw(id) - 1].free_bytes -= 16u << 20;
  }
  double least = 1, most = 0;
  for (const Candidate& c : all) {
    const double free = static_cast<double>(c.free_bytes) / static_cast<double>(c.total_bytes);
    least = std::min(least, free);
    most = std::max(most, free);
  }
  EXPECT_LT(most - least, 0.25) << "it was 0.4";
}

TEST(PlacementTest, ShortensTheCodeDownToOneDataShard) {
  for (uint32_t count = 3; count <= 6; ++count) {
    const auto placement = place(hosts(count), kDefault, 1);
    ASSERT_TRUE(placement.ok());
    EXPECT_EQ(placement->code, (Code{static_cast<uint8_t>(count - 2), 2}));
  }
  const auto none = place(hosts(2), kDefault, 1);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.code(), Errc::no_space);
  EXPECT_THAT(none.error().what, testing::HasSubstr("at least 3 different hosts"));
}

TEST(PlacementTest, AServerThatJustFailedTheWriterIsLeftOutEvenIfTheCodeGetsShorter) {
  auto request = kDefault;
  request.avoid = {ServerId{1}, ServerId{2}};
  const auto placement = place(hosts(6), request, 3);
  EXPECT_EQ(placement->code, (Code{2, 2}));
  EXPECT_THAT(placement->servers, testing::UnorderedElementsAre(ServerId{3}, ServerId{4}, ServerId{5}, ServerId{6}));
}

TEST(PlacementTest, WhereTooFewAreLeftThoseThatFailedLongestAgoAreTried) {
  auto request = kDefault;
  request.avoid = {ServerId{5}, ServerId{1}, ServerId{6}, ServerId{2}};
  const auto placement = place(hosts(6), request, 3);
  EXPECT_EQ(placement->code, (Code{1, 2}));
  EXPECT_THAT(placement->servers, testing::UnorderedElementsAre(ServerId{2}, ServerId{3}, ServerId{4}));
  request.avoid = {ServerId{5}, ServerId{1}, ServerId{6}, ServerId{2}, ServerId{3}, ServerId{4}};
  EXPECT_THAT(place(hosts(6), request, 3)->servers,
              testing::UnorderedElementsAre(ServerId{2}, ServerId{3}, ServerId{4}));
}

TEST(PlacementTest, LeavesAReserveOnEachServer) {
  EXPECT_EQ(reserve_bytes(10 * kGiB), 256u << 20);
  EXPECT_EQ(reserve_bytes(1000 * kGiB), 20 * kGiB);
  auto all = hosts(3);
  all[0].free_bytes = 2 * kGiB;  // 2 % of 100 GiB
  EXPECT_EQ(place(all, kDefault, 1).code(), Errc::no_space);
}

TEST(PlacementTest, TheSameSeedGivesTheSameAnswer) {
  EXPECT_EQ(place(hosts(9), kDefault, 5)->servers, place(hosts(9), kDefault, 5)->servers);
}

TEST(PlacementTest, RefusesPoliciesAndLevelsThatDoNotExist) {
  EXPECT_EQ(place(hosts(6), {{4, 2}, "planet", {}}, 1).code(), Errc::invalid);
  EXPECT_EQ(place(hosts(6), {{0, 2}, "host", {}}, 1).code(), Errc::invalid);
  EXPECT_EQ(place(hosts(6), {{4, 9}, "host", {}}, 1).code(), Errc::invalid);
}

}  // namespace
}  // namespace cairn

// The pure parts of housekeeping and status: errands, quarantine, redundancy.
#include <gmock/gmock.h>

#include "metaserver/servers/errands.h"
#include "metaserver/servers/quarantine.h"
#include "metaserver/servers/redundancy.h"

namespace cairn {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

const auto everyone = [](ServerId) { return true; };

TEST(ErrandsTest, AnErrandIsDoneWhenEveryServerHasConfirmed) {
  Errands errands;
  errands.add({.kind = Errand::Kind::remove, .chunk = ChunkId{5}}, {ServerId{1}, ServerId{2}, ServerId{3}});
  const auto without_two = [](ServerId server) { return server != ServerId{2}; };
  for (const ErrandCall& call : errands.calls(without_two)) errands.confirm(call);
  EXPECT_THAT(errands.take_done(), IsEmpty()) << "nobody asked server 2";
  EXPECT_THAT(errands.calls(without_two), IsEmpty()) << "the others are not asked again";
  const auto rest = errands.calls(everyone);
  ASSERT_THAT(rest, SizeIs(1));
  EXPECT_EQ(rest[0].server, ServerId{2});
  EXPECT_EQ(rest[0].shard, 1);
  errands.confirm(rest[0]);
  EXPECT_THAT(errands.take_done(), SizeIs(1));
  EXPECT_EQ(errands.size(), 0u);
}

TEST(ErrandsTest, OnlyAnAnswerConfirms) {
  EXPECT_TRUE(confirms({}));
  EXPECT_TRUE(confirms({Errc::not_found, "no such shard"}));
  for (const Errc code : {Errc::unavailable, Errc::timed_out, Errc::io, Errc::invalid, Errc::corrupt})
    EXPECT_FALSE(confirms({code, "?"}));
}

TEST(ErrandsTest, AddingAgainKeepsWhatIsConfirmedUnlessItGrew) {
  Errands errands;
  const Errand punch{.kind = Errand::Kind::punch, .chunk = ChunkId{5}, .place = 4096, .length = 8192};
  errands.add(punch, {ServerId{1}, ServerId{2}});
  errands.confirm(errands.calls(everyone)[0]);
  errands.add(punch, {ServerId{1}, ServerId{2}});
  EXPECT_THAT(errands.calls(everyone), SizeIs(1));
  Errand longer = punch;
  longer.length *= 2;
  errands.add(longer, {ServerId{1}, ServerId{2}});
  EXPECT_THAT(errands.calls(everyone), SizeIs(2));
  errands.confirm({punch, ServerId{1}, 0});
  EXPECT_THAT(errands.calls(everyone), SizeIs(2)) << "a late answer about the shorter one";
  errands.drop(Errand::Kind::punch, ChunkId{5});
  EXPECT_THAT(errands.calls(everyone), IsEmpty());
}

TEST(QuarantineTest, NothingIsOverBeforeThisRunHasWaitedItselfWhateverTheWallClockSays) {
  Quarantine quarantine(10s);
  const Instant start{1'000'000'000};
  constexpr int64_t kWall = 5'000'000'000;
  quarantine.observe(start, kWall);
  quarantine.observe(start + 5s, kWall + 3600'000'000'000);  // the wall clock jumped by an hour
  EXPECT_FALSE(quarantine.died_until(start + 9s));
  EXPECT_EQ(quarantine.died_until(start + 10s), kWall);
  for (int second = 6; second <= 16; ++second)
    quarantine.observe(start + second * 1s, kWall + 3600'000'000'000 + second);
  EXPECT_EQ(quarantine.died_until(start + 16s), kWall + 3600'000'000'000 + 6);
}

ChunkInfo chunk(Code code, uint64_t live, bool sealed) {
  ChunkInfo info;
  info.code = code;
  info.live_bytes = live;
  info.sealed = sealed;
  for (uint32_t i = 1; i <= code.shards(); ++i) info.servers.push_back(ServerId{i});
  return info;
}

TEST(RedundancyTest, CountsOnlyServersThatAreUpAndChunksThatMatter) {
  std::map<ServerId, Health> health;
  for (uint32_t i = 1; i <= 6; ++i) health[ServerId{i}] = Health::up;
  health[ServerId{1}] = Health::suspect;
  health[ServerId{2}] = Health::draining;
  Redundancy sum;
  sum.add(chunk({4, 2}, 100, true), health, 4);
  EXPECT_EQ(sum.missing_shards, 1u) << "a suspect server may have it, and may not";
  EXPECT_EQ(sum.least, 1);
  sum.add(chunk({2, 2}, 100, false), health, 4);
  EXPECT_EQ(sum.shortened_chunks, 1u);
  EXPECT_EQ(sum.missing_shards, 2u);
  sum.add(chunk({4, 2}, 0, true), health, 4);
  EXPECT_EQ(sum.missing_shards, 2u) << "dead";
  sum.add(chunk({4, 2}, 0, false), health, 4);
  EXPECT_EQ(sum.missing_shards, 3u) << "open: something may come into it";
  health[ServerId{3}] = Health::down;
  health.erase(ServerId{4});
  sum.add(chunk({4, 2}, 1, true), health, 4);
  EXPECT_EQ(sum.unreadable_chunks, 1u);
  EXPECT_EQ(sum.least, -1);
}

}  // namespace
}  // namespace cairn

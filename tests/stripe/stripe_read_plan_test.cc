#include "common/stripe/stripe_read_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint32_t kCell = 16384;

class StripeReadPlanTest : public testing::Test {
 protected:
  StripeReadPlan plan(uint32_t position, uint32_t length) {
    StripeReadPlan::Stripe stripe{ChunkId{12}, 40960, {{4, 2}, kCell, 4096, present}, position, length, {}, reluctance};
    for (uint32_t shard = 0; shard < 6; ++shard) stripe.servers.push_back(ServerId{shard + 1});
    return StripeReadPlan(std::move(stripe), now, 50ms, now + 1s);
  }
  static std::vector<uint32_t> shards(const std::vector<StripeReadPlan::Ask>& asks) {
    std::vector<uint32_t> result;
    for (const auto& ask : asks) result.push_back(ask.shard);
    return result;
  }
  Instant now{1'000'000'000};
  uint32_t present = 0b1111;
  std::vector<uint32_t> reluctance{0, 0, 0, 0, 0, 0};
};

TEST_F(StripeReadPlanTest, AsksOnlyForTheBlocksThatAreWanted) {
  auto p = plan(kCell + 5000, 100);
  const auto asks = p.take_asks();
  ASSERT_THAT(shards(asks), ElementsAre(1));
  EXPECT_EQ(asks[0].offset, 4096u);
  EXPECT_EQ(asks[0].length, 4096u);
  EXPECT_THAT(p.take_asks(), IsEmpty());
  p.on_good(0, now);
  EXPECT_TRUE(p.done());
  EXPECT_EQ(p.cells()[0].direct, 0u);
}

TEST_F(StripeReadPlanTest, AFailedCellIsDecodedFromTheSameBlocksOfDOthers) {
  auto p = plan(kCell + 5000, 100);
  p.take_asks();
  p.on_failed(0, {Errc::unavailable, "gone"}, now);
  const auto asks = p.take_asks();
  ASSERT_THAT(shards(asks), ElementsAre(0, 2, 3, 4));
  for (const auto& ask : asks) {
    EXPECT_EQ(ask.offset, 4096u);
    EXPECT_EQ(ask.length, 4096u);
    EXPECT_FALSE(p.done());
    p.on_good(ask.id, now);
  }
  EXPECT_TRUE(p.done());
  EXPECT_THAT(p.cells()[0].sources, ElementsAre(1, 2, 3, 4));
}

TEST_F(StripeReadPlanTest, CellsThatAreReadAnywayServeAsSources) {
  auto p = plan(0, 4 * kCell);
  ASSERT_THAT(shards(p.take_asks()), ElementsAre(0, 1, 2, 3));
  p.on_failed(2, {Errc::corrupt, "bad"}, now);
  ASSERT_THAT(shards(p.take_asks()), ElementsAre(4));
  for (const uint32_t ask : {0, 1, 3, 4}) p.on_good(ask, now);
  EXPECT_TRUE(p.done());
}

TEST_F(StripeReadPlanTest, AnAnswerThatIsTakenLateStillCounts) {
  auto p = plan(0, 4 * kCell);
  p.take_asks();
  now = now + 5s;  // spent elsewhere, for example on connecting to a server that is gone
  p.on_failed(2, {Errc::unavailable, "gone"}, now);
  for (const uint32_t ask : {0, 1, 3}) p.on_good(ask, now);
  EXPECT_FALSE(p.failed());
  p.on_good(p.take_asks().at(0).id, now);
  EXPECT_TRUE(p.done());
  auto silent = plan(0, 4 * kCell);
  silent.take_asks();
  silent.on_tick(now + 5s);
  EXPECT_TRUE(silent.failed());
}

TEST_F(StripeReadPlanTest, AnAskThatIsTooNarrowIsMadeAgainWider) {
  auto p = plan(kCell - 10, 10 + kCell);  // ten bytes of cell 0, all of cell 1
  ASSERT_THAT(shards(p.take_asks()), ElementsAre(0, 1));
  p.on_good(0, now);
  p.on_failed(1, {Errc::unavailable, "gone"}, now);
  const auto asks = p.take_asks();
  ASSERT_THAT(shards(asks), ElementsAre(0, 2, 3, 4));
  EXPECT_EQ(asks[0].length, kCell);
}

TEST_F(StripeReadPlanTest, ALateCellIsHedgedAndMayStillWin) {
  auto p = plan(0, 100);
  p.take_asks();
  EXPECT_EQ(p.next_tick(), now + 50ms);
  p.on_tick(now + 49ms);
  EXPECT_THAT(p.take_asks(), IsEmpty());
  p.on_tick(now + 50ms);
  ASSERT_THAT(shards(p.take_asks()), ElementsAre(1, 2, 3, 4));
  EXPECT_TRUE(p.cells()[0].hedged);
  p.on_good(1, now + 51ms);
  p.on_good(0, now + 52ms);
  EXPECT_TRUE(p.done());
  EXPECT_EQ(p.cells()[0].direct, 0u);
  EXPECT_TRUE(p.pending(2));
}

TEST_F(StripeReadPlanTest, ALateHedgeIsHedgedToo) {
  auto p = plan(0, 100);
  p.take_asks();
  p.on_tick(now + 50ms);
  ASSERT_THAT(shards(p.take_asks()), ElementsAre(1, 2, 3, 4));
  for (const uint32_t ask : {1, 2, 3}) p.on_good(ask, now + 60ms);
  p.on_tick(now + 100ms);
  ASSERT_THAT(shards(p.take_asks()), ElementsAre(5));
  p.on_good(5, now + 110ms);
  EXPECT_TRUE(p.done());
}

TEST_F(StripeReadPlanTest, AServerThatIsKnownToBeBadIsNotAskedFirst) {
  reluctance = {5000, 10, 1200, 0, 30, 20};
  auto p = plan(0, 100);
  EXPECT_THAT(shards(p.take_asks()), ElementsAre(3, 1, 5, 4));
  p.on_failed(1, {Errc::unavailable, "gone"}, now);
  EXPECT_THAT(shards(p.take_asks()), ElementsAre(2));  // the next best
  p.on_failed(4, {Errc::unavailable, "gone"}, now);
  EXPECT_THAT(shards(p.take_asks()), ElementsAre(0));  // at last its own
  p.on_good(5, now);
  EXPECT_TRUE(p.done());
}

TEST_F(StripeReadPlanTest, AbsentCellsAreKnownWithoutAsking) {
  present = 0b0010;
  auto p = plan(kCell, 100);
  ASSERT_THAT(shards(p.take_asks()), ElementsAre(1));
  p.on_failed(0, {Errc::unavailable, "gone"}, now);
  ASSERT_THAT(shards(p.take_asks()), ElementsAre(4));  // three cells of zeros and one parity cell
  p.on_failed(1, {Errc::unavailable, "gone"}, now);
  ASSERT_THAT(shards(p.take_asks()), ElementsAre(5));
  p.on_good(2, now);
  EXPECT_TRUE(p.done());
}

TEST_F(StripeReadPlanTest, TooFewGoodShardsAreNamed) {
  auto p = plan(0, 4 * kCell);
  p.take_asks();
  p.on_failed(0, {Errc::unavailable, "refused"}, now);
  p.on_failed(1, {Errc::corrupt, "block 3"}, now);
  p.take_asks();
  EXPECT_FALSE(p.failed());
  p.on_failed(4, {Errc::timed_out, "slow"}, now);
  ASSERT_TRUE(p.failed());
  EXPECT_EQ(p.failure().code, Errc::io);
  EXPECT_EQ(p.failure().what,
            "chunk 12 place 40960: 3 of 6 shards good, 4 needed: shard 0 on server 1: unavailable: refused; "
            "shard 1 on server 2: corrupt: block 3; shard 4 on server 5: timed_out: slow");
}

TEST_F(StripeReadPlanTest, GivesUpInTheEnd) {
  auto p = plan(0, 100);
  p.take_asks();
  p.on_tick(now + 50ms);
  p.take_asks();
  p.on_tick(now + 100ms);
  p.take_asks();
  EXPECT_FALSE(p.failed());
  p.on_tick(now + 1s);
  ASSERT_TRUE(p.failed());
  EXPECT_THAT(p.failure().what, HasSubstr("shard 0 on server 1: no answer yet"));
}

}  // namespace
}  // namespace cairn

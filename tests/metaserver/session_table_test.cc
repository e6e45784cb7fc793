#include "metaserver/sessions/session_table.h"

#include <gmock/gmock.h>

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr SessionId kOne{1};
constexpr SessionId kTwo{2};
const Instant kStart{1'000'000'000};

// Ticks each second from `from` to `to`, and returns who expired.
std::vector<SessionId> tick_through(SessionTable& table, Instant from, Instant to) {
  std::vector<SessionId> over;
  for (Instant now = from; now <= to; now = now + 1s) {
    for (const SessionId session : table.tick(now)) over.push_back(session);
  }
  return over;
}

TEST(SessionTableTest, ASilentSessionExpiresOnceAndARenewedOneDoesNot) {
  SessionTable table(20s);
  table.add(kOne, {}, kStart);
  table.add(kTwo, {}, kStart);
  EXPECT_THAT(tick_through(table, kStart, kStart + 15s), IsEmpty());
  EXPECT_TRUE(table.renew(kTwo, kStart + 15s).ok());
  EXPECT_THAT(tick_through(table, kStart + 16s, kStart + 30s), ElementsAre(kOne));
  EXPECT_EQ(table.renew(kOne, kStart + 30s).code(), Errc::no_session) << "its end is being logged";
  EXPECT_TRUE(table.check(kTwo).ok());
  table.remove(kOne);
  EXPECT_EQ(table.sessions().size(), 1u);
}

TEST(SessionTableTest, OurOwnSilenceIsNobodysFault) {
  SessionTable table(20s);
  table.add(kOne, {}, kStart);
  EXPECT_THAT(table.tick(kStart + 1s), IsEmpty());
  EXPECT_THAT(table.tick(kStart + 61s), IsEmpty()) << "this process was stopped for a minute";
  EXPECT_TRUE(table.renew(kOne, kStart + 62s).ok());
  EXPECT_THAT(tick_through(table, kStart + 62s, kStart + 90s), ElementsAre(kOne));
}

TEST(SessionTableTest, AnExpiryThatWasNotLoggedIsTriedAgain) {
  SessionTable table(20s);
  table.add(kOne, {}, kStart);
  EXPECT_THAT(tick_through(table, kStart, kStart + 20s), ElementsAre(kOne));
  EXPECT_THAT(table.tick(kStart + 21s), IsEmpty());
  table.retry_expiry(kOne);
  EXPECT_THAT(table.tick(kStart + 22s), ElementsAre(kOne));
}

TEST(SessionTableTest, AddingAgainGivesAFullTtl) {
  SessionTable table(20s);
  table.add(kOne, {}, kStart);
  tick_through(table, kStart, kStart + 18s);
  table.add(kOne, {}, kStart + 18s);
  EXPECT_THAT(tick_through(table, kStart + 19s, kStart + 37s), IsEmpty());
}

TEST(SessionTableTest, UnknownSessionsAreNotThere) {
  SessionTable table(20s);
  EXPECT_EQ(table.check(kOne).code(), Errc::no_session);
  EXPECT_EQ(table.renew(kOne, kStart).code(), Errc::no_session);
  table.remove(kOne);
  table.retry_expiry(kOne);
}

}  // namespace
}  // namespace cairn

#include "metaserver/servers/membership.h"

#include <gmock/gmock.h>

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr ServerId kSeven{7};
constexpr ServerId kNine{9};
const Instant kStart{1'000'000'000};

TEST(MembershipTest, SilentServerIsSuspectedLongBeforeItIsRepaired) {
  Membership members({.suspect_after = 3s, .down_after = 10min});
  EXPECT_THAT(members.on_heartbeat(kSeven, {}, kStart), ElementsAre(Transition{kSeven, Health::up}));
  EXPECT_THAT(members.on_tick(kStart + 2900ms), IsEmpty());
  EXPECT_THAT(members.on_tick(kStart + 3s), ElementsAre(Transition{kSeven, Health::suspect}));
  EXPECT_THAT(members.on_tick(kStart + 9min), IsEmpty());
  EXPECT_THAT(members.on_tick(kStart + 10min), ElementsAre(Transition{kSeven, Health::down}));
}

TEST(MembershipTest, AHeartbeatLeadsBackToUpFromEverywhere) {
  Membership members({});
  members.on_heartbeat(kSeven, {}, kStart);
  members.on_tick(kStart + 5s);
  EXPECT_THAT(members.on_heartbeat(kSeven, {}, kStart + 6s), ElementsAre(Transition{kSeven, Health::up}));
  members.on_tick(kStart + 1h);
  EXPECT_EQ(members.health(kSeven), Health::down);
  EXPECT_THAT(members.on_heartbeat(kSeven, {}, kStart + 2h), ElementsAre(Transition{kSeven, Health::up}));
}

TEST(MembershipTest, AfterARestartServersAreUnknownNotSuspectAndNotDown) {
  Membership members({});
  members.add(kSeven, kStart);
  EXPECT_EQ(members.health(kSeven), Health::unknown);
  EXPECT_THAT(members.on_tick(kStart + 1min), IsEmpty());
  EXPECT_EQ(members.health(kSeven), Health::unknown);
  EXPECT_FALSE(members.find(kSeven)->heard);
  EXPECT_THAT(members.on_tick(kStart + 10min), ElementsAre(Transition{kSeven, Health::down}))
      << "we have listened for long enough ourselves";
}

TEST(MembershipTest, TransitionsAreOrderedByServer) {
  Membership members({});
  members.on_heartbeat(kNine, {}, kStart);
  members.on_heartbeat(kSeven, {}, kStart);
  EXPECT_THAT(members.on_tick(kStart + 4s),
              ElementsAre(Transition{kSeven, Health::suspect}, Transition{kNine, Health::suspect}));
}

TEST(MembershipTest, AddingAKnownServerChangesNothing) {
  Membership members({});
  members.on_heartbeat(kSeven, {.free_bytes = 5}, kStart);
  members.add(kSeven, kStart + 1h);
  EXPECT_EQ(members.health(kSeven), Health::up);
  EXPECT_EQ(members.find(kSeven)->report.free_bytes, 5u);
  EXPECT_EQ(members.health(ServerId{99}), Health::unknown);
}

}  // namespace
}  // namespace cairn

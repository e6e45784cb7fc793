#include "metaserver/sessions/lease_table.h"

#include <gmock/gmock.h>

#include <map>

#include "common/base/random.h"

namespace cairn {
namespace {

using testing::IsEmpty;
using testing::SizeIs;
using Use = LeaseTable::Use;
using Wanted = LeaseTable::Wanted;

constexpr SessionId kA{1}, kB{2}, kC{3};
constexpr InodeId kFile{7};
constexpr Instant kNow{1'000'000'000};

TEST(LeaseTableTest, ManyReadAndAWriterRecallsThemAll) {
  LeaseTable table({});
  EXPECT_TRUE(table.grant_read(kFile, kA, Use::look, kNow));
  EXPECT_TRUE(table.grant_read(kFile, kB, Use::look, kNow));
  const auto ticket = table.claim_write(kFile, kC);
  const auto found = table.obstacles(kFile, kC, Wanted::change, kNow);
  EXPECT_FALSE(found.clear);
  ASSERT_THAT(found.send, SizeIs(2));
  EXPECT_THAT(table.obstacles(kFile, kC, Wanted::change, kNow).send, IsEmpty()) << "each is sent once";
  EXPECT_FALSE(table.grant_read(kFile, kA, Use::look, kNow)) << "while it is being recalled";
  for (const auto& recall : found.send) table.acknowledge(kFile, recall.session, recall.lease.generation, false);
  EXPECT_FALSE(table.grant_read(kFile, kA, Use::look, kNow)) << "while a claim stands";
  EXPECT_TRUE(table.obstacles(kFile, kC, Wanted::change, kNow).clear);
  EXPECT_TRUE(table.grant_write(kFile, kC, ticket, kNow));
}

TEST(LeaseTableTest, AReaderLeavesTheWriterAReadLease) {
  LeaseTable table({});
  EXPECT_TRUE(table.grant_new(kFile, kA, kNow));
  const auto soon = table.obstacles(kFile, kB, Wanted::read, kNow);
  EXPECT_THAT(soon.send, IsEmpty()) << "it has just got it";
  EXPECT_EQ(soon.look_again.ns, (kNow + 1ms).ns);
  const auto later = table.obstacles(kFile, kB, Wanted::read, kNow + 1ms);
  ASSERT_THAT(later.send, SizeIs(1));
  EXPECT_EQ(later.send[0].lease.kind, LeaseKind::write);
  table.acknowledge(kFile, kA, later.send[0].lease.generation, false);
  EXPECT_TRUE(table.grant_read(kFile, kA, Use::look, kNow));
  EXPECT_TRUE(table.grant_read(kFile, kB, Use::look, kNow));
}

TEST(LeaseTableTest, WritersAreServedInTheOrderOfTheirClaims) {
  LeaseTable table({});
  const auto first = table.claim_write(kFile, kA);
  const auto second = table.claim_write(kFile, kB);
  EXPECT_FALSE(table.grant_write(kFile, kB, second, kNow));
  EXPECT_TRUE(table.grant_write(kFile, kA, first, kNow));
  table.end_claim(kFile, first);
  EXPECT_FALSE(table.grant_write(kFile, kB, second, kNow)) << "A has it now";
}

TEST(LeaseTableTest, WhoWasAnsweredIsAskedWhetherItHasTheInodeOpenWhenItsLastNameGoes) {
  LeaseTable table({});
  const auto change = table.claim_change(kFile, kA);
  EXPECT_FALSE(table.grant_read(kFile, kB, Use::look, kNow)) << "no lease, but it may open the file";
  EXPECT_TRUE(table.obstacles(kFile, kA, Wanted::change, kNow).clear);
  const auto asked = table.obstacles(kFile, kA, Wanted::removal, kNow);
  ASSERT_THAT(asked.send, SizeIs(1));
  EXPECT_EQ(asked.send[0].lease.kind, LeaseKind::exclusive);
  table.acknowledge(kFile, kB, asked.send[0].lease.generation, true);
  EXPECT_TRUE(table.obstacles(kFile, kA, Wanted::removal, kNow).clear);
  EXPECT_THAT(table.open_elsewhere(kFile, kA), testing::ElementsAre(kB));
  table.end_claim(kFile, change);
}

TEST(LeaseTableTest, ReclaimingDoesNotTakeAwayWhatWasGrantedMeanwhile) {
  LeaseTable table({});
  EXPECT_TRUE(table.grant_new(kFile, kA, kNow));
  EXPECT_TRUE(table.reclaim(kFile, kA, LeaseKind::read, kNow)) << "told before the grant, heard after it";
  EXPECT_TRUE(table.writes(kFile, kA));
  EXPECT_FALSE(table.reclaim(kFile, kB, LeaseKind::read, kNow));
}

TEST(LeaseTableTest, ASessionWithTooManyIsAskedForSomeAndNeverHasMoreThanTwiceTheBound) {
  LeaseTable table({.most_of_session = 10});
  for (uint64_t i = 1; i <= 40; ++i) table.grant_read(InodeId{i}, kA, Use::look, kNow);
  EXPECT_EQ(table.listed(kA), 20u);
  EXPECT_THAT(table.shed(kA), SizeIs(20));
  EXPECT_THAT(table.shed(kA), IsEmpty()) << "they are under way";
  table.end(kA);
  EXPECT_EQ(table.leases(), 0u);
}

TEST(LeaseTableTest, WhatASessionOpensIsListedAlsoWhereLooksAreNot) {
  LeaseTable table({.most_of_session = 10});
  for (uint64_t i = 1; i <= 20; ++i) table.grant_read(InodeId{i}, kA, Use::look, kNow);
  EXPECT_FALSE(table.grant_read(InodeId{30}, kA, Use::look, kNow));
  EXPECT_TRUE(table.obstacles(InodeId{30}, kB, Wanted::removal, kNow).clear) << "nobody has it open";
  EXPECT_TRUE(table.grant_read(InodeId{30}, kA, Use::open, kNow));
  const auto asked = table.obstacles(InodeId{30}, kB, Wanted::removal, kNow);
  ASSERT_THAT(asked.send, SizeIs(1)) << "it is asked when the last name goes";
  table.acknowledge(InodeId{30}, kA, asked.send[0].lease.generation, true);
  EXPECT_THAT(table.open_elsewhere(InodeId{30}, kB), testing::ElementsAre(kA));
  EXPECT_THAT(table.shed(kA), SizeIs(20)) << "what it said it has open is not asked for";

  for (uint64_t i = 100; !table.full(InodeId{i}, kA); ++i) table.grant_read(InodeId{i}, kA, Use::open, kNow);
  EXPECT_EQ(table.listed(kA), 100u);
  EXPECT_FALSE(table.grant_read(InodeId{1000}, kA, Use::open, kNow));
  EXPECT_FALSE(table.full(InodeId{30}, kA)) << "it is listed already";
  EXPECT_EQ(table.listed(kA), 100u);
}

TEST(LeaseTableTest, AnAnswerToARecallThatCrossesALookSaysNothingOfWhatIsOpenedWithIt) {
  LeaseTable table({});
  table.grant_read(kFile, kB, Use::look, kNow);
  const auto asked = table.obstacles(kFile, kA, Wanted::removal, kNow);
  ASSERT_THAT(asked.send, SizeIs(1));
  EXPECT_FALSE(table.grant_read(kFile, kB, Use::open, kNow)) << "B has said that it is not open, and opens it now";
  table.acknowledge(kFile, kB, asked.send[0].lease.generation, false);
  EXPECT_EQ(table.listed(kB), 1u);
  const auto again = table.obstacles(kFile, kA, Wanted::removal, kNow);
  EXPECT_FALSE(again.clear);
  ASSERT_THAT(again.send, SizeIs(1)) << "it is asked once more";
  table.acknowledge(kFile, kB, again.send[0].lease.generation, true);
  EXPECT_THAT(table.open_elsewhere(kFile, kA), testing::ElementsAre(kB));
}

TEST(LeaseTableTest, AfterARestartOneThatOnlyHasAnInodeOpenDoesNotKeepItsWriterFromNamingIt) {
  for (const bool reader_first : {true, false}) {
    LeaseTable table({});
    if (reader_first) (void)table.reclaim(kFile, kA, LeaseKind::read, kNow);
    EXPECT_TRUE(table.reclaim(kFile, kB, LeaseKind::write, kNow)) << "or what it has buffered is without a lease";
    if (!reader_first) (void)table.reclaim(kFile, kA, LeaseKind::read, kNow);
    EXPECT_EQ(table.leases(), 1u);
    EXPECT_EQ(table.listed(kA), 1u);
    EXPECT_THAT(table.open_elsewhere(kFile, kB), testing::ElementsAre(kA)) << "it did not say that it has it not open";
  }
}

// Sessions as they behave: they claim, get leases, answer recalls late or end. [L1], [L2], [L3] hold after each step.
TEST(LeaseTableTest, NoLeaseEverContradictsAnother) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    LeaseTable table({.write_hold = 0ms});
    struct Seen {
      bool read = false, write = false;
      std::vector<LeaseTable::Recall> recalls;
    };
    std::map<std::pair<InodeId, SessionId>, Seen> seen;  // what each believes to hold
    struct Claim {
      InodeId inode;
      SessionId session;
      LeaseTable::Ticket ticket;
      bool write;
    };
    std::vector<Claim> claims;
    const auto deliver = [&](const std::vector<LeaseTable::Recall>& recalls) {
      for (const auto& recall : recalls) seen[{recall.lease.inode, recall.session}].recalls.push_back(recall);
    };
    const auto claimed_by_another = [&](InodeId inode, SessionId session) {
      return std::ranges::any_of(claims, [&](const Claim& c) { return c.inode == inode && c.session != session; });
    };
    for (int step = 0; step < 300; ++step) {
      const InodeId inode{random.between(1, 3)};
      const SessionId session{random.between(1, 4)};
      Seen& mine = seen[{inode, session}];
      switch (random.below(6)) {
        case 0: {
          const auto found = table.obstacles(inode, session, Wanted::read, kNow);
          deliver(found.send);
          if (!found.clear) break;
          const bool recalled = !mine.recalls.empty();
          const bool leased = table.grant_read(inode, session, Use::look, kNow);
          ASSERT_FALSE(leased && recalled) << "[L2] seed " << seed;
          ASSERT_FALSE(leased && !mine.read && !mine.write && claimed_by_another(inode, session)) << "[L3] " << seed;
          mine.read = mine.read || leased;
          break;
        }
        case 1:
          claims.push_back({inode, session, table.claim_write(inode, session), true});
          break;
        case 2:
          claims.push_back({inode, session, table.claim_change(inode, session), false});
          break;
        case 3: {
          if (claims.empty()) break;
          const size_t at = random.below(claims.size());
          const Claim claim = claims[at];
          const auto found = table.obstacles(claim.inode, claim.session, Wanted::change, kNow);
          deliver(found.send);
          if (!found.clear) break;
          if (claim.write) {
            if (!table.grant_write(claim.inode, claim.session, claim.ticket, kNow)) break;
            seen[{claim.inode, claim.session}].write = true;
          }
          table.end_claim(claim.inode, claim.ticket);
          claims.erase(claims.begin() + static_cast<std::ptrdiff_t>(at));
          break;
        }
        case 4: {
          if (mine.recalls.empty()) break;
          const auto recall = mine.recalls.front();
          mine.recalls.erase(mine.recalls.begin());
          mine.read = recall.lease.kind == LeaseKind::write && (mine.read || mine.write);
          mine.write = false;
          table.acknowledge(inode, session, recall.lease.generation, random.one_in(3));
          break;
        }
        default:
          if (!random.one_in(20)) break;
          table.end(session);
          for (auto& [key, one] : seen) {
            if (key.second == session) one = {};
          }
      }
      for (const auto& [key, one] : seen) {
        if (!one.write) continue;
        for (const auto& [other, its] : seen) {
          ASSERT_FALSE(other.first == key.first && other.second != key.second && (its.read || its.write))
              << "[L1] seed " << seed << ", inode " << raw(key.first);
        }
      }
    }
  }
}

}  // namespace
}  // namespace cairn

#include "metaserver/sessions/lock_table.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>

#include "common/base/random.h"

namespace cairn {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr SessionId kA{1};
constexpr SessionId kB{2};
constexpr SessionId kC{3};
constexpr InodeId kFile{10};
constexpr InodeId kOther{11};

// A table with what its calls said. Each wait has a name of its own.
class Desk {
 public:
  explicit Desk(LockTable::Limits limits = {}) : table(100, limits) {}

  LockOutcome posix(SessionId session, uint64_t owner, LockRange range, LockMode mode, bool wait = false,
                    InodeId inode = kFile) {
    return ask(session, {0, inode, {LockKind::posix, owner}, 7, range, mode, wait, ++name});
  }
  LockOutcome flock(SessionId session, uint64_t owner, LockMode mode, bool wait = false, InodeId inode = kFile) {
    return ask(session, {0, inode, {LockKind::flock, owner}, 7, {}, mode, wait, ++name});
  }
  LockOutcome ask(SessionId session, const LockCall& call) {
    const auto answer = table.acquire(session, call, ended);
    if (!answer.ok()) {
      EXPECT_EQ(answer.code(), Errc::busy);
      return LockOutcome::no_room;
    }
    return answer->outcome;
  }
  // How a wait ended; nothing if it has not.
  std::optional<LockOutcome> end_of(uint64_t waiter) const {
    for (const auto& one : ended) {
      if (one.waiter == waiter) return one.answer.outcome;
    }
    return std::nullopt;
  }

  LockTable table;
  LockTable::Endings ended;
  uint64_t name = 0;
};

constexpr auto kShared = LockMode::shared;
constexpr auto kExclusive = LockMode::exclusive;
constexpr auto kNone = LockMode::none;

TEST(LockTableTest, RangesOfOwnersExcludeEachOtherByteByByteAsInAModel) {
  constexpr uint64_t kBytes = 24;
  constexpr uint64_t kOwners = 4;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    Desk desk;
    std::array<std::array<LockMode, kBytes>, kOwners> model{};
    for (int step = 0; step < 120; ++step) {
      const uint64_t owner = random.below(kOwners);
      const uint64_t first = random.below(kBytes);
      const LockRange range{first, first + random.below(kBytes - first)};
      const auto mode = static_cast<LockMode>(random.below(3));
      bool free = true;
      for (uint64_t other = 0; other < kOwners; ++other) {
        for (uint64_t byte = range.first; byte <= range.last; ++byte)
          free = free && (other == owner || !locks_conflict(mode, model[other][byte]));
      }
      // Half of the owners are of another session: the number alone does not name one.
      const SessionId session = owner < 2 ? kA : kB;
      const LockOutcome outcome = desk.posix(session, owner % 2, range, mode);
      ASSERT_EQ(outcome, free ? LockOutcome::granted : LockOutcome::conflict) << "seed " << seed << " step " << step;
      if (free) std::fill(&model[owner][range.first], &model[owner][range.last] + 1, mode);
      size_t segments = 0;
      for (const auto& bytes : model) {
        for (uint64_t byte = 0; byte < kBytes; ++byte)
          segments += bytes[byte] != kNone && (byte == 0 || bytes[byte - 1] != bytes[byte]) ? 1 : 0;
      }
      const LockPage page = desk.table.list({.inode = kFile, .limit = 1000});
      ASSERT_EQ(page.locks.size(), segments) << "neighbours are one lock; seed " << seed << " step " << step;
      for (const LockInfo& info : page.locks) {
        const uint64_t of = info.lock.owner.id + (info.session == kA ? 0 : 2);
        for (uint64_t byte = info.lock.range.first; byte <= info.lock.range.last; ++byte)
          ASSERT_EQ(model[of][byte], info.lock.mode) << "seed " << seed << " step " << step;
      }
    }
  }
}

// Random waits of owners who do one thing at a time: at each moment no two conflicting locks are held, and when all who
// can release do, everybody gets what it waits for, unless it was told of a deadlock.
TEST(LockTableTest, NobodyWaitsForEverAndNoTwoConflictingLocksAreHeld) {
  constexpr uint64_t kOwners = 6;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    Desk desk;
    std::array<uint64_t, kOwners> waits{};  // the name; 0: none
    uint64_t deadlocks = 0;
    const auto look = [&] {
      for (const auto& one : desk.ended) {
        for (uint64_t& wait : waits) wait = wait == one.waiter ? 0 : wait;
      }
      desk.ended.clear();
      const LockPage page = desk.table.list({.limit = 100'000});
      for (const LockInfo& one : page.locks) {
        for (const LockInfo& other : page.locks) {
          if (one.waiting || other.waiting || one.lock.inode != other.lock.inode ||
              (one.session == other.session && one.lock.owner == other.lock.owner)) {
            continue;
          }
          ASSERT_FALSE(ranges_overlap(one.lock.range, other.lock.range) &&
                       locks_conflict(one.lock.mode, other.lock.mode))
              << "seed " << seed;
        }
      }
    };
    for (int step = 0; step < 200; ++step) {
      const uint64_t owner = random.below(kOwners);
      if (waits[owner] != 0) continue;  // its thread stands still
      const SessionId session{1 + owner % 2};
      const uint64_t first = random.below(6);
      const LockRange range{first, first + random.below(6)};
      const InodeId inode{10 + random.below(2)};
      const auto mode = static_cast<LockMode>(random.below(3));
      const LockOutcome outcome = desk.posix(session, owner, range, mode, mode != kNone, inode);
      if (outcome == LockOutcome::queued) waits[owner] = desk.name;
      deadlocks += outcome == LockOutcome::deadlock ? 1 : 0;
      look();
    }
    for (uint64_t round = 0; round < kOwners; ++round) {
      for (uint64_t owner = 0; owner < kOwners; ++owner) {
        if (waits[owner] != 0) continue;
        for (const InodeId inode : {InodeId{10}, InodeId{11}})
          desk.posix(SessionId{1 + owner % 2}, owner, {}, kNone, false, inode);
        look();
      }
    }
    EXPECT_THAT(waits, testing::Each(0u)) << "seed " << seed;
    EXPECT_THAT(desk.table.list({.limit = 10}).locks, IsEmpty()) << "seed " << seed;
    EXPECT_LT(deadlocks, 200u);
  }
}

TEST(LockTableTest, WaitersAreGrantedInTheirOrderAndReadersTogether) {
  Desk desk;
  EXPECT_EQ(desk.flock(kA, 1, kExclusive), LockOutcome::granted);
  EXPECT_EQ(desk.flock(kA, 2, kShared, true), LockOutcome::queued);
  EXPECT_EQ(desk.flock(kB, 3, kShared, true), LockOutcome::queued);
  EXPECT_EQ(desk.flock(kC, 4, kExclusive, true), LockOutcome::queued);
  EXPECT_EQ(desk.flock(kB, 5, kShared, true), LockOutcome::queued);
  desk.flock(kA, 1, kNone);
  ASSERT_THAT(desk.ended, SizeIs(2));
  EXPECT_EQ(desk.ended[0].waiter, 2u);
  EXPECT_EQ(desk.ended[1].waiter, 3u);
  EXPECT_LT(desk.ended[0].answer.token, desk.ended[1].answer.token) << "tokens ascend";
  EXPECT_EQ(desk.flock(kA, 6, kShared, true), LockOutcome::queued) << "a reader does not overtake a writer that waits";
  EXPECT_EQ(desk.flock(kA, 7, kShared), LockOutcome::granted) << "who does not wait meets only what is held";
  for (const uint64_t owner : {2, 7}) desk.flock(kA, owner, kNone);
  EXPECT_EQ(desk.end_of(4), std::nullopt);
  desk.flock(kB, 3, kNone);
  EXPECT_EQ(desk.end_of(4), LockOutcome::granted);
  EXPECT_EQ(desk.end_of(5), std::nullopt);
}

TEST(LockTableTest, ACircleOfOwnersOverSessionsAndFilesIsADeadlock) {
  Desk desk;
  EXPECT_EQ(desk.posix(kA, 1, {0, 0}, kExclusive), LockOutcome::granted);
  EXPECT_EQ(desk.posix(kB, 1, {1, 1}, kExclusive), LockOutcome::granted);
  EXPECT_EQ(desk.posix(kC, 1, {0, 9}, kExclusive, false, kOther), LockOutcome::granted);
  EXPECT_EQ(desk.posix(kA, 1, {1, 1}, kExclusive, true), LockOutcome::queued);
  EXPECT_EQ(desk.posix(kB, 1, {5, 5}, kShared, true, kOther), LockOutcome::queued);
  EXPECT_EQ(desk.posix(kC, 1, {0, 0}, kShared, true), LockOutcome::deadlock);
  EXPECT_EQ(desk.posix(kC, 1, {0, 0}, kShared), LockOutcome::conflict) << "who does not wait is in no circle";
  desk.posix(kC, 1, {}, kNone, false, kOther);
  EXPECT_THAT(desk.ended, SizeIs(1));
  EXPECT_EQ(desk.flock(kA, 1, kExclusive), LockOutcome::granted) << "flock does not meet fcntl";
}

TEST(LockTableTest, AThreadThatIsGrantedALockMayMakeADeadlockOfAnotherWait) {
  Desk desk;
  desk.posix(kC, 1, {0, 0}, kExclusive);
  desk.posix(kB, 1, {9, 9}, kExclusive);
  EXPECT_EQ(desk.posix(kA, 1, {0, 0}, kExclusive, true), LockOutcome::queued);  // one thread of A
  EXPECT_EQ(desk.posix(kB, 1, {0, 0}, kExclusive, true), LockOutcome::queued);
  const uint64_t of_b = desk.name;
  EXPECT_EQ(desk.posix(kA, 1, {9, 9}, kExclusive, true), LockOutcome::queued);  // another one, for what B holds
  desk.posix(kC, 1, {}, kNone);
  EXPECT_EQ(desk.end_of(of_b), LockOutcome::deadlock);
}

TEST(LockTableTest, TheQueueItselfMakesNoDeadlock) {
  Desk desk;
  desk.posix(kA, 1, {0, 9}, kShared);
  EXPECT_EQ(desk.posix(kB, 1, {0, 19}, kExclusive, true), LockOutcome::queued);
  EXPECT_EQ(desk.posix(kA, 1, {10, 19}, kShared, true), LockOutcome::granted) << "B waits for A";
  // The circle is closed by a wait for another file.
  desk.posix(kC, 1, {0, 0}, kShared, false, kOther);
  desk.posix(kC, 2, {50, 50}, kExclusive);
  EXPECT_EQ(desk.posix(kB, 2, {0, 0}, kExclusive, true, kOther), LockOutcome::queued);  // for C1
  EXPECT_EQ(desk.posix(kC, 2, {0, 0}, kShared, true, kOther), LockOutcome::queued) << "behind B2";
  const uint64_t turn = desk.name;
  EXPECT_EQ(desk.posix(kC, 1, {50, 50}, kExclusive, true), LockOutcome::queued);  // for C2
  EXPECT_EQ(desk.end_of(turn), LockOutcome::granted);
}

TEST(LockTableTest, AChangeOfModeOfAnFlockGivesTheOldOneUpFirst) {
  Desk desk;
  desk.flock(kA, 1, kShared);
  desk.flock(kB, 2, kShared);
  EXPECT_EQ(desk.flock(kA, 1, kExclusive, true), LockOutcome::queued);
  const uint64_t first = desk.name;
  EXPECT_EQ(desk.flock(kB, 2, kExclusive, true), LockOutcome::queued) << "behind A; both have given up";
  EXPECT_EQ(desk.end_of(first), LockOutcome::granted);
  desk.flock(kA, 1, kNone);
  EXPECT_EQ(desk.end_of(desk.name - 1), LockOutcome::granted);
  EXPECT_EQ(desk.flock(kB, 2, kExclusive), LockOutcome::granted) << "again, which is no change";
}

TEST(LockTableTest, TheEndOfASessionGivesEverythingBack) {
  Desk desk;
  desk.flock(kA, 1, kExclusive);
  desk.posix(kA, 2, {3, 4}, kExclusive);
  desk.flock(kB, 1, kExclusive, true);
  desk.posix(kB, 2, {0, 9}, kShared, true);
  desk.flock(kA, 3, kExclusive, true);
  desk.table.end_session(kA, desk.ended);
  EXPECT_THAT(desk.ended, SizeIs(2));
  EXPECT_EQ(desk.table.held(kA) + desk.table.waiting(kA), 0u);
  desk.table.end_session(kB, desk.ended);
  EXPECT_THAT(desk.table.list({}).locks, IsEmpty());
}

TEST(LockTableTest, ACancelledWaitMakesWayAndAnUnknownOneIsNone) {
  Desk desk;
  desk.flock(kA, 1, kShared);
  desk.flock(kB, 2, kExclusive, true);
  const uint64_t writer = desk.name;
  desk.flock(kC, 3, kShared, true);
  EXPECT_FALSE(desk.table.cancel(kA, writer, desk.ended)) << "of another session";
  EXPECT_TRUE(desk.table.cancel(kB, writer, desk.ended));
  EXPECT_FALSE(desk.table.cancel(kB, writer, desk.ended));
  EXPECT_EQ(desk.end_of(desk.name), LockOutcome::granted);
}

TEST(LockTableTest, ARepeatedWaitIsTheSameWait) {
  Desk desk;
  desk.flock(kA, 1, kExclusive);
  const LockCall call{0, kFile, {LockKind::flock, 2}, 7, {}, kExclusive, true, 77};
  EXPECT_EQ(desk.ask(kB, call), LockOutcome::queued);
  EXPECT_EQ(desk.ask(kB, call), LockOutcome::queued);
  EXPECT_EQ(desk.table.waiting(kB), 1u);
}

TEST(LockTableTest, WhatASessionHoldsAndWaitsForIsBounded) {
  Desk desk({.held = 10, .waiting = 3});
  uint64_t granted = 0;
  while (granted < 100 && desk.posix(kA, 1, {10 * granted, 10 * granted}, kShared) == LockOutcome::granted) ++granted;
  EXPECT_EQ(granted, 10u);
  EXPECT_EQ(desk.posix(kA, 1, {0, 200}, kShared), LockOutcome::granted) << "all become one";
  for (int i = 0; i < 9; ++i) EXPECT_EQ(desk.posix(kA, 1, {10u * i + 5, 10u * i + 5}, kNone), LockOutcome::granted);
  EXPECT_EQ(desk.posix(kA, 1, {150, 150}, kNone), LockOutcome::no_room) << "unlocking in the middle makes two of one";
  EXPECT_EQ(desk.table.held(kA), 10u);
  EXPECT_EQ(desk.posix(kA, 1, {}, kNone), LockOutcome::granted);
  desk.flock(kB, 1, kExclusive);
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(desk.flock(kA, 10 + i, kShared, true), LockOutcome::queued);
  EXPECT_EQ(desk.flock(kA, 20, kShared, true), LockOutcome::no_room);
  EXPECT_EQ(desk.flock(kC, 20, kShared, true), LockOutcome::queued) << "others are not concerned";
}

TEST(LockTableTest, WhoIsHeldBackIsDecidedLater) {
  Desk desk;
  desk.table.hold_back(kB, true, desk.ended);
  EXPECT_EQ(desk.flock(kB, 1, kExclusive), LockOutcome::queued) << "also what does not wait";
  EXPECT_EQ(desk.flock(kB, 2, kExclusive, true), LockOutcome::queued);
  EXPECT_EQ(desk.table.reclaim(kA, {{{kFile, {LockKind::flock, 9}, 7, {}, kShared, 55}}, {}}, desk.ended), 0u);
  EXPECT_EQ(desk.table.list({}).locks[0].lock.token, 55u) << "as it was granted";
  EXPECT_THAT(desk.ended, IsEmpty());
  desk.table.hold_back(kB, false, desk.ended);
  EXPECT_EQ(desk.end_of(1), LockOutcome::conflict);
  EXPECT_EQ(desk.end_of(2), std::nullopt);
  desk.flock(kA, 9, kNone);
  EXPECT_EQ(desk.end_of(2), LockOutcome::granted);
}

TEST(LockTableTest, ReclaimReplacesEverythingAndPassesTheQueue) {
  Desk desk;
  desk.table.hold_back(kB, true, desk.ended);
  desk.flock(kB, 1, kExclusive, true);
  const LockReclaim mine{{{kFile, {LockKind::flock, 9}, 7, {}, kExclusive, 55}},
                         {{0, kFile, {LockKind::flock, 10}, 7, {}, kShared, true, 500}}};
  EXPECT_EQ(desk.table.reclaim(kA, mine, desk.ended), 0u);
  EXPECT_EQ(desk.table.reclaim(kA, mine, desk.ended), 0u) << "again: the answer was lost";
  EXPECT_EQ(desk.table.held(kA), 1u);
  EXPECT_EQ(desk.table.waiting(kA), 1u);
  EXPECT_EQ(desk.table.reclaim(kC, mine, desk.ended), 1u) << "somebody else holds it";
  EXPECT_THAT(desk.ended, IsEmpty());
}

TEST(LockTableTest, ListsPagesOfWhoHoldsAndWhoWaits) {
  Desk desk;
  for (uint64_t i = 0; i < 5; ++i) desk.posix(kA, i, {i, i}, kExclusive);
  desk.posix(kB, 1, {}, kShared, true);
  desk.flock(kA, 1, kShared, false, kOther);
  LockPage page = desk.table.list({.limit = 4});
  EXPECT_THAT(page.locks, SizeIs(4));
  EXPECT_FALSE(page.complete);
  page = desk.table.list({.skip = 4, .limit = 4});
  EXPECT_TRUE(page.complete);
  ASSERT_THAT(page.locks, SizeIs(3));
  EXPECT_TRUE(page.locks[1].waiting);
  EXPECT_EQ(page.locks[2].lock.inode, kOther);
  EXPECT_THAT(desk.table.list({.inode = kOther}).locks, SizeIs(1));
  EXPECT_THAT(desk.table.list({.after = kFile}).locks, SizeIs(1));
}

}  // namespace
}  // namespace cairn

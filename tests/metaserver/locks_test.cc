// Locks over a whole metaserver in this process: waits that hold no connection, events, retries, sessions, restarts.
#include "metaserver/sessions/locks.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "common/base/thread.h"
#include "tests/metaserver/metaserver_fixture.h"

namespace cairn {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr InodeId kFile{77};

class LocksTest : public test::MetaserverFixture {
 protected:
  LockCall flock(uint64_t owner, LockMode mode, bool wait = false, uint64_t run = 0) {
    return {run, kFile, {LockKind::flock, owner}, 7, {}, mode, wait, ++waiter_};
  }

  uint64_t waiter_ = 0;
};

TEST_F(LocksTest, AWaitIsAnsweredAtOnceAndItsEndIsAnEventUntilItIsAcknowledged) {
  const auto a = client();
  const auto b = client();
  const auto held = a->lock(flock(1, LockMode::exclusive));
  ASSERT_TRUE(held.ok()) << held.error().what;
  EXPECT_EQ(held->outcome, LockOutcome::granted);
  EXPECT_EQ(b->lock(flock(1, LockMode::exclusive))->outcome, LockOutcome::conflict);
  EXPECT_EQ(b->lock(flock(1, LockMode::exclusive, true))->outcome, LockOutcome::queued);
  const uint64_t waiter = waiter_;
  EXPECT_THAT(b->events(0, 0s)->events, IsEmpty());
  EXPECT_EQ(a->lock(flock(1, LockMode::none))->outcome, LockOutcome::granted);
  const auto events = b->events(0, 10s);
  ASSERT_TRUE(events.ok());
  ASSERT_THAT(events->events, SizeIs(1));
  EXPECT_EQ(events->events.front().type, EventType::lock_ended);
  EXPECT_EQ(events->events.front().lock->waiter, waiter);
  EXPECT_EQ(events->events.front().lock->outcome, LockOutcome::granted);
  EXPECT_GT(events->events.front().lock->token, held->token);
  EXPECT_THAT(b->events(0, 0s)->events, SizeIs(1)) << "the answer may have been lost";
  EXPECT_THAT(b->events(events->events.front().sequence, 0s)->events, IsEmpty());
  const auto blocker = a->test_lock({kFile, {LockKind::flock, 1}, 7, {}, LockMode::shared, 0});
  ASSERT_TRUE(blocker.ok() && *blocker);
  EXPECT_EQ((*blocker)->session, b->session());
  EXPECT_EQ((*blocker)->host, "here");
  EXPECT_EQ(b->cancel_lock(0, waiter)->outcome, LockOutcome::granted) << "too late";
}

TEST_F(LocksTest, TheEndOfASessionGrantsWhatOthersWaitForAndItHoldsNothingLater) {
  const auto a = client();
  const auto b = client();
  ASSERT_TRUE(a->lock(flock(1, LockMode::exclusive)).ok());
  ASSERT_TRUE(b->lock(flock(1, LockMode::exclusive, true)).ok());
  ASSERT_TRUE(a->close_session().ok());
  EXPECT_THAT(b->events(0, 10s)->events, SizeIs(1));
  EXPECT_EQ(a->lock(flock(2, LockMode::shared)).code(), Errc::no_session);
  EXPECT_THAT(b->list_locks({})->locks, SizeIs(1));
}

TEST_F(LocksTest, ASilentSessionLosesItsLocksWhenItExpires) {
  crash();
  options_.session_ttl = 400ms;
  start();
  const auto a = client();
  ASSERT_TRUE(a->lock(flock(1, LockMode::exclusive)).ok());
  const auto b = client();
  ASSERT_EQ(b->lock(flock(1, LockMode::exclusive, true))->outcome, LockOutcome::queued);
  for (bool granted = false; !granted;) {
    ASSERT_TRUE(b->renew_session().ok());
    granted = !b->events(0, 50ms)->events.empty();
  }
  EXPECT_EQ(a->lock(flock(1, LockMode::exclusive)).code(), Errc::no_session);
}

TEST_F(LocksTest, AfterARestartASessionIsAskedToReclaimAndNothingIsDoneBefore) {
  const auto a = client();
  const auto held = a->lock(flock(1, LockMode::exclusive));
  ASSERT_TRUE(held.ok());
  crash();
  start();
  const auto refused = a->lock(flock(1, LockMode::none, false, held->run));
  ASSERT_TRUE(refused.ok());
  EXPECT_EQ(refused->outcome, LockOutcome::reclaim_first);
  EXPECT_GT(refused->run, held->run);
  EXPECT_EQ(a->cancel_lock(held->run, 5)->outcome, LockOutcome::reclaim_first);
  const LockReclaim mine{{{kFile, {LockKind::flock, 1}, 7, {}, LockMode::exclusive, held->token}}, {}};
  ASSERT_TRUE(a->reclaim_locks(mine).ok());
  const auto page = a->list_locks({});
  ASSERT_THAT(page->locks, SizeIs(1));
  EXPECT_EQ(page->locks[0].lock.token, held->token);
  const auto next = a->lock(flock(2, LockMode::exclusive, true, refused->run));
  EXPECT_EQ(next->outcome, LockOutcome::queued);
  EXPECT_EQ(a->lock(flock(1, LockMode::none, false, refused->run))->outcome, LockOutcome::granted);
  EXPECT_GT(a->events(0, 10s)->events.back().lock->token, held->token) << "tokens ascend over restarts";
}

TEST(LockAnswersTest, ARepetitionIsAnsweredAndALateCopyIsRefused) {
  LockAnswers answers;
  const auto call = [](uint64_t request, uint64_t lowest) {
    return Mutation{SessionId{1}, RequestId{request}, RequestId{lowest}};
  };
  EXPECT_FALSE(answers.find(call(5, 5))->has_value());
  answers.add(call(5, 5), {1, LockOutcome::queued, 0});
  EXPECT_EQ((*answers.find(call(5, 5)))->outcome, LockOutcome::queued);
  EXPECT_FALSE(answers.find(call(6, 6))->has_value()) << "the client has had its answer to 5";
  EXPECT_EQ(answers.find(call(5, 5)).code(), Errc::invalid);
  for (uint64_t i = 0; i < LockAnswers::kMost; ++i) answers.add(call(10 + i, 6), {});
  EXPECT_EQ(answers.find(call(1'000'000, 6)).code(), Errc::busy);
}

}  // namespace
}  // namespace cairn

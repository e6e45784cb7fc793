// Sessions and stored outcomes: what comes twice happens once.
#include "invariants.h"
#include "machine.h"
#include "metaserver/state/outcomes.h"

namespace cairn {
namespace {

class RetryTest : public testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(violations(*machine.view()), ""); }
  Command make(uint64_t request, const std::string& name, uint64_t lowest = 1) {
    return {{session, RequestId{request}, RequestId{lowest}}, machine.wall_ns, node(kRootInode, name, S_IFREG | 0644)};
  }
  size_t stored_outcomes() {
    size_t count = 0;
    EXPECT_TRUE(machine.view()
                    ->scan(keys::first(Table::outcome), keys::last(Table::outcome),
                           [&](std::string_view, std::string_view) { return ++count > 0; })
                    .ok());
    return count;
  }
  Machine machine;
  SessionId session = machine.open_session();
};

TEST_F(RetryTest, ARetryIsAnsweredFromItsOutcomeAndChangesNothing) {
  const Outcome first = machine.apply_command(make(1, "f"));
  ASSERT_TRUE(first.ok());
  const uint64_t hash = machine.hash();
  machine.wall_ns += 5 * kSecond;
  const Outcome again = machine.apply_command(make(1, "f"));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(std::get<Entry>(*again).attributes, std::get<Entry>(*first).attributes);
  EXPECT_EQ(machine.hash(), hash);
}

TEST_F(RetryTest, ErrorsAreOutcomesToo) {
  ASSERT_TRUE(machine.apply_command(make(1, "f")).ok());
  EXPECT_EQ(machine.apply_command(make(2, "f")).code(), Errc::exists);
  ASSERT_TRUE(machine.done({}, RemoveName{kRootInode, "f", false}).ok());
  EXPECT_EQ(machine.apply_command(make(2, "f")).code(), Errc::exists) << "as it was answered the first time";
}

TEST_F(RetryTest, ALateDuplicateOfAnAnsweredRequestIsNotAppliedAgain) {
  ASSERT_TRUE(machine.apply_command(make(1, "f")).ok());
  ASSERT_TRUE(
      machine
          .apply_command({{session, RequestId{2}, RequestId{2}}, machine.wall_ns, RemoveName{kRootInode, "f", false}})
          .ok());
  EXPECT_EQ(machine.apply_command(make(1, "f")).code(), Errc::invalid);
  EXPECT_EQ(queries::lookup(*machine.view(), kRootInode, "f").code(), Errc::not_found);
}

TEST_F(RetryTest, OutcomesAreDroppedOnceTheyAreAnswered) {
  for (uint64_t i = 1; i <= 1000; ++i) ASSERT_TRUE(machine.apply_command(make(i, std::to_string(i), 1)).ok());
  EXPECT_EQ(stored_outcomes(), 1000u) << "nobody said that they arrived";
  size_t before = stored_outcomes();
  for (uint64_t i = 1001; i <= 1200; ++i) {
    ASSERT_TRUE(machine.apply_command(make(i, std::to_string(i), i - 3)).ok());
    EXPECT_GE(stored_outcomes() + 130, before) << "one command drops a bounded number";
    before = stored_outcomes();
  }
  EXPECT_LE(stored_outcomes(), 40u);
}

TEST_F(RetryTest, AClientThatNeverSaysThatItWasAnsweredIsStoppedAndGoesOnWhenItDoes) {
  ASSERT_TRUE(machine.apply_command(make(1, "f")).ok());
  ASSERT_TRUE(machine.apply_command(make(kMaxUnanswered, "g")).ok());
  const uint64_t next = kMaxUnanswered + 1;
  EXPECT_EQ(machine.apply_command(make(next, "h")).code(), Errc::busy);
  EXPECT_EQ(stored_outcomes(), 2u) << "a refusal is no outcome";
  EXPECT_TRUE(machine.apply_command(make(1, "f")).ok()) << "a retry is always answered";
  EXPECT_TRUE(machine.apply_command(make(next, "h", 2)).ok());
}

TEST_F(RetryTest, AClientThatNamesTheFutureDoesNotLockItselfOut) {
  ASSERT_TRUE(machine.apply_command(make(1, "f", 1'000'000)).ok());
  EXPECT_TRUE(machine.apply_command(make(2, "g", 1'000'000)).ok());
}

TEST_F(RetryTest, RequestsNeedASessionAndANumber) {
  EXPECT_EQ(machine.apply_command(make(0, "f")).code(), Errc::invalid);
  session = SessionId{99};
  EXPECT_EQ(machine.apply_command(make(1, "f")).code(), Errc::no_session);
}

TEST_F(RetryTest, TheSameNonceIsTheSameSession) {
  const SessionRequest request{"mount", "host", 3, true, 4711};
  const auto first = machine.call<SessionId>({}, OpenSession{request});
  const auto second = machine.call<SessionId>({}, OpenSession{request});
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(queries::sessions(*machine.view())->size(), 2u);
  EXPECT_EQ((*queries::session(*machine.view(), *first))->request.nonce, 4711u);
  ASSERT_TRUE(machine.done({}, EndSession{*first}).ok());
  EXPECT_NE(*machine.call<SessionId>({}, OpenSession{request}), *first) << "ended for good";
}

TEST_F(RetryTest, EndingIsHarmlessTwiceButOnlyForOneself) {
  const SessionId other = machine.open_session();
  machine.make(session, kRootInode, "f");
  EXPECT_EQ(machine.code(other, EndSession{session}), Errc::not_permitted);
  ASSERT_TRUE(machine.done(session, EndSession{session}).ok());
  ASSERT_TRUE(machine.done(session, EndSession{session}).ok());
  EXPECT_EQ(stored_outcomes(), 0u);
  EXPECT_EQ(machine.counters().sessions, 1u);
}

TEST_F(RetryTest, ServersKeepTheirIdAndAMoveRaisesTheEpoch) {
  const RegisterServer request{"uuid-1", {"10.0.0.1", 7000}, {"s", "r", "h", "d"}};
  const auto server = machine.call<ServerId>({}, request);
  const Epoch epoch = machine.counters().map_epoch;
  EXPECT_EQ(*machine.call<ServerId>({}, request), *server);
  EXPECT_EQ(machine.counters().map_epoch, epoch);
  RegisterServer moved = request;
  moved.address.port = 7001;
  EXPECT_EQ(*machine.call<ServerId>({}, moved), *server);
  EXPECT_EQ(raw(machine.counters().map_epoch), raw(epoch) + 1);
  EXPECT_EQ(queries::servers(*machine.view())->front().address.port, 7001);
  moved.uuid = "uuid-2";
  EXPECT_NE(*machine.call<ServerId>({}, moved), *server);
  moved.uuid = "";
  EXPECT_EQ(machine.code({}, moved), Errc::invalid);
  moved.uuid = "x";
  moved.address.port = 0;
  EXPECT_EQ(machine.code({}, moved), Errc::invalid);
}

TEST_F(RetryTest, ClassesKeepTheirIdByName) {
  const StorageClass fast{{}, "fast", {2, 1}, 65536, "rack"};
  const auto id = machine.call<ClassId>({}, DefineClass{fast});
  StorageClass changed = fast;
  changed.policy = {8, 3};
  EXPECT_EQ(*machine.call<ClassId>({}, DefineClass{changed}), *id);
  EXPECT_EQ(queries::storage_class(*machine.view(), *id)->policy, (Code{8, 3}));
  changed.failure_domain = "planet";
  EXPECT_EQ(machine.code({}, DefineClass{changed}), Errc::invalid);
  EXPECT_EQ(queries::storage_class(*machine.view(), ClassId{77}).code(), Errc::not_found);
}

TEST_F(RetryTest, TimeNeverGoesBack) {
  machine.wall_ns = 5000 * kSecond;
  machine.make(session, kRootInode, "f");
  machine.wall_ns = 10;
  EXPECT_EQ(machine.make(session, kRootInode, "g").attributes.ctime, (Time{5000, 0}));
  EXPECT_EQ(queries::applied(*machine.view())->wall_ns, 5000 * kSecond);
  EXPECT_EQ(raw(queries::applied(*machine.view())->index), machine.log.size());
}

TEST_F(RetryTest, AGapInTheLogStopsTheMachine) {
  Transaction transaction(machine.view());
  EXPECT_EQ(apply(transaction, LogIndex{machine.log.size() + 2}, make(1, "f")).code(), Errc::corrupt);
  EXPECT_EQ(apply(transaction, LogIndex{machine.log.size()}, make(1, "f")).code(), Errc::corrupt);
}

TEST_F(RetryTest, AnEmptyStoreIsNoDatabaseAndADamagedRowStopsTheMachine) {
  MemoryStore empty;
  Transaction transaction(empty.view());
  EXPECT_EQ(apply(transaction, LogIndex{1}, make(1, "f")).code(), Errc::not_found);
  const InodeId file = machine.make(session, kRootInode, "f").attributes.inode;
  Transaction damaged(machine.view());
  damaged.put(keys::inode(file), "nonsense");
  Command command = make(2, "x");
  command.body = LinkNode{file, kRootInode, "g"};
  EXPECT_EQ(apply(damaged, LogIndex{machine.log.size() + 1}, command).code(), Errc::corrupt);
}

}  // namespace
}  // namespace cairn

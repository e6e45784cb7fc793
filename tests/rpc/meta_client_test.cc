#include "common/rpc/meta_client.h"

#include <gtest/gtest.h>

#include "tests/rpc/fake_servers.h"

namespace cairn::test {
namespace {

MakeNode file_named(const std::string& name) { return {kRootInode, name, 0100644, 0, 0, 0, ""}; }

struct MetaClientTest : ::testing::Test {
  void SetUp() override { ASSERT_TRUE(server->start().ok()); }
  void restart() {
    const uint16_t port = server->address().port;
    server->stop();
    server = std::make_unique<FakeMetaserver>();
    ASSERT_TRUE(server->start(port).ok());
  }
  MetaClient client_with(MetaClient::Options options) {
    return MetaClient(network, real_clock(), server->address(), options);
  }

  CountingNetwork network;
  std::unique_ptr<FakeMetaserver> server = std::make_unique<FakeMetaserver>();
};

TEST_F(MetaClientTest, CallsAndTheirErrorsComeThroughInOurTypes) {
  MetaClient client(network, real_clock(), server->address());
  const auto found = client.lookup(kRootInode, "name");
  ASSERT_TRUE(found.ok()) << found.error().what;
  EXPECT_EQ(found->name, "name");
  EXPECT_EQ(found->parent, kRootInode);
  const auto absent = client.lookup(kRootInode, "absent");
  EXPECT_EQ(absent.code(), Errc::not_found);
  server->unknown_code_next = 1;
  EXPECT_EQ(client.lookup(kRootInode, "name").code(), Errc::io);
  EXPECT_EQ(client.make_node(file_named("a/b")).code(), Errc::invalid);
  EXPECT_EQ(network.connects(), 1);  // one after the other they need one connection
}

TEST_F(MetaClientTest, TheSessionIsOpenedAndStandsInLaterCalls) {
  MetaClient client(network, real_clock(), server->address());
  EXPECT_EQ(client.renew_session().code(), Errc::no_session);
  const auto grant = client.open_session({"mount /mnt", "here", 1, true, 99});
  ASSERT_TRUE(grant.ok());
  EXPECT_EQ(grant->session, SessionId{100});
  EXPECT_EQ(grant->ttl, Duration(20s));
  EXPECT_TRUE(grant->sole);
  EXPECT_EQ(client.session(), SessionId{100});
  EXPECT_EQ(client.renew_session().value().ttl, Duration(20s));
  ASSERT_TRUE(client.make_node(file_named("a")).ok());
  EXPECT_EQ(server->mutations().at(0).session, SessionId{100});
}

TEST_F(MetaClientTest, ARetryOfOpenSessionKeepsItsNonce) {
  MetaClient client(network, real_clock(), server->address());
  server->drop_next = 2;
  ASSERT_TRUE(client.open_session({"mount /mnt", "here", 1, true, 99}).ok());
  EXPECT_EQ(server->nonces(), (std::vector<uint64_t>{99, 99, 99}));
}

TEST_F(MetaClientTest, ARetryKeepsItsRequestId) {
  MetaClient client(network, real_clock(), server->address());
  ASSERT_TRUE(client.make_node(file_named("before")).ok());
  server->drop_next = 3;
  ASSERT_TRUE(client.make_node(file_named("again")).ok());
  ASSERT_TRUE(client.make_node(file_named("after")).ok());
  std::vector<uint64_t> ids;
  for (const Mutation& mutation : server->mutations()) ids.push_back(raw(mutation.request));
  EXPECT_EQ(ids, (std::vector<uint64_t>{1, 2, 2, 2, 2, 3}));
}

TEST_F(MetaClientTest, TheLowestUnansweredRequestIsTold) {
  MetaClient client(network, real_clock(), server->address());
  server->gate.close();
  Thread slow("slow", [&] { EXPECT_TRUE(client.make_node(file_named("slow")).ok()); });
  server->gate.await_waiting(1);
  ASSERT_TRUE(client.make_node(file_named("quick")).ok());
  ASSERT_TRUE(client.make_node(file_named("quick")).ok());
  EXPECT_EQ(server->mutations().back().request, RequestId{3});
  EXPECT_EQ(server->mutations().back().lowest_unanswered, RequestId{1});
  server->gate.open();
  slow.join();
  ASSERT_TRUE(client.make_node(file_named("quick")).ok());
  EXPECT_EQ(server->mutations().back().lowest_unanswered, RequestId{4});
}

TEST_F(MetaClientTest, ARestartUnderPooledConnectionsIsNotSeenByTheCaller) {
  MetaClient client(network, real_clock(), server->address());
  server->gate.close();
  std::vector<Thread> threads;
  for (int i = 0; i < 5; ++i)
    threads.emplace_back("call", [&] { EXPECT_TRUE(client.make_node(file_named("n")).ok()); });
  server->gate.await_waiting(5);
  server->gate.open();
  threads.clear();
  EXPECT_EQ(network.connects(), 5);
  restart();
  EXPECT_TRUE(client.lookup(kRootInode, "name").ok());
  EXPECT_TRUE(client.lookup(kRootInode, "name").ok());
  EXPECT_EQ(network.connects(), 6);  // the other dead ones went at once
  restart();
  EXPECT_TRUE(client.renew_session().code() == Errc::no_session);  // an answer, though it makes one attempt only
}

TEST_F(MetaClientTest, CallsWaitForAMetaserverThatIsDown) {
  MetaClient client(network, real_clock(), server->address());
  const uint16_t port = server->address().port;
  server->stop();
  server = std::make_unique<FakeMetaserver>();
  Thread starter("starter", [&] {
    network.await_refused(4);
    EXPECT_TRUE(server->start(port).ok());
  });
  EXPECT_TRUE(client.make_node(file_named("a")).ok());
  EXPECT_TRUE(client.lookup(kRootInode, "name").ok());
}

TEST_F(MetaClientTest, AnAnswerThatSaysUnavailableIsAskedAgain) {
  MetaClient client(network, real_clock(), server->address());
  server->unavailable_next = 2;
  EXPECT_TRUE(client.lookup(kRootInode, "name").ok());
  EXPECT_EQ(server->lookups, 3);
}

TEST_F(MetaClientTest, ABusyMetaserverIsAskedAgainByTheSameRequestAndAtLastTheCallerIsToldSo) {
  MetaClient client = client_with({.call_timeout = 300ms});
  server->busy_next = 3;
  ASSERT_TRUE(client.make_node(file_named("quick")).ok());
  ASSERT_EQ(server->mutations().size(), 4u);
  EXPECT_EQ(server->mutations().front().request, server->mutations().back().request);
  server->busy_next = 1'000'000;
  const auto refused = client.make_node(file_named("quick"));
  EXPECT_EQ(refused.code(), Errc::busy) << "it did not happen, and the caller may know";
  EXPECT_LE(server->mutations().size(), 4u + 6u) << "with longer and longer pauses";
}

TEST_F(MetaClientTest, NoMoreThanABoundedNumberOfChangesFollowOneWithoutAnAnswer) {
  constexpr uint64_t kMost = 200;
  MetaClient client = client_with({.most_unanswered = kMost});
  ASSERT_TRUE(client.open_session({"mount /mnt", "here", 1, true, 99}).ok());
  server->gate.close();
  Thread stuck("stuck", [&] { EXPECT_TRUE(client.make_node(file_named("slow")).ok()); });
  server->gate.await_waiting(1);
  std::atomic<uint64_t> done = 0;
  Thread busy("busy", [&] {
    for (uint64_t i = 0; i < kMost; ++i, ++done) ASSERT_TRUE(client.make_node(file_named("quick")).ok());
  });
  const Instant until = in(kLong);
  while (done < kMost - 1 && real_clock().now() < until) std::this_thread::yield();
  EXPECT_EQ(done, kMost - 1);
  EXPECT_EQ(server->mutations().size(), kMost) << "the next one is not sent";
  server->gate.open();
  stuck.join();
  busy.join();
  EXPECT_EQ(done, kMost);
  EXPECT_GT(raw(server->mutations().back().lowest_unanswered), 1u);
}

TEST_F(MetaClientTest, ASilentMetaserverEndsInATimeoutAndTheNextCallIsUnharmed) {
  MetaClient client = client_with({.call_timeout = 150ms, .attempt_timeout = 60ms});
  server->gate.close();
  const Instant before = real_clock().now();
  const auto answer = client.make_node(file_named("slow"));
  EXPECT_EQ(answer.code(), Errc::timed_out);
  EXPECT_LT(real_clock().now() - before, Duration(5s));
  EXPECT_GE(server->mutations().size(), 2u);  // it was tried again, as the same request
  for (const Mutation& mutation : server->mutations()) EXPECT_EQ(mutation.request, RequestId{1});
  EXPECT_TRUE(client.lookup(kRootInode, "name").ok());
  server->gate.open();
  ASSERT_TRUE(client.make_node(file_named("quick")).ok());
  EXPECT_EQ(server->mutations().back().lowest_unanswered, RequestId{2});  // nobody will ask for 1 again
}

TEST_F(MetaClientTest, EventsAreALongPollThatShutDownEnds) {
  MetaClient client(network, real_clock(), server->address());
  const auto events = client.events(41, 10s);
  ASSERT_TRUE(events.ok());
  ASSERT_EQ(events->events.size(), 1u);
  EXPECT_EQ(events->events.front().sequence, 42u);
  EXPECT_EQ(events->events.front().type, EventType::recall);
  server->events_gate.close();
  Thread poller("poller", [&] { EXPECT_EQ(client.events(42, 10s).code(), Errc::unavailable); });
  server->events_gate.await_waiting(1);
  EXPECT_TRUE(client.lookup(kRootInode, "name").ok());  // others do not wait behind it
  client.shut_down();
  poller.join();
  EXPECT_EQ(client.lookup(kRootInode, "name").code(), Errc::unavailable);
}

TEST_F(MetaClientTest, ShutDownEndsACallThatIsBeingRepeated) {
  MetaClient client(network, real_clock(), server->address());
  server->stop();
  Thread caller("caller", [&] { EXPECT_EQ(client.lookup(kRootInode, "name").code(), Errc::unavailable); });
  network.await_refused(2);
  client.shut_down();
}

TEST_F(MetaClientTest, AMethodThatTheServerDoesNotKnowIsNotRepeated) {
  FakeChunkserver other;  // knows no lookup
  ASSERT_TRUE(other.start().ok());
  MetaClient client(network, real_clock(), other.address());
  EXPECT_EQ(client.lookup(kRootInode, "name").code(), Errc::not_supported);
}

TEST_F(MetaClientTest, ManyThreadsShareTheClient) {
  MetaClient client(network, real_clock(), server->address());
  std::vector<Thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back("caller", [&, t] {
      for (int i = 0; i < 200; ++i) {
        const std::string name = "n" + std::to_string(t) + "." + std::to_string(i);
        const auto entry = client.make_node(file_named(name));
        ASSERT_TRUE(entry.ok());
        ASSERT_EQ(entry->name, name);
      }
    });
  }
  threads.clear();
  EXPECT_LE(network.connects(), 16);
  std::vector<bool> seen(3201);
  for (const Mutation& mutation : server->mutations()) {
    EXPECT_FALSE(seen.at(raw(mutation.request)));
    seen.at(raw(mutation.request)) = true;
    EXPECT_LE(mutation.lowest_unanswered, mutation.request);
  }
}

}  // namespace
}  // namespace cairn::test

// Machines, kills, power cuts and partitions, with a tiny server that stores a number durably.
#include "tests/sim/sim_cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/bytes.h"
#include "common/base/http_server.h"
#include "common/base/metrics.h"

namespace cairn {
namespace {

constexpr uint16_t kPort = 4000;

Status send(Stream& stream, std::string_view text, Instant deadline) {
  const iovec piece{const_cast<char*>(text.data()), text.size()};
  return stream.write_all({&piece, 1}, deadline);
}

// Adds each byte that it receives to a file and answers with the count once it is synced: an acknowledgement that must
// hold.
void serve_counter(SimMachine& machine) {
  auto file = machine.disk.open("/count", OpenMode::create);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(machine.disk.sync_directory("/").ok());
  Mutex mutex;
  uint64_t count = *(*file)->size();  // guarded by mutex
  auto listener = machine.network.listen({machine.name, kPort});
  ASSERT_TRUE(listener.ok());
  std::vector<Thread> threads;
  for (;;) {
    auto stream = (*listener)->accept();
    if (!stream.ok()) return;
    threads.emplace_back("connection", [&, one = std::shared_ptr<Stream>(std::move(*stream))] {
      for (;;) {
        uint8_t byte = 0;
        if (!one->read_exact({&byte, 1}, Instant::never()).ok()) return;
        uint64_t at = 0;
        {
          Lock lock(mutex);
          at = count++;
        }
        const iovec piece{&byte, 1};
        if (!(*file)->write_at(at, {&piece, 1}).ok() || !(*file)->sync_data().ok()) return;
        const std::string reply = ByteWriter().u64(at + 1).take();
        if (!send(*one, reply, Instant::never()).ok()) return;
      }
    });
  }
}

// One increment; what the server acknowledged, or the error.
Result<uint64_t> increment(SimCluster& cluster, Duration patience = 1s) {
  const Instant deadline = cluster.scheduler().now() + patience;
  ASSIGN(const auto stream, cluster.network_of("client").connect({"server", kPort}, deadline));
  TRY(send(*stream, "x", deadline));
  uint8_t reply[8];
  TRY(stream->read_exact(reply, deadline));
  return ByteReader(std::span<const uint8_t>(reply)).u64();
}

uint64_t acknowledged_increment(SimCluster& cluster) {
  const auto answer = increment(cluster);
  EXPECT_TRUE(answer.ok()) << answer.error().what;
  return answer.ok() ? *answer : 0;
}

void start_server(SimCluster& cluster) { cluster.start("server", serve_counter); }
constexpr Duration kStartTime = 1s;  // within which a started server listens

// Power cuts, kills and partitions at random; what was acknowledged must never be lost. Returns the trace.
uint64_t storm(uint64_t seed) {
  SimCluster cluster(seed);
  start_server(cluster);
  uint64_t acknowledged = 0, refused = 0;
  const Status end = cluster.run([&] {
    for (int round = 0; round < 60; ++round) {
      Thread trouble("trouble", [&, kind = cluster.random().below(5)] {
        cluster.scheduler().sleep(Duration{static_cast<int64_t>(cluster.random().below(8'000'000))});
        if (kind == 0) cluster.kill("server");
        if (kind == 1) cluster.power_cut("server");
        if (kind == 2) cluster.network().partition("client", "server");
        if (kind == 3) cluster.network().break_streams("client", "server");
        cluster.scheduler().sleep(100ms);
        cluster.network().heal_all();
        if (!cluster.running("server")) cluster.restart("server");
      });
      const auto answer = increment(cluster);
      if (answer.ok()) {
        EXPECT_GT(*answer, acknowledged) << "seed " << seed << ": an acknowledged byte was lost";
        acknowledged = *answer;
      } else {
        ++refused;
      }
    }
  });
  EXPECT_TRUE(end.ok()) << end.error().what;
  EXPECT_GT(acknowledged, 10u);
  EXPECT_GT(refused, 0u);
  return cluster.scheduler().trace_hash();
}

TEST(SimClusterTest, WhatWasAcknowledgedSurvivesEveryStorm) {
  for (uint64_t seed = 1; seed <= 40; ++seed) storm(seed);
}

TEST(SimClusterTest, ASeedIsOneStorm) {
  EXPECT_EQ(storm(77), storm(77));
  EXPECT_NE(storm(77), storm(78));
}

TEST(SimClusterTest, AKilledServerIsRefusedAndARestartedOneRemembers) {
  SimCluster cluster(5);
  start_server(cluster);
  const Status end = cluster.run([&] {
    cluster.scheduler().sleep(kStartTime);
    EXPECT_EQ(acknowledged_increment(cluster), 1u);
    cluster.kill("server");
    EXPECT_FALSE(cluster.running("server"));
    EXPECT_EQ(increment(cluster).code(), Errc::unavailable);
    cluster.restart("server");
    cluster.scheduler().sleep(kStartTime);
    EXPECT_EQ(acknowledged_increment(cluster), 2u);
    cluster.power_cut("server");
    EXPECT_EQ(increment(cluster).code(), Errc::timed_out) << "a dark machine does not even refuse";
    cluster.restart("server");
    cluster.scheduler().sleep(kStartTime);
    EXPECT_EQ(acknowledged_increment(cluster), 3u);
  });
  EXPECT_TRUE(end.ok()) << end.error().what;
}

TEST(SimClusterTest, PeersOfAKilledProcessHearOfIt) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SimCluster cluster(seed);
    start_server(cluster);
    const Status end = cluster.run([&] {
      cluster.scheduler().sleep(kStartTime);
      auto stream = cluster.network_of("client").connect({"server", kPort}, Instant::never());
      ASSERT_TRUE(stream.ok());
      Thread killer("killer", [&] {
        cluster.scheduler().sleep(1s);
        cluster.kill("server");
      });
      uint8_t byte = 0;
      const auto n = (*stream)->read_some({&byte, 1}, Instant::never());
      EXPECT_TRUE(n.ok() ? *n == 0 : n.code() == Errc::unavailable) << "the end, or a reset";
      EXPECT_LT(cluster.scheduler().now() - Instant{}, 4s);
    });
    EXPECT_TRUE(end.ok()) << end.error().what;
  }
}

TEST(SimClusterTest, PeersOfADarkMachineHearOfItOnlyLater) {
  SimCluster cluster(2);
  start_server(cluster);
  const Status end = cluster.run([&] {
    cluster.scheduler().sleep(kStartTime);
    auto stream = cluster.network_of("client").connect({"server", kPort}, Instant::never());
    ASSERT_TRUE(stream.ok());
    cluster.power_cut("server");
    uint8_t byte = 0;
    EXPECT_EQ((*stream)->read_some({&byte, 1}, cluster.scheduler().now() + 10ms).code(), Errc::timed_out);
    EXPECT_EQ((*stream)->read_some({&byte, 1}, Instant::never()).code(), Errc::unavailable);
  });
  EXPECT_TRUE(end.ok()) << end.error().what;
}

TEST(SimClusterTest, APartitionHoldsEverythingUntilItHeals) {
  SimCluster cluster(9);
  start_server(cluster);
  const Status end = cluster.run([&] {
    cluster.scheduler().sleep(kStartTime);
    cluster.network_of("client");
    cluster.network().isolate("server");
    EXPECT_EQ(increment(cluster).code(), Errc::timed_out);
    Thread healer("healer", [&] {
      cluster.scheduler().sleep(5s);
      cluster.network().heal("client", "server");
    });
    const auto answer = increment(cluster, 10s);
    EXPECT_TRUE(answer.ok()) << answer.error().what;
    healer.join();
    // One way: the request arrives and is done, its answer does not.
    cluster.network().cut_one_way("server", "client");
    auto stream = cluster.network_of("client").connect({"server", kPort}, cluster.scheduler().now() + 1s);
    EXPECT_EQ(stream.code(), Errc::timed_out);
  });
  EXPECT_TRUE(end.ok()) << end.error().what;
}

TEST(SimClusterTest, AFrozenServerTakesConnectionsAndAnswersWhenItGoesOn) {
  SimCluster cluster(6);
  start_server(cluster);
  const Status end = cluster.run([&] {
    cluster.scheduler().sleep(kStartTime);
    cluster.freeze("server");
    EXPECT_EQ(increment(cluster).code(), Errc::timed_out) << "and the byte waits in the socket";
    Thread thawer("thawer", [&] {
      cluster.scheduler().sleep(5s);
      cluster.thaw("server");
    });
    const Instant asked = cluster.scheduler().now();
    const auto answer = increment(cluster, 10s);
    EXPECT_TRUE(answer.ok()) << answer.error().what;
    EXPECT_GE(cluster.scheduler().now() - asked, 5s);
    thawer.join();
    EXPECT_EQ(acknowledged_increment(cluster), 3u) << "the one that nobody waited for was done too";
    cluster.freeze("server");
    cluster.kill("server");
    EXPECT_EQ(increment(cluster).code(), Errc::unavailable);
    cluster.restart("server");
    EXPECT_FALSE(cluster.frozen("server"));
  });
  EXPECT_TRUE(end.ok()) << end.error().what;
}

TEST(SimClusterTest, ProcessesOfOneMachineShareItsDiskAndDieApart) {
  SimCluster cluster(4);
  std::vector<std::string> said;
  cluster.start("box/writer", [&](SimMachine& m) {
    auto file = m.disk.open("/shared", OpenMode::create);
    const iovec piece{const_cast<char*>("hi"), 2};
    EXPECT_TRUE((*file)->write_at(0, {&piece, 1}).ok());
    said.push_back("written");
  });
  cluster.start("box/sleeper", [&](SimMachine& m) {
    Mutex mutex;
    CondVar never;
    Lock lock(mutex);
    (void)never.wait_until(lock, m.clock.now() + 10s, [] { return false; });
    said.push_back("size " + std::to_string(*(*m.disk.open("/shared", OpenMode::read_only))->size()));
  });
  const Status end = cluster.run([&] {
    cluster.scheduler().sleep(5s);
    EXPECT_FALSE(cluster.running("box/writer")) << "main has returned";
    EXPECT_TRUE(cluster.running("box/sleeper"));
    cluster.scheduler().sleep(10s);
  });
  EXPECT_TRUE(end.ok()) << end.error().what;
  EXPECT_THAT(said, ::testing::ElementsAre("written", "size 2"));
}

TEST(SimClusterTest, ALibraryOfTheRealTreeRunsUnchanged) {
  SimCluster cluster(11);
  cluster.start("server", [](SimMachine& m) {
    Metrics metrics;
    HttpServer server(m.network, m.clock, standard_pages(metrics, [] { return std::string(); }));
    EXPECT_TRUE(server.start({m.name, 80}).ok());
    Mutex mutex;
    CondVar never;
    Lock lock(mutex);
    (void)never.wait_until(lock, m.clock.now() + 10s, [] { return false; });
  });
  const Status end = cluster.run([&] {
    cluster.scheduler().sleep(1s);
    const Instant deadline = cluster.scheduler().now() + 1s;
    auto stream = cluster.network_of("client").connect({"server", 80}, deadline);
    ASSERT_TRUE(stream.ok());
    ASSERT_TRUE(send(**stream, "GET /healthz HTTP/1.1\r\n\r\n", deadline).ok());
    std::string reply(15, '?');
    EXPECT_TRUE((*stream)->read_exact({reinterpret_cast<uint8_t*>(reply.data()), reply.size()}, deadline).ok());
    EXPECT_EQ(reply, "HTTP/1.1 200 OK");
    cluster.scheduler().sleep(20s);
    EXPECT_FALSE(cluster.running("server")) << "the destructors joined the server's thread";
  });
  EXPECT_TRUE(end.ok()) << end.error().what;
}

}  // namespace
}  // namespace cairn

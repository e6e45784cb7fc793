// A metaserver and its clients on simulated machines: power cuts, kills and partitions, over many seeds.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <set>

#include "common/rpc/meta_client.h"
#include "metaserver/metaserver.h"
#include "metaserver/state/queries.h"
#include "metaserver/store/memory_store.h"
#include "tests/sim/sim_cluster.h"

namespace cairn {
namespace {

// Lives outside of the simulated machines.
struct World {
  MemoryStore store;
  std::set<std::string> names;  // that must exist
  std::set<std::string> maybe;  // the last request of each client: unknown
  uint64_t acknowledged = 0;
  bool finish = false;
};
constexpr uint16_t kPort = 4000;

void serve(World& world, SimMachine& machine) {
  MetaserverOptions options;
  options.listen = {machine.name, kPort};
  options.log_directory = "/log";
  options.log_segment_bytes = 8000;
  options.flush_log_bytes = 20'000;
  options.flush_interval = 2s;
  options.seed = machine.seed;
  Metaserver server(machine.network, machine.clock, machine.disk, world.store, options);
  const Status started = server.start();
  ASSERT_TRUE(started.ok()) << started.error().what;
  Mutex mutex;
  CondVar never;
  Lock lock(mutex);
  never.wait(lock, [] { return false; });  // until it is killed
}

void use(World& world, SimMachine& machine) {
  MetaClient meta(machine.network, machine.clock, {"meta", kPort}, {.call_timeout = 120s, .attempt_timeout = 2s});
  const auto grant =
      meta.open_session({.name = "mount", .host = machine.name, .pid = 1, .mount = false, .nonce = machine.seed | 1});
  ASSERT_TRUE(grant.ok()) << grant.error().what;
  for (int i = 0; !world.finish; ++i) {
    if (i % 16 == 0) (void)meta.renew_session();  // one attempt; the TTL allows several to fail
    const std::string name = fmt::format("{}-{}", machine.name, i);
    world.maybe.insert(name);
    const auto made = meta.make_node({kRootInode, name, S_IFREG | 0644, 0, 0, 0, ""});
    ASSERT_TRUE(made.ok()) << name << ": " << made.error().what;
    world.names.insert(name);
    world.maybe.erase(name);
    if (i % 4 == 3) {
      world.names.erase(name);
      world.maybe.insert(name);
      const auto moved = meta.rename({kRootInode, name, kRootInode, name + "-moved", 0});
      ASSERT_TRUE(moved.ok()) << name << ": " << moved.error().what;
      world.maybe.erase(name);
      world.names.insert(name + "-moved");
    }
    ++world.acknowledged;
  }
}

TEST(MetaserverSimulationTest, NothingAcknowledgedIsLostAndNothingHappensTwice) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    World world;
    SimCluster cluster(seed);
    const Status end = cluster.run([&] {
      cluster.start("meta", [&world](SimMachine& machine) { serve(world, machine); });
      for (int c = 0; c < 3; ++c)
        cluster.start(fmt::format("client{}", c), [&world](SimMachine& machine) { use(world, machine); });
      for (int trouble = 0; trouble < 6; ++trouble) {
        cluster.scheduler().sleep(std::chrono::milliseconds(cluster.random().below(1500)));
        switch (cluster.random().below(3)) {
          case 0:
            cluster.power_cut("meta");
            world.store.crash(cluster.random()());
            cluster.scheduler().sleep(std::chrono::milliseconds(cluster.random().below(500)));
            cluster.restart("meta");
            break;
          case 1:
            cluster.kill("meta");
            world.store.crash(cluster.random()());
            cluster.restart("meta");
            break;
          default:
            cluster.network().partition("meta", "client1");
            cluster.scheduler().sleep(std::chrono::milliseconds(cluster.random().below(1000)));
            cluster.network().heal_all();
        }
      }
      cluster.scheduler().sleep(2s);
      world.finish = true;
      for (int c = 0; c < 3; ++c) {
        while (cluster.running(fmt::format("client{}", c))) cluster.scheduler().sleep(100ms);
      }
      cluster.kill("meta");
    });
    ASSERT_TRUE(end.ok()) << "seed " << seed << ": " << end.error().what;
    EXPECT_GT(world.acknowledged, 100u) << "seed " << seed;
    EXPECT_TRUE(world.maybe.empty()) << "every client had its last answer";
    std::set<std::string> found;
    const auto page = queries::directory(*world.store.view(), kRootInode, 0, 1'000'000);
    ASSERT_TRUE(page.ok());
    for (const Entry& entry : page->entries) found.insert(entry.name);
    EXPECT_EQ(found, world.names) << "seed " << seed;
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace cairn

#include "tests/campaign/trouble.h"

#include <algorithm>

namespace cairn {
namespace {

constexpr Duration kRebootTime = 1s;

}  // namespace

Trouble::Trouble(CairnWorld& world, uint64_t seed, Kinds kinds)
    : world_(world),
      cluster_(world.cluster()),
      story_(world.story()),
      random_(seed),
      stops_(mix64(seed ^ 0x570B)),
      jobs_(mix64(seed ^ 0x10B5)),
      repairs_(mix64(seed ^ 0x4E9A14)),
      kinds_(kinds) {
  set_kill_point_handler([this](KillPoint point) { passed(point); });
}

Trouble::~Trouble() { set_kill_point_handler(nullptr); }

Duration Trouble::between(Random& random, Duration low, Duration high) {
  return Duration(
      static_cast<int64_t>(random.between(static_cast<uint64_t>(low.count()), static_cast<uint64_t>(high.count()))));
}

void Trouble::run(Duration time) {
  const Instant end = cluster_.scheduler().now() + time;
  while (cluster_.scheduler().now() < end) {
    world_.sleep(between(10ms, 2s));
    mend_those_due();
    begin_something();
    stop_something();
    trouble_workers();
    need_repair();
  }
  heal();
}

void Trouble::heal() {
  armed_.reset();
  armed_worker_.reset();
  thaw_all();
  if (everything_died_) start_everything();
  for (auto& [index, impaired] : impaired_) {
    if (impaired.mend) impaired.mend();
  }
  impaired_.clear();
  cluster_.network().heal_all();
  cluster_.network().set_break_one_in(0);
  cluster_.disk(CairnWorld::kMeta).clear_faults();
  cluster_.disk(CairnWorld::kMeta).set_slowness(1);
  for (const auto& [process, due] : revivals_) world_.start_again(process);
  revivals_.clear();
  if (!cluster_.running(CairnWorld::kMeta)) world_.restart_metaserver();
  story_.tell("all is healed");
}

void Trouble::mend_those_due() {
  const Instant now = cluster_.scheduler().now();
  if (everything_died_) start_everything();
  thaw_those_due();
  std::erase_if(impaired_, [&](auto& each) {
    if (each.second.until > now) return false;
    each.second.mend();
    return true;
  });
  std::erase_if(revivals_, [&](const auto& each) {
    if (each.second > now) return false;
    world_.start_again(each.first);
    return true;
  });
  // It may have ended itself, over its disk.
  if (!cluster_.running(CairnWorld::kMeta) && !revivals_.contains(CairnWorld::kMeta)) {
    cluster_.disk(CairnWorld::kMeta).clear_faults();
    revive(CairnWorld::kMeta, between(1ms, 2s));
  }
  if (armed_ && armed_->until <= now) armed_.reset();
}

void Trouble::begin_something() {
  if (world_.options().harsh && random_.one_in(8)) return outage();
  switch (random_.below(18)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return impair_chunkserver();
    case 5:
    case 6:
      return trouble_metaserver();
    case 7:
    case 8:
    case 9:
      return trouble_network();
    case 10:
      return random_.one_in(2) ? crash_client() : impair_chunkserver();
    case 11:
      return random_.one_in(2) ? cut_everything() : impair_chunkserver();
    case 12:
      return random_.one_in(3) ? let_rot() : trouble_clock();
    case 13:
      return trouble_its_disk();
    case 14:
      return arm_kill_point();
    default:
      return arm_reboot();
  }
}

void Trouble::trouble_metaserver() {
  if (!cluster_.running(CairnWorld::kMeta)) return;
  if (random_.one_in(2)) {
    story_.tell("the metaserver loses power");
    world_.cut_metaserver();
  } else {
    story_.tell("the metaserver is killed");
    world_.kill_metaserver();
  }
  world_.sleep(between(1ms, 4s));
  story_.tell("the metaserver starts");
  world_.restart_metaserver();
}

void Trouble::trouble_its_disk() {
  SimDisk& disk = cluster_.disk(CairnWorld::kMeta);
  if (random_.one_in(2)) {
    const auto times = static_cast<uint32_t>(random_.between(5, 100));
    story_.tell("the metaserver's disk is {} times slower", times);
    disk.set_slowness(times);
    world_.sleep(between(10ms, 3s));
    story_.tell("the metaserver's disk is as fast as before");
    return disk.set_slowness(1);
  }
  const DiskOperation operation = random_.one_in(2) ? DiskOperation::sync : DiskOperation::write;
  story_.tell("the metaserver's disk fails at one {}", operation == DiskOperation::sync ? "sync" : "write");
  disk.add_fault({.operation = operation, .path_part = "/log", .times = 1});
}

void Trouble::trouble_network() {
  const std::string client = some_client();
  const std::string server =
      random_.one_in(2) ? CairnWorld::kMeta
                        : CairnWorld::chunkserver(static_cast<uint32_t>(random_.below(world_.options().chunkservers)));
  switch (random_.below(5)) {
    case 0:
      story_.tell("streams between {} and {} break", client, server);
      return cluster_.network().break_streams(client, server);
    case 1:
      story_.tell("{} and the metaserver are cut apart", client);
      random_.one_in(2) ? cluster_.network().partition(client, CairnWorld::kMeta)
                        : cluster_.network().cut_one_way(CairnWorld::kMeta, client);
      world_.sleep(between(1ms, 4s));
      story_.tell("{} and the metaserver see each other", client);
      return cluster_.network().heal(client, CairnWorld::kMeta);
    case 2: {
      const Duration usual = cluster_.network().longest_latency();
      story_.tell("the network is slow");
      cluster_.network().set_longest_latency(between(usual, 200ms));
      world_.sleep(between(1ms, 3s));
      return cluster_.network().set_longest_latency(usual);
    }
    case 3:
      // In a gentle run shorter than any patience.
      story_.tell("some streams stand still for a while");
      cluster_.network().set_stalls(random_.between(20, 500), world_.options().harsh ? 12s : 3s);
      world_.sleep(between(10ms, 4s));
      return cluster_.network().set_stalls(0, 0s);
    default:
      story_.tell("some streams break");
      cluster_.network().set_break_one_in(random_.between(100, 2000));
      world_.sleep(between(1ms, 2s));
      cluster_.network().set_break_one_in(0);
  }
}

void Trouble::trouble_clock() {
  const std::string machine =
      random_.one_in(2) ? CairnWorld::kMeta
                        : CairnWorld::chunkserver(static_cast<uint32_t>(random_.below(world_.options().chunkservers)));
  const Duration by = random_.one_in(2) ? between(1s, 100h) : -between(1s, 100h);
  story_.tell("the wall clock of {} jumps by {} s", machine, by / 1s);
  world_.jump_wall(machine, by);
}

void Trouble::crash_client() {
  const std::string client = some_client();
  const bool power = random_.one_in(2);
  story_.tell("{} {}", client, power ? "loses power" : "is killed");
  power ? cluster_.power_cut(client) : cluster_.kill(client);
  revive(client, between(1ms, 2s));
}

void Trouble::cut_everything() {
  story_.tell("all power is cut");
  world_.cut_everything();
  start_everything();
}

// After a time without power; whatever else was wrong, a start ends it.
void Trouble::start_everything() {
  everything_died_ = false;
  for (auto& [index, impaired] : impaired_) {
    if (impaired.mend) impaired.mend();
  }
  impaired_.clear();
  revivals_.clear();
  armed_.reset();
  thaw_all();
  world_.sleep(between(1ms, 2s));
  story_.tell("the power is back");
  world_.restart_everything();
  for (uint32_t i = 0; i < world_.options().chunkservers; ++i) restart_chunkserver(CairnWorld::chunkserver(i));
}

void Trouble::arm_kill_point() {
  if (armed_) return;
  const auto points =
      all_kill_points().first(static_cast<size_t>(KillPoint::task_taken));  // workers have troubles of their own
  const KillPointInfo& info = points[random_.below(points.size())];
  const std::string program = info.program;
  Armed armed{info.point, random_.between(1, 4),     CairnWorld::kMeta,
              {},         SimCluster::Death::killed, cluster_.scheduler().now() + between(1s, 10s)};
  if (program == "cairn-mount") armed.passer = some_client();
  if (program == "cairn-chunkserver") {
    const auto index = static_cast<uint32_t>(random_.below(world_.options().chunkservers));
    if (!reserve(index, armed.until)) return;
    armed.passer = CairnWorld::chunkserver(index);
  }
  armed.victim = armed.passer;
  const uint64_t how = random_.below(5);
  if (how >= 2) armed.death = SimCluster::Death::power_cut;
  if (how == 4) armed.death = SimCluster::Death::everything;
  armed_ = armed;
}

// A chunkserver reboots within a flush: what it had not synced is gone, and nobody has seen it away.
void Trouble::arm_reboot() {
  constexpr KillPoint kPoints[] = {KillPoint::stripes_appended, KillPoint::stripes_appended,
                                   KillPoint::stripes_appended, KillPoint::flush_taken,
                                   KillPoint::stripes_synced,   KillPoint::commit_answered};
  const auto index = static_cast<uint32_t>(random_.below(world_.options().chunkservers));
  const Instant until = cluster_.scheduler().now() + between(1s, 10s);
  if (!reserve(index, until)) return;
  armed_ = {kPoints[random_.below(std::size(kPoints))],
            random_.between(1, 2),
            some_client(),
            CairnWorld::chunkserver(index),
            random_.one_in(4) ? SimCluster::Death::killed : SimCluster::Death::power_cut,
            until};
}

// Counts among the impaired until then.
bool Trouble::reserve(uint32_t index, Instant until) {
  if (!may_impair(index)) return false;
  impaired_[index] = {until + 1ms, [this, name = CairnWorld::chunkserver(index)] {
                        if (!cluster_.running(name)) restart_chunkserver(name);
                      }};
  return true;
}

// In the fiber that passes; may not return.
void Trouble::passed(KillPoint point) {
  if (point >= KillPoint::task_taken) return worker_passed(point);
  stop_at(point);
  if (!armed_ || armed_->point != point || armed_->passer != cluster_.machine_here() || --armed_->passes > 0) return;
  const Armed armed = *armed_;
  armed_.reset();
  if (armed.victim != armed.passer) {
    const bool power = armed.death == SimCluster::Death::power_cut;
    story_.tell("{} {} and comes back, while {} is at {}", armed.victim, power ? "loses power" : "is killed",
                armed.passer, info_of(point).name);
    power ? cluster_.power_cut(armed.victim) : cluster_.kill(armed.victim);
    restart_chunkserver(armed.victim);
    if (random_.one_in(2)) world_.sleep(kRebootTime);  // the passer finds it serving, in another boot
    return;
  }
  constexpr const char* kDeaths[] = {"is killed", "loses power", "and all others lose power"};
  story_.tell("{} {} at {}", armed.victim, kDeaths[static_cast<size_t>(armed.death)], info_of(point).name);
  if (armed.death == SimCluster::Death::everything) {
    everything_died_ = true;
  } else if (std::string_view(info_of(point).program) != "cairn-chunkserver") {  // those are impaired, and mended
    revive(armed.victim, between(1ms, 2s));
  }
  world_.die_here(armed.death);
}

}  // namespace cairn

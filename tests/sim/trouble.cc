#include "tests/sim/trouble.h"

namespace cairn {
namespace {

constexpr Duration kStartTime = 3s;  // of a chunkserver, more than enough

}  // namespace

Trouble::Trouble(CairnWorld& world, uint64_t seed)
    : world_(world), cluster_(world.cluster()), story_(world.story()), random_(seed) {}

Duration Trouble::between(Duration low, Duration high) {
  return Duration(
      static_cast<int64_t>(random_.between(static_cast<uint64_t>(low.count()), static_cast<uint64_t>(high.count()))));
}

void Trouble::run(Duration time) {
  const Instant end = cluster_.scheduler().now() + time;
  while (cluster_.scheduler().now() < end) {
    world_.sleep(between(10ms, 2s));
    mend_those_due();
    begin_something();
  }
  heal();
}

void Trouble::heal() {
  for (auto& [index, impaired] : impaired_) impaired.mend();
  impaired_.clear();
  cluster_.network().heal_all();
  cluster_.network().set_break_one_in(0);
  story_.tell("all is healed");
}

void Trouble::mend_those_due() {
  std::erase_if(impaired_, [&](auto& each) {
    if (each.second.until > cluster_.scheduler().now()) return false;
    each.second.mend();
    return true;
  });
}

void Trouble::begin_something() {
  switch (random_.below(12)) {
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
    default:
      return random_.one_in(2) ? cut_everything() : impair_chunkserver();
  }
}

void Trouble::impair_chunkserver() {
  const auto index = static_cast<uint32_t>(random_.below(world_.options().chunkservers));
  if (impaired_.size() >= world_.options().policy.m || impaired_.contains(index)) return;
  const std::string name = CairnWorld::chunkserver(index);
  const Instant until = cluster_.scheduler().now() + between(10ms, 12s);
  const auto restart = [this, name] {
    story_.tell("{} starts", name);
    cluster_.restart(name);
    settled_[name] = cluster_.scheduler().now() + kStartTime;
  };
  const auto clear = [this, name] {
    story_.tell("{}: its disk is well", name);
    cluster_.disk(name).clear_faults();
  };
  const auto fault = [&](const char* what, DiskFault injected) {
    story_.tell("{}: {}", name, what);
    cluster_.disk(name).add_fault(std::move(injected));
    impaired_[index] = {until, clear};
  };
  // A server that cannot read its own identity does not start, and says so: that is no trouble to live through.
  const bool starting = settled_[name] > cluster_.scheduler().now();
  switch (random_.below(starting ? 4 : 8)) {
    case 0:
    case 1:
      story_.tell("{} is killed", name);
      cluster_.kill(name);
      impaired_[index] = {until, restart};
      return;
    case 2:
    case 3:
      story_.tell("{} loses power", name);
      cluster_.power_cut(name);
      impaired_[index] = {until, restart};
      return;
    case 4:
      if (random_.one_in(2)) {
        return fault("fdatasync of shards fails",
                     {.operation = DiskOperation::sync, .path_part = ".open", .one_in = random_.between(1, 4)});
      }
      // A directory that could not be synced stays unusable until a restart, as on a kernel that has gone read-only.
      fault("every sync may fail", {.operation = DiskOperation::sync, .one_in = random_.between(1, 4)});
      impaired_[index].mend = [clear, restart] {
        clear();
        restart();
      };
      return;
    case 5:
      return fault("writes fail", {.operation = DiskOperation::write, .one_in = random_.between(1, 4)});
    case 6:
      return fault("reads fail", {.operation = DiskOperation::read, .one_in = random_.between(1, 4)});
    default:
      story_.tell("{} is cut off from the client", name);
      cluster_.network().partition(name, CairnWorld::kClient);
      impaired_[index] = {until, [this, name] {
                            story_.tell("{} and the client see each other", name);
                            cluster_.network().heal(name, CairnWorld::kClient);
                          }};
  }
}

void Trouble::trouble_metaserver() {
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

void Trouble::trouble_network() {
  const std::string server =
      random_.one_in(2) ? CairnWorld::kMeta
                        : CairnWorld::chunkserver(static_cast<uint32_t>(random_.below(world_.options().chunkservers)));
  switch (random_.below(3)) {
    case 0:
      story_.tell("streams between the client and {} break", server);
      return cluster_.network().break_streams(CairnWorld::kClient, server);
    case 1:
      story_.tell("the client and the metaserver are cut apart");
      cluster_.network().partition(CairnWorld::kClient, CairnWorld::kMeta);
      world_.sleep(between(1ms, 4s));
      story_.tell("the client and the metaserver see each other");
      return cluster_.network().heal(CairnWorld::kClient, CairnWorld::kMeta);
    default:
      story_.tell("some streams break");
      cluster_.network().set_break_one_in(random_.between(100, 2000));
      world_.sleep(between(1ms, 2s));
      cluster_.network().set_break_one_in(0);
  }
}

void Trouble::crash_client() {
  const bool power = random_.one_in(2);
  story_.tell("the client {}", power ? "loses power" : "is killed");
  power ? cluster_.power_cut(CairnWorld::kClient) : cluster_.kill(CairnWorld::kClient);
  world_.sleep(between(1ms, 2s));
  cluster_.restart(CairnWorld::kClient);
}

void Trouble::cut_everything() {
  story_.tell("all power is cut");
  for (auto& [index, impaired] : impaired_) impaired.mend();  // whatever it was, a start ends it
  impaired_.clear();
  world_.cut_everything();
  world_.sleep(between(1ms, 2s));
  story_.tell("the power is back");
  world_.restart_everything();
  for (uint32_t i = 0; i < world_.options().chunkservers; ++i) {
    settled_[CairnWorld::chunkserver(i)] = cluster_.scheduler().now() + kStartTime;
  }
}

}  // namespace cairn

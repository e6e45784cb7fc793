// Troubles of chunkservers, at most m at a time.
#include <algorithm>

#include "tests/campaign/trouble.h"

namespace cairn {
namespace {

constexpr Duration kStartTime = 3s;  // of a chunkserver, more than enough

}  // namespace

bool Trouble::may_impair(uint32_t index) const {
  return impaired_.size() + rotten_.size() + lost_.size() < world_.options().policy.m && !impaired_.contains(index) &&
         std::ranges::find(rotten_, index) == rotten_.end() && std::ranges::find(lost_, index) == lost_.end();
}

void Trouble::restart_chunkserver(const std::string& name) {
  ++suffered_[CairnWorld::index_of(name)];
  if (!cluster_.running(name)) {
    story_.tell("{} starts", name);
    cluster_.restart(name);
  }
  settled_[name] = cluster_.scheduler().now() + kStartTime;
}

void Trouble::impair_chunkserver() {
  const auto index = static_cast<uint32_t>(random_.below(world_.options().chunkservers));
  if (!may_impair(index)) return;
  const std::string name = CairnWorld::chunkserver(index);
  const Instant until = cluster_.scheduler().now() + between(10ms, 12s);
  // A server that cannot read its own identity does not start, and says so: that is no trouble to live through.
  const bool starting = settled_[name] > cluster_.scheduler().now();
  const uint64_t kind = random_.below(starting ? 4 : 10);
  if (kind < 4) {
    story_.tell("{} {}", name, kind < 2 ? "is killed" : "loses power");
    kind < 2 ? cluster_.kill(name) : cluster_.power_cut(name);
    impaired_[index] = {until, [this, name] { restart_chunkserver(name); }};
  } else if (kind < 8) {
    impair_disk(index, name, until);
  } else {
    impair_network(index, name, until);
  }
}

void Trouble::impair_disk(uint32_t index, const std::string& name, Instant until) {
  SimDisk& disk = cluster_.disk(name);
  const auto clear = [this, name, &disk] {
    story_.tell("{}: its disk is well", name);
    disk.clear_faults();
    disk.set_slowness(1);
    disk.set_capacity(SimDisk::Options{}.capacity_bytes);
  };
  const auto fault = [&](const char* what, DiskFault injected) {
    story_.tell("{}: {}", name, what);
    disk.add_fault(std::move(injected));
    impaired_[index] = {until, clear};
  };
  switch (random_.below(6)) {
    case 0:
      return fault("fdatasync of shards fails",
                   {.operation = DiskOperation::sync, .path_part = ".open", .one_in = random_.between(1, 4)});
    case 1:
      fault("every sync may fail", {.operation = DiskOperation::sync, .one_in = random_.between(1, 4)});
      // What was written before a sync that failed is lost with the page cache: a restart must not believe it.
      impaired_[index].mend = [this, clear, name] {
        clear();
        cluster_.kill(name);
        restart_chunkserver(name);
      };
      return;
    case 2:
      return fault("writes fail", {.operation = DiskOperation::write, .one_in = random_.between(1, 4)});
    case 3:
      return fault("reads fail", {.operation = DiskOperation::read, .one_in = random_.between(1, 4)});
    case 4: {
      const auto times = static_cast<uint32_t>(random_.between(5, 500));
      story_.tell("{}: its disk is {} times slower", name, times);
      disk.set_slowness(times);
      impaired_[index] = {until, clear};
      return;
    }
    default:
      story_.tell("{}: its disk is full", name);
      disk.set_capacity(disk.used_bytes() + random_.below(64u << 10));
      impaired_[index] = {until, clear};
  }
}

void Trouble::impair_network(uint32_t index, const std::string& name, Instant until) {
  const std::string client = some_client();
  const uint64_t ways = random_.below(3);
  story_.tell("{} is cut off from {}{}", name, client,
              ways == 0   ? ""
              : ways == 1 ? ", but can send to it"
                          : ", but hears it");
  if (ways != 1) cluster_.network().cut_one_way(name, client);
  if (ways != 2) cluster_.network().cut_one_way(client, name);
  impaired_[index] = {until, [this, name, client] {
                        story_.tell("{} and {} see each other", name, client);
                        cluster_.network().heal(name, client);
                      }};
}

// Bits flip in what lies on its disk. Nobody repairs that yet, so it counts for the rest of the run.
void Trouble::let_rot() {
  const auto index = rotten_.empty() ? static_cast<uint32_t>(random_.below(world_.options().chunkservers)) : rotten_[0];
  if (rotten_.empty() && !may_impair(index)) return;
  if (rotten_.empty()) rotten_.push_back(index);
  const std::string name = CairnWorld::chunkserver(index);
  for (uint64_t i = random_.between(1, 10); i > 0; --i) {
    const Result<std::string> flipped = cluster_.disk(name).flip_some_bit("/shards/");
    if (flipped.ok()) story_.tell("{}: {} flips", name, *flipped);
  }
}

}  // namespace cairn

// Troubles of a harsh run: more is broken than anyone promises to survive without an error. Calls may fail then; what
// was acknowledged may still not be lost, and what is read is still right or an error.
#include "tests/campaign/trouble.h"

namespace cairn {

// One at a time, with nothing else; the judges wait until it is over.
void Trouble::outage() {
  if (world_.judged_now()) return;
  world_.set_calm(false);
  switch (random_.below(4)) {
    case 0:
      lose_chunkservers();
      break;
    case 1:
      isolate_client();
      break;
    case 2:
      lose_metaserver();
      break;
    default:
      fill_disks();
  }
  heal();
  for (uint32_t i = 0; i < world_.options().chunkservers; ++i) restart_chunkserver(CairnWorld::chunkserver(i));
  world_.wait_until_all_up();
  world_.set_calm(true);
}

void Trouble::lose_chunkservers() {
  const uint32_t count =
      static_cast<uint32_t>(random_.between(world_.options().policy.m + 1, world_.options().chunkservers));
  story_.tell("{} chunkservers lose power", count);
  for (uint32_t i = 0; i < count; ++i) cluster_.power_cut(CairnWorld::chunkserver(i));
  world_.sleep(between(1s, 40s));
}

// Its session ends, and it cannot know. What it has sent may still arrive.
void Trouble::isolate_client() {
  const std::string client = some_client();
  const bool whole = random_.one_in(2);
  story_.tell("{} is cut off from {}", client, whole ? "all servers" : "the metaserver");
  if (whole) {
    cluster_.network().isolate(client);
  } else {
    cluster_.network().partition(client, CairnWorld::kMeta);
  }
  world_.sleep(between(world_.options().session_ttl / 2, world_.options().session_ttl * 3));
}

void Trouble::lose_metaserver() {
  story_.tell("the metaserver loses power for long");
  if (cluster_.running(CairnWorld::kMeta)) world_.cut_metaserver();
  world_.sleep(between(5s, 60s));
}

void Trouble::fill_disks() {
  story_.tell("all chunkservers' disks are full");
  for (uint32_t i = 0; i < world_.options().chunkservers; ++i) {
    SimDisk& disk = cluster_.disk(CairnWorld::chunkserver(i));
    disk.set_capacity(disk.used_bytes() + random_.below(256u << 10));
  }
  world_.sleep(between(1s, 20s));
  for (uint32_t i = 0; i < world_.options().chunkservers; ++i) {
    cluster_.disk(CairnWorld::chunkserver(i)).set_capacity(SimDisk::Options{}.capacity_bytes);
  }
}

}  // namespace cairn

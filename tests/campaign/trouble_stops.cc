// Machines that stand still, as under SIGSTOP: nothing of them runs, time goes on, and what they are sent piles up.
//
// In a gentle run they go on long before anyone loses patience. In a harsh one a client may go on when its session is
// over, with all that it believed and had buffered then, and in the middle of anything.
#include <algorithm>

#include "tests/campaign/trouble.h"

namespace cairn {
namespace {

constexpr Duration kShortest = 10ms;
constexpr Duration kShort = 2s;      // beside all else that keeps a client from renewing its session
constexpr Duration kPatience = 20s;  // less than any call of ours to the metaserver waits
constexpr uint64_t kStopOneIn = 5;   // troubles
constexpr KillPoint kClientsPoints[] = {KillPoint::flush_taken,  KillPoint::stripes_appended,
                                        KillPoint::chunk_sealed, KillPoint::stripes_synced,
                                        KillPoint::name_changed, KillPoint::commit_answered};

}  // namespace

void Trouble::stop_something() {
  if (!kinds_.machines_stop || !stops_.one_in(kStopOneIn)) return;
  switch (stops_.below(8)) {
    case 0:
      return stop_metaserver();
    case 1:
      return stop_chunkserver();
    case 2:
    case 3:
      return arm_stop();
    default:
      return stop_client();
  }
}

Duration Trouble::time_of_stop() {
  if (!world_.options().harsh || stops_.one_in(4)) return between(stops_, kShortest, kShort);
  const Duration ttl = world_.options().session_ttl;
  return stops_.one_in(2) ? between(stops_, ttl / 2, ttl * 5 / 4) : between(stops_, ttl, ttl * 2);
}

void Trouble::stop_client() {
  stand_still(CairnWorld::client(static_cast<uint32_t>(stops_.below(world_.options().clients))), time_of_stop());
}

void Trouble::stop_metaserver() { stand_still(CairnWorld::kMeta, std::min(time_of_stop(), kPatience)); }

// One at a time, so that the others go on meanwhile.
void Trouble::stand_still(const std::string& machine, Duration time) {
  if (!cluster_.running(machine) || !thaws_.empty()) return;
  story_.tell("{} stands still for {} ms", machine, time / 1ms);
  thaws_[machine] = cluster_.scheduler().now() + time;
  cluster_.freeze(machine);  // for a fiber of the machine: until it goes on
}

// Counts among the impaired, like one that nobody reaches.
void Trouble::stop_chunkserver() {
  const auto index = static_cast<uint32_t>(stops_.below(world_.options().chunkservers));
  if (!may_impair(index)) return;
  const std::string name = CairnWorld::chunkserver(index);
  story_.tell("{} stands still", name);
  world_.freeze(name);
  impaired_[index] = {cluster_.scheduler().now() + between(stops_, kShortest, 12s), [this, name] {
                        story_.tell("{} goes on", name);
                        world_.thaw(name);
                      }};
}

// A client, when it is in the middle of a flush or of a change of names.
void Trouble::arm_stop() {
  armed_stop_ = {kClientsPoints[stops_.below(std::size(kClientsPoints))],
                 CairnWorld::client(static_cast<uint32_t>(stops_.below(world_.options().clients))), time_of_stop()};
}

// In the fiber that passes.
void Trouble::stop_at(KillPoint point) {
  if (!armed_stop_ || armed_stop_->point != point || armed_stop_->passer != cluster_.machine_here()) return;
  const ArmedStop stop = *armed_stop_;
  armed_stop_.reset();
  story_.tell("{} is at {}", stop.passer, info_of(point).name);
  stand_still(stop.passer, stop.time);
}

void Trouble::thaw_those_due() {
  thaw_workers(cluster_.scheduler().now());
  std::erase_if(thaws_, [&](const auto& each) {
    if (each.second > cluster_.scheduler().now()) return false;
    story_.tell("{} goes on", each.first);
    cluster_.thaw(each.first);
    return true;
  });
}

void Trouble::thaw_all() {
  armed_stop_.reset();
  thaw_workers(Instant::never());
  for (const auto& [machine, due] : thaws_) cluster_.thaw(machine);
  thaws_.clear();
}

}  // namespace cairn

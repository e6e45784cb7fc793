// Troubles of workers of near-data tasks, of those who submit jobs, and of the network between servers; in runs with
// jobs, beside all others.
//
// A worker may die at any moment: it holds nothing that must survive. One that stands still alone is what makes others
// do its tasks a second time.
#include "tests/campaign/trouble.h"

namespace cairn {
namespace {

constexpr KillPoint kPoints[] = {KillPoint::task_taken, KillPoint::task_done, KillPoint::task_done,
                                 KillPoint::output_written};
constexpr Duration kPaths = 12s;  // as long as anything else of a chunkserver is impaired

}  // namespace

void Trouble::trouble_workers() {
  if (!world_.options().workers || !jobs_.one_in(2)) return;
  const auto index = static_cast<uint32_t>(jobs_.below(world_.options().chunkservers));
  switch (jobs_.below(10)) {
    case 0:
      return kill_worker(index);
    case 1:
      for (uint32_t i = 0; i < world_.options().chunkservers; ++i) {
        if (jobs_.one_in(2)) kill_worker(i);
      }
      return;
    case 2:
      return stop_worker(CairnWorld::worker(index));
    case 3:
      return cut_servers(index);
    case 4:
      return crash_submitter();
    default:
      armed_worker_ = {kPoints[jobs_.below(std::size(kPoints))], jobs_.between(1, 4), jobs_.between(1, 6),
                       jobs_.one_in(3)};
  }
}

void Trouble::kill_worker(uint32_t index) {
  const std::string worker = CairnWorld::worker(index);
  if (!cluster_.running(worker)) return;
  story_.tell("{} is killed", worker);
  cluster_.kill(worker);
  revive(worker, between(jobs_, 1ms, 8s));
}

// It goes on after a while; for a fiber of it: then this returns.
void Trouble::stop_worker(const std::string& worker) {
  if (!cluster_.running(worker) || cluster_.frozen(worker)) return;
  const Duration time = between(jobs_, 10ms, kPaths);
  story_.tell("{} stands still for {} ms", worker, time / 1ms);
  worker_thaws_[worker] = cluster_.scheduler().now() + time;
  cluster_.freeze(worker);
}

// A chunkserver from the metaserver or from another one; it counts among the impaired.
void Trouble::cut_servers(uint32_t index) {
  if (!may_impair(index)) return;
  const std::string name = CairnWorld::chunkserver(index);
  std::string other = CairnWorld::kMeta;
  if (jobs_.one_in(2))
    other = CairnWorld::chunkserver(static_cast<uint32_t>(
        (index + jobs_.between(1, world_.options().chunkservers - 1)) % world_.options().chunkservers));
  story_.tell("{} and {} are cut apart", name, other);
  const uint64_t ways = jobs_.below(3);
  if (ways != 1) cluster_.network().cut_one_way(name, other);
  if (ways != 2) cluster_.network().cut_one_way(other, name);
  impaired_[index] = {cluster_.scheduler().now() + between(jobs_, 10ms, kPaths), [this, name, other] {
                        story_.tell("{} and {} see each other", name, other);
                        cluster_.network().heal(name, other);
                      }};
}

void Trouble::crash_submitter() {
  if (!cluster_.running(CairnWorld::kJobs)) return;
  const bool power = jobs_.one_in(2);
  story_.tell("{} {}", CairnWorld::kJobs, power ? "loses power" : "is killed");
  power ? cluster_.power_cut(CairnWorld::kJobs) : cluster_.kill(CairnWorld::kJobs);
  revive(CairnWorld::kJobs, between(jobs_, 1ms, 2s));
}

// In the fiber that passes, of any worker; may not return.
void Trouble::worker_passed(KillPoint point) {
  if (!armed_worker_ || armed_worker_->point != point) return;
  if (armed_worker_->passes > 1) {
    --armed_worker_->passes;
    return;
  }
  const bool dies = armed_worker_->dies;
  if (--armed_worker_->times == 0) armed_worker_.reset();
  const std::string worker = cluster_.machine_here() + "/worker";
  story_.tell("{} is at {}", worker, info_of(point).name);
  if (!dies) return stop_worker(worker);
  story_.tell("{} is killed", worker);
  revive(worker, between(jobs_, 1ms, 8s));
  world_.die_here(SimCluster::Death::killed);
}

void Trouble::thaw_workers(Instant due) {
  std::erase_if(worker_thaws_, [&](const auto& each) {
    if (each.second > due) return false;
    if (cluster_.frozen(each.first)) story_.tell("{} goes on", each.first);
    cluster_.thaw(each.first);
    return true;
  });
}

}  // namespace cairn

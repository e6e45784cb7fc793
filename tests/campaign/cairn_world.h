// All of CairnFS as simulated machines: the metaserver, its chunkservers, and machines of clients.
//
//   meta    log on its disk, a MemoryStore beside it        c0 .. c5   a data directory each, labelled host h0 .. h5
//   client, client1 ..  whatever program the test starts on them     jobs    the same, of near-data jobs
//
// In runs with near-data jobs a worker stands beside each chunkserver, a process of the same machine: the chunkserver
// starts it when it has registered, and it dies with it.
//
// Lives outside of the machines and outlives them. Calls come from the test's own fibers unless they say otherwise.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "client/filesystem.h"
#include "common/meta/admin.h"
#include "metaserver/store/memory_store.h"
#include "tests/campaign/shared_files.h"
#include "tests/campaign/story.h"
#include "tests/sim/sim_cluster.h"

namespace cairn {

struct WorldOptions {
  uint64_t seed = 1;
  uint32_t chunkservers = 6;
  Code policy{4, 2};
  uint32_t cell_bytes = 64u << 10;
  Duration session_ttl = 20s;
  Duration quarantine = 5s;  // shorter than cuts of the network: an append under way may outlive its chunk
  uint32_t clients = 1;
  bool workers = false;              // of near-data tasks, one beside each chunkserver
  uint32_t task_slots = 1;           // of each
  uint32_t inline_partial = 1000;    // bytes; a larger result is spooled
  uint64_t cache_bytes = 64u << 20;  // of each mount
  Duration down_after = 10min;       // of a silent chunkserver
  bool harsh = false;                // more may fail than is promised to be survived: calls may fail, and nothing more
};

class CairnWorld {
 public:
  static constexpr const char* kMeta = "meta";
  static constexpr uint16_t kMetaPort = 4000;
  static constexpr uint16_t kChunkPort = 5000;
  static constexpr uint16_t kWorkerPort = 6000;
  static constexpr const char* kJobs = "jobs";

  CairnWorld(const WorldOptions& options, int story_to);  // a file descriptor

  SimCluster& cluster() { return cluster_; }
  Story& story() { return story_; }
  const WorldOptions& options() const { return options_; }
  static std::string chunkserver(uint32_t index) { return fmt::format("c{}", index); }
  static uint32_t index_of(const std::string& chunkserver) {
    return static_cast<uint32_t>(std::stoul(chunkserver.substr(1)));
  }
  static std::string worker(uint32_t index) { return chunkserver(index) + "/worker"; }
  static std::string client(uint32_t index) { return index == 0 ? "client" : fmt::format("client{}", index); }

  void start_servers();                                       // all, for the first time
  void start_jobs(std::function<void(SimMachine&)> program);  // on their machine, for the first time
  void kill_metaserver();
  void cut_metaserver();  // its power
  void restart_metaserver();
  void cut_everything();      // the clients too
  void restart_everything();  // servers and clients
  // A process that died. A worker starts with its chunkserver, if that does not run; and may have done so.
  void start_again(const std::string& process);
  uint64_t workers_begun() const { return workers_begun_; }  // all of them, so far
  // SIGSTOP and SIGCONT of a chunkserver with its worker.
  void freeze(const std::string& chunkserver);
  void thaw(const std::string& chunkserver);
  void jump_wall(const std::string& machine, Duration by);
  // The metaserver's has: what is told in hours and days may be over for one that starts then.
  bool wall_jumped() const { return wall_jumped_; }
  // For a fiber of a machine: its death, here and now (sim_cluster.h).
  [[noreturn]] void die_here(SimCluster::Death death);

  // While it is not calm, more is broken than is promised to be survived; a judge waits, and holds off what is next.
  bool calm() const { return calm_; }
  void set_calm(bool calm) { calm_ = calm; }
  void begin_judging(const std::string& client);
  void end_judging(const std::string& client) { judges_.erase(client); }
  // Everything is healed for good: from now on no call may fail in any run.
  void begin_verdict() { verdict_ = true; }
  bool verdict() const { return verdict_; }
  bool judged_now() const { return !judges_.empty(); }
  void sleep(Duration time) { cluster_.scheduler().sleep(time); }
  Instant now() { return cluster_.scheduler().now(); }
  SharedFiles& shared() { return shared_; }
  // Of shared files. A client's mount may give up what it has buffered, at any moment until it has ended: a call
  // failed.
  void begin_giving_up(uint64_t client) { giving_up_.insert(client); }
  // A client has begun a mount, or ended one that was giving up.
  void new_life(uint64_t client);
  // Another number whenever a client has died, begun anew or lost its session since the last look, so that what it had
  // not synced may be gone (the shared files' models know); and at each look while somebody is giving up. An answer
  // says something only if the number was the same before and after the call.
  uint64_t lives();

  // From any fiber. Waits in virtual time; if it takes longer the run is wrong.
  void wait_until(const std::string& what, Duration longest, const std::function<bool()>& done);
  void wait_until_all_up();
  ClusterStatus status();
  void tell_status();  // all of it, into the story
  // What else is told of a wait that took too long.
  void on_hang(std::function<void()> tell) { tell_more_ = std::move(tell); }
  // What a program on a client machine mounts with.
  FilesystemOptions mount_options(const SimMachine& machine) const;

 private:
  void serve_metadata(SimMachine& machine);
  void serve_chunks(SimMachine& machine, uint32_t index);
  void serve_tasks(SimMachine& machine, uint32_t index, ServerId own);
  [[noreturn]] void serve_for_ever();
  void lose_unflushed_metadata();

  const WorldOptions options_;
  MemoryStore store_;  // of the metaserver: it survives as RocksDB's files do
  SimCluster cluster_;
  Story story_;
  std::function<void()> tell_more_;
  uint64_t workers_begun_ = 0;
  bool wall_jumped_ = false;
  bool calm_ = true;
  bool verdict_ = false;
  std::set<std::string> judges_;
  SharedFiles shared_;
  std::set<uint64_t> giving_up_;  // clients
  struct Life {
    uint64_t number = 0;
    bool running = false;
    bool operator==(const Life&) const = default;
  };
  std::vector<uint64_t> begun_;  // lives of each client
  std::vector<Life> seen_;       // as lives() last saw them
  uint64_t seen_expired_ = 0;    // sessions that were silent for too long, the same
  uint64_t lives_ = 0;
};

}  // namespace cairn

// Calls to the metaserver, in our own types. Any thread; each call uses a pooled connection of its own.
//
// Every call is repeated (with the same request id, where it changes something) through broken connections and a
// restarting metaserver until it is answered or its deadline passes; so `timed_out` means: it may have happened.
// Repetitions wait 20 ms, then twice as long each time, up to 1 s. A call whose answer says unavailable, timed_out or
// busy is repeated too. Errors: those of the metaserver as they are; timed_out; unavailable after shut_down(); io for
// an answer that is none; busy when the metaserver had no room for the call all that time: it did not happen.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/network.h"
#include "common/base/result.h"
#include "common/meta/admin.h"
#include "common/meta/heartbeat.h"
#include "common/meta/jobs.h"
#include "common/meta/locks.h"
#include "common/meta/requests.h"
#include "common/meta/session.h"

namespace cairn {

class MetaClient {
 public:
  struct Options {
    Duration call_timeout = 30s;  // of one call, with all its repetitions; three times as long while the answer is busy
    Duration attempt_timeout = 10s;  // of one attempt: a metaserver whose machine is gone does not say so
    uint32_t idle_connections = 64;  // kept for later calls
    // While one change has no answer, no more than so many follow it; others wait. The metaserver keeps the outcomes of
    // all of them: this is a quarter of what it takes (metaserver/state/outcomes.h).
    uint64_t most_unanswered = 64u << 10;
  };
  MetaClient(Network& network, Clock& clock, Address metaserver, Options options);
  MetaClient(Network& network, Clock& clock, Address metaserver)
      : MetaClient(network, clock, std::move(metaserver), Options{}) {}
  ~MetaClient();
  // Ends all calls, those under way and later ones, with unavailable. From any thread: for a mount that goes away. No
  // call may be under way in the destructor.
  void shut_down();

  // The session in whose name all later calls are made. Before the first mutating call; again after the session was
  // lost. Repeated with the same nonce, so one call opens one session. May take as long as call_timeout: another
  // mount's leases are recalled first.
  Result<SessionGrant> open_session(const SessionRequest& request);
  struct Renewed {
    Duration ttl{};
    uint64_t run = 0;
  };
  Result<Renewed> renew_session();  // one attempt, no repetitions
  Status close_session();
  // Long poll: the answer may take `wait`; one attempt.
  Result<EventPage> events(uint64_t acknowledged, Duration wait);
  // Answers recalls. open: of these inodes, those that have an open descriptor here.
  Status release_leases(std::vector<Lease> leases, std::vector<InodeId> open = {});
  // Those that could be had. Whether or not: from here on this session is asked when the inode's last name goes.
  Result<std::vector<Lease>> acquire_leases(std::vector<Lease> leases);
  // After a restart of the metaserver; last: this was all. Those that are not returned could not be had again.
  // stale_epoch: it has restarted since that run.
  Result<std::vector<Lease>> reclaim_leases(std::vector<Lease> leases, bool last, uint64_t run);
  SessionId session() const;
  // Requests sent so far, by the name of the call; repetitions count too.
  std::map<std::string, uint64_t> messages() const;

  // Locks. Each call happens once, whatever is repeated; its answer never waits for another owner.
  Result<LockAnswer> lock(const LockCall& call);
  Result<LockAnswer> cancel_lock(uint64_t run, uint64_t waiter);
  Result<LockAnswer> reclaim_locks(const LockReclaim& reclaim);
  Result<std::optional<LockInfo>> test_lock(const HeldLock& wanted);  // who stands in its way
  Result<LockPage> list_locks(const LockListCall& call);

  // `leased`, if given, becomes the run of the metaserver in which a read lease came with the answer, or 0 (of
  // make_node: a write lease of the new inode).
  Result<Entry> lookup(InodeId parent, const std::string& name, uint64_t* leased = nullptr);
  Result<Attributes> get_attributes(InodeId inode, uint64_t* leased = nullptr);
  Result<std::string> readlink(InodeId inode, uint64_t* leased = nullptr);
  Result<DirectoryPage> read_directory(InodeId inode, uint64_t after_cookie, uint32_t limit,
                                       uint64_t* leased = nullptr);
  Result<FilesystemSpace> statfs();
  Result<std::string> get_xattr(InodeId inode, const std::string& name, uint64_t* leased = nullptr);
  Result<std::vector<std::string>> list_xattrs(InodeId inode, uint64_t* leased = nullptr);
  Result<Layout> layout(InodeId inode, uint64_t offset, uint64_t length, uint32_t limit, uint64_t* leased = nullptr);

  Result<Entry> make_node(const MakeNode& request, uint64_t* leased = nullptr);
  Result<Attributes> make_anonymous(const MakeAnonymous& request, uint64_t* leased = nullptr);
  Result<Entry> link(const LinkNode& request);
  Result<Removed> remove(const RemoveName& request);
  Result<Renamed> rename(const Rename& request);
  Result<Attributes> set_attributes(const SetAttributes& request);
  Status set_xattr(const SetXattr& request);
  Status remove_xattr(const RemoveXattr& request);
  Result<Attributes> trim_range(const TrimRange& request);
  Status forget_orphans(const ForgetOrphans& request);
  Result<Committed> commit(const Commit& request);
  Result<std::vector<ChunkInfo>> grant_chunks(const GrantChunks& request);
  Status seal_chunks(const SealChunks& request);

  Result<ClusterMap> cluster_map();
  Result<ClusterStatus> status(bool with_state_hash = false);
  Result<std::vector<ChunkInfo>> list_chunks(ChunkId after, uint32_t limit);
  Result<ServerChange> change_server(const ChangeServer& change);

  // Near-data tasks (common/meta/jobs.h). Pages start at the index `from` and are bounded by the metaserver.
  Result<JobId> submit_job(const SubmitJob& job);  // add_job_inputs follows
  Status add_job_inputs(const AddJobInputs& request);
  Status cancel_job(JobId job);
  Result<JobStatus> job_status(JobId job);
  Result<JobList> list_jobs(JobId after, uint32_t limit);
  Result<JobPlan> job_plan(JobId job, uint32_t from_task, uint32_t limit);
  Result<JobDescription> get_job(JobId job, uint32_t from_file, uint32_t limit);
  Result<JobLayout> job_layout(JobId job, uint32_t file, uint64_t begin, uint64_t end, uint32_t limit = 0);
  Result<JobResults> job_results(JobId job, uint32_t from_task, uint32_t limit);
  Status lost_result(const LostResult& request);
  // Long poll: the answer may take poll.wait; one attempt. At most one at a time for each worker.
  Result<TaskOrders> poll_tasks(const TaskPoll& poll);
  Result<TaskVerdict> finish_task(const FinishTask& request);
  Result<TaskVerdict> finish_job(const FinishJob& request);

  // A chunkserver's own call.
  using HeartbeatInfo = Heartbeat;
  using HeartbeatAnswer = cairn::HeartbeatAnswer;
  Result<HeartbeatAnswer> heartbeat(const HeartbeatInfo& info);  // one attempt

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn

#include "metaserver/service.h"

#include <algorithm>

#include "Metaserver.h"
#include "common/rpc/wire.h"
#include "metaserver/server_changes.h"
#include "metaserver/servers/chunk_grants.h"
#include "metaserver/state/queries.h"

namespace cairn {
namespace {

constexpr uint32_t kMaxDirectoryPage = 4096;
constexpr uint32_t kMaxLayoutPage = 4096;
constexpr uint32_t kMaxChunkPage = 4096;

uint32_t page_limit(int32_t asked, uint32_t most) {
  return asked <= 0 ? most : std::min(static_cast<uint32_t>(asked), most);
}

// The answer that a command of this kind gives. Another kind means that the request id was used before, for something
// else.
template <typename Own>
Result<Own> expect(Outcome outcome) {
  if (!outcome.ok()) return outcome.error();
  Own* own = std::get_if<Own>(&outcome.value());
  if (own == nullptr) return Error{Errc::invalid, "this request id was used for another request before"};
  return std::move(*own);
}
Status expect_done(const Outcome& outcome) { return outcome.ok() ? Status{} : Status(outcome.error()); }

Result<Mutation> mutation_of(const thrift::Mutation& wire) {
  ASSIGN(const Mutation mutation, from_wire(wire));
  if (raw(mutation.session) == 0) return Error{Errc::no_session, "a change needs a session: open one"};
  return mutation;
}

class Service final : public thrift::MetaserverIf {
 public:
  explicit Service(const ServiceParts& parts) : parts_(parts) {}

  // ---- sessions and leases
  void open_session(thrift::OpenSessionReply& reply, const thrift::OpenSessionRequest& request) override {
    const auto own = from_wire(request);
    own.ok() ? answer(reply, parts_.admission.open(*own)) : answer(reply, own.error());
    parts_.locks.grace_changed();
  }
  void renew_session(thrift::RenewReply& reply, const thrift::RenewRequest& request) override {
    answer(reply, renew(request));
  }
  void close_session(thrift::EmptyReply& reply, const thrift::CloseSessionRequest& request) override {
    const auto mutation = mutation_of(request.mutation);
    answer(reply, mutation.ok() ? parts_.sessions.close(*mutation) : Status(mutation.error()));
  }
  void events(thrift::EventsReply& reply, const thrift::EventsRequest& request) override {
    answer(reply,
           parts_.sessions.events(from_wire_id<SessionId>(request.session), static_cast<uint64_t>(request.acknowledged),
                                  std::chrono::milliseconds(std::max(0, request.wait_ms))));
  }
  void acquire_leases(thrift::AcquireReply& reply, const thrift::AcquireRequest& request) override {
    const auto leases = from_wire(request.leases);
    leases.ok() ? answer(reply, parts_.admission.acquire(session_of(request), *leases)) : answer(reply, leases.error());
  }
  void release_leases(thrift::EmptyReply& reply, const thrift::ReleaseRequest& request) override {
    const auto leases = from_wire(request.leases);
    std::vector<InodeId> open;
    for (const int64_t one : request.open) open.push_back(inode(one));
    answer(reply, leases.ok() ? parts_.admission.release(session_of(request), *leases, open) : Status(leases.error()));
  }
  void reclaim_leases(thrift::AcquireReply& reply, const thrift::AcquireRequest& request) override {
    const auto leases = from_wire(request.leases);
    leases.ok() ? answer(reply, parts_.admission.reclaim(session_of(request), *leases, request.last,
                                                         static_cast<uint64_t>(request.run)))
                : answer(reply, leases.error());
    parts_.locks.grace_changed();
  }

  // ---- locks
  void lock(thrift::LockReply& reply, const thrift::LockRequest& request) override { answer(reply, lock(request)); }
  void cancel_lock(thrift::LockReply& reply, const thrift::CancelLockRequest& request) override {
    answer(reply, cancel_lock(request));
  }
  void reclaim_locks(thrift::LockReply& reply, const thrift::ReclaimLocksRequest& request) override {
    answer(reply, reclaim_locks(request));
  }
  void test_lock(thrift::TestLockReply& reply, const thrift::TestLockRequest& request) override {
    const auto wanted = from_wire(request.lock);
    wanted.ok() ? answer(reply, parts_.locks.test(from_wire_id<SessionId>(request.session), *wanted))
                : answer(reply, wanted.error());
  }
  void list_locks(thrift::ListLocksReply& reply, const thrift::ListLocksRequest& request) override {
    const auto own = from_wire(request);
    own.ok() ? answer(reply, parts_.locks.list(*own)) : answer(reply, own.error());
  }

  // ---- reads
  void lookup(thrift::EntryReply& reply, const thrift::LookupRequest& request) override {
    looked(reply, parts_.admission.lookup(session_of(request), inode(request.parent), request.name));
  }
  void get_attributes(thrift::AttributesReply& reply, const thrift::GetAttributesRequest& request) override {
    look(reply, request, [&](const StoreView& view) { return queries::attributes(view, inode(request.inode)); });
  }
  void readlink(thrift::ReadlinkReply& reply, const thrift::GetAttributesRequest& request) override {
    look(reply, request, [&](const StoreView& view) { return queries::readlink(view, inode(request.inode)); });
  }
  void read_directory(thrift::DirectoryReply& reply, const thrift::DirectoryRequest& request) override {
    look(reply, request, [&](const StoreView& view) {
      return queries::directory(view, inode(request.inode), static_cast<uint64_t>(request.after_cookie),
                                page_limit(request.limit, kMaxDirectoryPage));
    });
  }
  void statfs(thrift::StatfsReply& reply, const thrift::GetAttributesRequest& request) override {
    read(reply, request, [&](const StoreView&) { return parts_.status.space(); });
  }
  void get_xattr(thrift::XattrReply& reply, const thrift::XattrRequest& request) override {
    look(reply, request,
         [&](const StoreView& view) { return queries::xattr(view, inode(request.inode), request.name); });
  }
  void list_xattrs(thrift::XattrListReply& reply, const thrift::GetAttributesRequest& request) override {
    look(reply, request, [&](const StoreView& view) { return queries::xattr_names(view, inode(request.inode)); });
  }
  void layout(thrift::LayoutReply& reply, const thrift::LayoutRequest& request) override {
    look(reply, request, [&](const StoreView& view) -> Result<Layout> {
      TRY(check_range(request.offset, request.length));
      return queries::layout(view, inode(request.inode), static_cast<uint64_t>(request.offset),
                             static_cast<uint64_t>(request.length), page_limit(request.limit, kMaxLayoutPage));
    });
  }

  // ---- changes
  void make_node(thrift::EntryReply& reply, const thrift::MakeNodeRequest& request) override {
    bool leased = false;
    answer(reply, expect<Entry>(make(request, leased)));
    if (leased) reply.__set_leased(static_cast<int64_t>(parts_.sessions.run()));
  }
  void make_anonymous(thrift::AttributesReply& reply, const thrift::MakeAnonymousRequest& request) override {
    bool leased = false;
    answer(reply, expect<Attributes>(make(request, leased)));
    if (leased) reply.__set_leased(static_cast<int64_t>(parts_.sessions.run()));
  }
  void link(thrift::EntryReply& reply, const thrift::LinkRequest& request) override { change<Entry>(reply, request); }
  void remove(thrift::RemoveReply& reply, const thrift::RemoveRequest& request) override {
    change<Removed>(reply, request);
  }
  void rename(thrift::RenameReply& reply, const thrift::RenameRequest& request) override {
    change<Renamed>(reply, request);
  }
  void set_attributes(thrift::AttributesReply& reply, const thrift::SetAttributesRequest& request) override {
    change<Attributes>(reply, request);
  }
  void set_xattr(thrift::EmptyReply& reply, const thrift::SetXattrRequest& request) override { change(reply, request); }
  void remove_xattr(thrift::EmptyReply& reply, const thrift::RemoveXattrRequest& request) override {
    change(reply, request);
  }
  void trim_range(thrift::AttributesReply& reply, const thrift::TrimRangeRequest& request) override {
    change<Attributes>(reply, request);
  }
  void forget_orphans(thrift::EmptyReply& reply, const thrift::ForgetOrphansRequest& request) override {
    const auto command = command_of(request);
    answer(reply, command.ok() ? expect_done(parts_.admission.forget_orphans(*command)) : Status(command.error()));
  }
  void commit(thrift::CommitReply& reply, const thrift::CommitRequest& request) override {
    change<Committed>(reply, request);
  }
  void seal_chunks(thrift::EmptyReply& reply, const thrift::SealRequest& request) override { change(reply, request); }
  void grant_chunks(thrift::GrantReply& reply, const thrift::GrantRequest& request) override {
    answer(reply, grant(request));
  }

  // ---- the cluster
  void cluster_map(thrift::ClusterMapReply& reply, const thrift::ClusterMapRequest&) override {
    answer(reply, parts_.cluster.map());
  }
  void heartbeat(thrift::HeartbeatReply& reply, const thrift::HeartbeatRequest& request) override {
    const auto own = from_wire(request);
    own.ok() ? answer(reply, parts_.cluster.heartbeat(*own)) : answer(reply, own.error());
  }
  void status(thrift::StatusReply& reply, const thrift::StatusRequest& request) override {
    answer(reply, parts_.status.status(request.with_state_hash));
  }
  void list_chunks(thrift::ChunkListReply& reply, const thrift::ChunkListRequest& request) override {
    read(reply, request, [&](const StoreView& view) {
      return queries::chunks(view, from_wire_id<ChunkId>(request.after), page_limit(request.limit, kMaxChunkPage));
    });
  }
  void change_server(thrift::ChangeServerReply& reply, const thrift::ChangeServerRequest& request) override {
    if (request.state < 0 || request.state >= kServerStates)
      return answer(reply, Error{Errc::invalid, "a server's state is 0, 1 or 2"});
    const ChangeServer change{from_wire_id<ServerId>(request.server), static_cast<ServerState>(request.state),
                              request.force, request.dry_run};
    answer(reply, cairn::change_server(parts_.cluster, parts_.status, change));
  }
  // ---- near-data jobs
  void submit_job(thrift::JobReply& reply, const thrift::JobRequest& request) override {
    answer(reply, expect<JobId>(change_job<SubmitJob>(request, &Jobs::submit)));
  }
  void add_job_inputs(thrift::EmptyReply& reply, const thrift::JobInputsRequest& request) override {
    answer(reply, expect_done(change_job<AddJobInputs>(request, &Jobs::add_inputs)));
  }
  void cancel_job(thrift::EmptyReply& reply, const thrift::CancelJobRequest& request) override {
    answer(reply, expect_done(change_job<CancelJob>(request, &Jobs::cancel)));
  }
  void lost_result(thrift::EmptyReply& reply, const thrift::LostResultRequest& request) override {
    answer(reply, expect_done(change_job<LostResult>(request, &Jobs::lost_result)));
  }
  void finish_task(thrift::TaskVerdictReply& reply, const thrift::FinishTaskRequest& request) override {
    answer(reply, change_job<FinishTask>(request, &Jobs::finish_task));
  }
  void finish_job(thrift::TaskVerdictReply& reply, const thrift::FinishJobRequest& request) override {
    answer(reply, change_job<FinishJob>(request, &Jobs::finish_job));
  }
  void poll_tasks(thrift::TaskPollReply& reply, const thrift::TaskPollRequest& request) override {
    const auto own = from_wire(request);
    own.ok() ? answer(reply, parts_.jobs.poll(session_of(request), *own)) : answer(reply, own.error());
  }
  void job_status(thrift::JobStatusReply& reply, const thrift::JobStatusRequest& request) override {
    look_at_jobs(reply, request, [&] { return parts_.jobs.status(job(request.job)); });
  }
  void list_jobs(thrift::ListJobsReply& reply, const thrift::ListJobsRequest& request) override {
    look_at_jobs(reply, request, [&] {
      return parts_.jobs.list(job(request.after), static_cast<uint32_t>(std::max(0, request.limit)));
    });
  }
  void job_plan(thrift::JobPlanReply& reply, const thrift::JobPlanRequest& request) override {
    page_of_job(reply, request, &Jobs::plan);
  }
  void get_job(thrift::JobDescriptionReply& reply, const thrift::JobDescriptionRequest& request) override {
    page_of_job(reply, request, &Jobs::describe);
  }
  void job_results(thrift::JobResultsReply& reply, const thrift::JobResultsRequest& request) override {
    page_of_job(reply, request, &Jobs::results);
  }
  void job_layout(thrift::JobLayoutReply& reply, const thrift::JobLayoutRequest& request) override {
    const auto own = from_wire(request);
    if (!own.ok()) return answer(reply, own.error());
    look_at_jobs(reply, request, [&] { return parts_.jobs.layout(*own); });
  }

 private:
  static JobId job(int64_t wire) { return from_wire_id<JobId>(wire); }
  static InodeId inode(int64_t wire) { return from_wire_id<InodeId>(wire); }
  template <typename Request>
  static SessionId session_of(const Request& request) {
    return from_wire_id<SessionId>(request.session);
  }

  // A session that has ended gets no more answers: what it cached may be stale. Session 0 is a tool that only looks.
  template <typename Reply, typename Request, typename Query>
  void read(Reply& reply, const Request& request, const Query& query) {
    if (const Status alive = parts_.sessions.check(session_of(request)); !alive.ok()) return answer(reply, alive);
    answer(reply, query(*parts_.store.view()));
  }
  // The same of what a mount may keep.
  template <typename Reply, typename Request, typename Query>
  void look(Reply& reply, const Request& request, const Query& query) {
    looked(reply, parts_.admission.look(session_of(request), inode(request.inode), query));
  }
  template <typename Reply, typename T>
  void looked(Reply& reply, const Admission::Looked<T>& found) {
    answer(reply, found.answer);
    if (found.leased) reply.__set_leased(static_cast<int64_t>(parts_.sessions.run()));
  }

  template <typename Request>
  static Result<Command> command_of(const Request& request) {
    ASSIGN(const Mutation mutation, mutation_of(request.mutation));
    ASSIGN(auto body, from_wire(request));
    return Command{mutation, 0, std::move(body)};
  }
  template <typename Request>
  Outcome propose(const Request& request) {
    ASSIGN(Command command, command_of(request));
    return parts_.admission.change(std::move(command));
  }
  template <typename Request>
  Outcome make(const Request& request, bool& leased) {
    ASSIGN(Command command, command_of(request));
    return parts_.admission.make(std::move(command), leased);
  }
  template <typename Own, typename Reply, typename Request>
  void change(Reply& reply, const Request& request) {
    answer(reply, expect<Own>(propose(request)));
  }
  template <typename Request>
  void change(thrift::EmptyReply& reply, const Request& request) {
    answer(reply, expect_done(propose(request)));
  }

  // A call that changes a job: unpacked, and handed to the member of Jobs.
  template <typename Own, typename Request, typename Call>
  auto change_job(const Request& request, Call call)
      -> decltype((std::declval<Jobs&>().*call)(std::declval<const Mutation&>(), std::declval<Own>())) {
    ASSIGN(const Mutation mutation, mutation_of(request.mutation));
    ASSIGN(Own own, from_wire(request));
    return (parts_.jobs.*call)(mutation, std::move(own));
  }
  template <typename Reply, typename Request, typename Look>
  void look_at_jobs(Reply& reply, const Request& request, const Look& look) {
    if (const Status alive = parts_.sessions.check(session_of(request)); !alive.ok()) return answer(reply, alive);
    answer(reply, look());
  }
  template <typename Reply, typename Request, typename Page>
  void page_of_job(Reply& reply, const Request& request, Page page) {
    if (request.first < 0) return answer(reply, Error{Errc::invalid, "a page that begins before the first"});
    look_at_jobs(reply, request, [&] {
      return (parts_.jobs.*page)(job(request.job), static_cast<uint32_t>(request.first),
                                 static_cast<uint32_t>(std::max(0, request.limit)));
    });
  }

  Result<RenewedSession> renew(const thrift::RenewRequest& request) {
    ASSIGN(const Duration ttl, parts_.sessions.renew(from_wire_id<SessionId>(request.session)));
    ASSIGN(const auto counters, queries::counters(*parts_.store.view()));
    return RenewedSession{ttl, counters.map_epoch, parts_.sessions.run()};
  }
  Result<LockAnswer> lock(const thrift::LockRequest& request) {
    ASSIGN(const Mutation mutation, mutation_of(request.mutation));
    ASSIGN(const LockCall own, from_wire(request));
    return parts_.locks.lock(mutation, own);
  }
  Result<LockAnswer> cancel_lock(const thrift::CancelLockRequest& request) {
    ASSIGN(const Mutation mutation, mutation_of(request.mutation));
    ASSIGN(const CancelLock own, from_wire(request));
    return parts_.locks.cancel(mutation, own.run, own.waiter);
  }
  Result<LockAnswer> reclaim_locks(const thrift::ReclaimLocksRequest& request) {
    ASSIGN(const Mutation mutation, mutation_of(request.mutation));
    ASSIGN(const LockReclaim own, from_wire(request));
    return parts_.locks.reclaim(mutation, own);
  }
  Result<std::vector<ChunkInfo>> grant(const thrift::GrantRequest& request) {
    ASSIGN(const Mutation mutation, mutation_of(request.mutation));
    ASSIGN(const GrantChunks own, from_wire(request));
    return cairn::grant_chunks(parts_.committer, parts_.cluster, parts_.store, mutation, own);
  }

  const ServiceParts parts_;
};

}  // namespace

RpcServer::ProcessorFactory metaserver_processor(const ServiceParts& parts) {
  auto processor = std::make_shared<thrift::MetaserverProcessor>(std::make_shared<Service>(parts));
  return [processor](CallTails&) { return processor; };
}

}  // namespace cairn

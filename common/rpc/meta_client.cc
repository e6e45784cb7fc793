#include "common/rpc/meta_client.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/thread.h"
#include "common/rpc/request_ids.h"
#include "common/rpc/rpc_connection.h"
#include "common/rpc/wire.h"

namespace cairn {

using Stub = thrift::MetaserverClient;  // Thrift's generated client

namespace {

// A poll that is late is asked again: a machine that lost its power does not say so, and when it is back all mounts
// wait for those that do not yet know.
constexpr Duration kPollSlack = 3s;
constexpr Duration kFirstPause = 20ms;
constexpr Duration kLongestPause = 1s;
constexpr int kBusyTimeouts = 3;

bool may_be_repeated(Errc code) { return code == Errc::unavailable || code == Errc::timed_out || code == Errc::busy; }

// One kind of call: its name, and the two halves of Thrift's generated client.
template <typename Request, typename Reply>
struct Method {
  const char* name;
  void (Stub::*put)(const Request&);
  void (Stub::*get)(Reply&);
};
template <typename Request, typename Reply>  // clang 14 does not make one for aggregates
Method(const char*, void (Stub::*)(const Request&), void (Stub::*)(Reply&))->Method<Request, Reply>;
#define CAIRN_METHOD(name) \
  Method { #name, &Stub::send_##name, &Stub::recv_##name }

}  // namespace

struct MetaClient::State {
  using Connection = RpcConnection<Stub>;

  State(Network& n, Clock& c, Address address, Options o)
      : network(n), clock(c), metaserver(std::move(address)), options(o) {}

  // A connection during one call. Dropped with this object unless it was kept.
  class Borrowed {
   public:
    Borrowed(State& state, std::unique_ptr<Connection> connection, bool reused)
        : state_(&state), connection_(std::move(connection)), reused_(reused) {}
    Borrowed(Borrowed&&) noexcept = default;
    ~Borrowed() {
      if (connection_ != nullptr) state_->forget(*connection_);
    }
    Connection& operator*() { return *connection_; }
    Connection* operator->() { return connection_.get(); }
    bool reused() const { return reused_; }
    void keep() { state_->give_back(std::move(connection_)); }

   private:
    State* state_;
    std::unique_ptr<Connection> connection_;
    bool reused_;
  };

  Result<Borrowed> borrow(bool fresh, Instant deadline);
  void give_back(std::unique_ptr<Connection> connection);
  void forget(Connection& connection);
  bool pause(Duration duration);

  // One attempt. A pooled connection that proves dead (the metaserver has restarted since) is replaced once.
  template <typename Request, typename Reply>
  Result<Reply> attempt(const Method<Request, Reply>& method, const Request& request, Instant deadline) {
    {
      const Lock lock(mutex);
      ++messages[method.name];
    }
    for (bool fresh = false;; fresh = true) {
      ASSIGN(Borrowed connection, borrow(fresh, deadline));
      Reply reply;
      const Status status = connection->call(method.put, method.get, request, reply, deadline);
      if (status.ok()) {
        connection.keep();
        return reply;
      }
      if (fresh || !connection.reused() || status.code() != Errc::unavailable) {
        return Error{status.code(), fmt::format("{}: {}", method.name, status.error().what)};
      }
    }
  }

  // Attempts until there is an answer.
  template <typename Request, typename Reply>
  auto call(const Method<Request, Reply>& method, const Request& request, Duration attempt_timeout,
            uint64_t* leased = nullptr) -> decltype(from_wire(std::declval<const Reply&>())) {
    if (leased != nullptr) *leased = 0;
    Instant deadline = clock.now() + options.call_timeout;
    const Instant busy_deadline = clock.now() + kBusyTimeouts * options.call_timeout;
    bool refused_each_time = true;
    for (Duration duration = kFirstPause;; duration = std::min(2 * duration, kLongestPause)) {
      const auto reply = attempt(method, request, std::min(busy_deadline, clock.now() + attempt_timeout));
      Error last{Errc::io, {}};
      if (reply.ok()) {
        auto answer = from_wire(*reply);
        if constexpr (requires { reply->leased; }) {
          if (leased != nullptr && reply->__isset.leased) *leased = static_cast<uint64_t>(reply->leased);
        }
        if (answer.ok() || !may_be_repeated(answer.error().code)) return answer;
        last = answer.error();
      } else {
        if (!may_be_repeated(reply.code())) return reply.error();
        last = reply.error();
      }
      if (last.code != Errc::busy) refused_each_time = false;
      // A metaserver that answers is there, and what it waits for ends: another mount's lease, within its TTL.
      if (last.code == Errc::busy) deadline = std::min(clock.now() + options.call_timeout, busy_deadline);
      if (clock.now() + duration >= deadline && refused_each_time) return last;
      if (clock.now() + duration >= deadline) {
        return Error{Errc::timed_out, fmt::format("{} at {} had no answer within {} ms; last: {}", method.name,
                                                  metaserver.text(), options.call_timeout / 1ms, last.what)};
      }
      if (!pause(duration)) return Error{Errc::unavailable, fmt::format("{}: this client is shut down", method.name)};
    }
  }
  template <typename Request, typename Reply>
  auto call(const Method<Request, Reply>& method, const Request& request, uint64_t* leased = nullptr) {
    return call(method, request, options.attempt_timeout, leased);
  }
  template <typename Request, typename Reply>
  auto call_once(const Method<Request, Reply>& method, const Request& request, Duration timeout)
      -> decltype(from_wire(std::declval<const Reply&>())) {
    ASSIGN(const Reply reply, attempt(method, request, clock.now() + timeout));
    return from_wire(reply);
  }

  // A mutating call: one request id for all its attempts.
  class Numbered {
   public:
    explicit Numbered(State& state) : state_(state) {
      Lock lock(state.mutex);
      state.answered.wait(lock,
                          [&state] { return state.closed || state.requests.spread() < state.options.most_unanswered; });
      mutation_.session = SessionId{state.session.load()};
      mutation_.request = state.requests.start();
      mutation_.lowest_unanswered = state.requests.lowest_unanswered();
    }
    Numbered(const Numbered&) = delete;
    ~Numbered() {
      Lock lock(state_.mutex);
      const bool was_lowest = state_.requests.lowest_unanswered() == mutation_.request;
      state_.requests.finish(mutation_.request);
      if (was_lowest) state_.answered.notify_all();
    }
    const Mutation& mutation() const { return mutation_; }

   private:
    State& state_;
    Mutation mutation_;
  };
  template <typename Request, typename Reply, typename Own>
  auto mutate(const Method<Request, Reply>& method, const Own& own, uint64_t* leased = nullptr) {
    const Numbered numbered(*this);
    return call(method, to_wire(own, numbered.mutation()), leased);
  }

  template <typename Request>  // of a call that only looks
  Request looking() const {
    Request request;
    request.session = static_cast<int64_t>(session.load());
    return request;
  }
  template <typename Request>
  Request looking_at(InodeId inode) const {
    auto request = looking<Request>();
    request.inode = to_wire_id(inode);
    return request;
  }

  template <typename Request>  // a page of something of a job
  Request page_of(JobId job, uint32_t from, uint32_t limit) const {
    auto request = looking<Request>();
    request.job = to_wire_id(job);
    request.first = static_cast<int32_t>(from);
    request.limit = static_cast<int32_t>(limit);
    return request;
  }

  Network& network;
  Clock& clock;
  const Address metaserver;
  const Options options;
  std::atomic<uint64_t> session = 0;

  Mutex mutex;
  CondVar closing;                                // closed became true
  CondVar answered;                               // the lowest unanswered request was, or closed became true
  std::vector<std::unique_ptr<Connection>> idle;  // guarded by mutex; the last one was used last
  std::vector<Stream*> busy;                      // guarded by mutex; of the borrowed connections, for shut_down()
  RequestIds requests;                            // guarded by mutex
  std::map<std::string_view, uint64_t> messages;  // guarded by mutex; by the names of CAIRN_METHOD
  bool closed = false;                            // guarded by mutex
};

// fresh: the pool has just proved dead, so all of it goes.
auto MetaClient::State::borrow(bool fresh, Instant deadline) -> Result<Borrowed> {
  std::vector<std::unique_ptr<Connection>> dead;
  {
    Lock lock(mutex);
    if (closed) return Error{Errc::unavailable, "this client is shut down"};
    if (fresh) dead.swap(idle);
    if (!idle.empty()) {
      std::unique_ptr<Connection> connection = std::move(idle.back());
      idle.pop_back();
      busy.push_back(&connection->stream());
      return Borrowed(*this, std::move(connection), true);
    }
  }
  ASSIGN(auto stream, network.connect(metaserver, deadline));
  auto connection = std::make_unique<Connection>(std::move(stream), 4096);
  Lock lock(mutex);
  if (closed) return Error{Errc::unavailable, "this client is shut down"};
  busy.push_back(&connection->stream());
  return Borrowed(*this, std::move(connection), false);
}

void MetaClient::State::forget(Connection& connection) {
  Lock lock(mutex);
  const auto at = std::ranges::find(busy, &connection.stream());
  *at = busy.back();
  busy.pop_back();
}

void MetaClient::State::give_back(std::unique_ptr<Connection> connection) {
  forget(*connection);
  Lock lock(mutex);
  if (!closed && idle.size() < options.idle_connections) idle.push_back(std::move(connection));
}

// False when the client was shut down meanwhile.
bool MetaClient::State::pause(Duration duration) {
  const Instant until = clock.now() + duration;
  Lock lock(mutex);
  return !closing.wait_until(lock, until, [this] { return closed; });
}

MetaClient::MetaClient(Network& network, Clock& clock, Address metaserver, Options options)
    : state_(std::make_unique<State>(network, clock, std::move(metaserver), options)) {}

MetaClient::~MetaClient() = default;

void MetaClient::shut_down() {
  std::vector<std::unique_ptr<State::Connection>> idle;
  {
    Lock lock(state_->mutex);
    state_->closed = true;
    idle.swap(state_->idle);
    for (Stream* const stream : state_->busy) stream->shut_down();
  }
  state_->closing.notify_all();
  state_->answered.notify_all();
}

SessionId MetaClient::session() const { return SessionId{state_->session.load()}; }

std::map<std::string, uint64_t> MetaClient::messages() const {
  const Lock lock(state_->mutex);
  return {state_->messages.begin(), state_->messages.end()};
}

// ---- sessions ------------------------------------------------------------------------------------------------------

Result<SessionGrant> MetaClient::open_session(const SessionRequest& request) {
  ASSIGN(const SessionGrant grant,
         state_->call(CAIRN_METHOD(open_session), to_wire(request), state_->options.call_timeout));
  state_->session.store(raw(grant.session));
  return grant;
}

Result<MetaClient::Renewed> MetaClient::renew_session() {
  const auto request = state_->looking<thrift::RenewRequest>();
  ASSIGN(const RenewedSession renewed,
         state_->call_once(CAIRN_METHOD(renew_session), request, state_->options.attempt_timeout));
  return Renewed{renewed.ttl, renewed.run};
}

Status MetaClient::close_session() {
  const State::Numbered numbered(*state_);
  thrift::CloseSessionRequest request;
  request.mutation = to_wire(numbered.mutation());
  return state_->call(CAIRN_METHOD(close_session), request);
}

Result<EventPage> MetaClient::events(uint64_t acknowledged, Duration wait) {
  auto request = state_->looking<thrift::EventsRequest>();
  request.acknowledged = static_cast<int64_t>(acknowledged);
  request.wait_ms = static_cast<int32_t>(wait / 1ms);
  return state_->call_once(CAIRN_METHOD(events), request, wait + kPollSlack);
}

Status MetaClient::release_leases(std::vector<Lease> leases, std::vector<InodeId> open) {
  auto request = state_->looking<thrift::ReleaseRequest>();
  request.leases = to_wire(leases);
  for (const InodeId inode : open) request.open.push_back(to_wire_id(inode));
  return state_->call(CAIRN_METHOD(release_leases), request);
}

Result<std::vector<Lease>> MetaClient::acquire_leases(std::vector<Lease> leases) {
  auto request = state_->looking<thrift::AcquireRequest>();
  request.leases = to_wire(leases);
  return state_->call(CAIRN_METHOD(acquire_leases), request);
}

Result<std::vector<Lease>> MetaClient::reclaim_leases(std::vector<Lease> leases, bool last, uint64_t run) {
  auto request = state_->looking<thrift::AcquireRequest>();
  request.last = last;
  request.run = static_cast<int64_t>(run);
  request.leases = to_wire(leases);
  return state_->call(CAIRN_METHOD(reclaim_leases), request);
}

// ---- calls that only look ------------------------------------------------------------------------------------------

Result<Entry> MetaClient::lookup(InodeId parent, const std::string& name, uint64_t* leased) {
  auto request = state_->looking<thrift::LookupRequest>();
  request.parent = to_wire_id(parent);
  request.name = name;
  return state_->call(CAIRN_METHOD(lookup), request, leased);
}

Result<Attributes> MetaClient::get_attributes(InodeId inode, uint64_t* leased) {
  return state_->call(CAIRN_METHOD(get_attributes), state_->looking_at<thrift::GetAttributesRequest>(inode), leased);
}

Result<std::string> MetaClient::readlink(InodeId inode, uint64_t* leased) {
  return state_->call(CAIRN_METHOD(readlink), state_->looking_at<thrift::GetAttributesRequest>(inode), leased);
}

Result<DirectoryPage> MetaClient::read_directory(InodeId inode, uint64_t after_cookie, uint32_t limit,
                                                 uint64_t* leased) {
  auto request = state_->looking_at<thrift::DirectoryRequest>(inode);
  request.after_cookie = static_cast<int64_t>(after_cookie);
  request.limit = static_cast<int32_t>(limit);
  return state_->call(CAIRN_METHOD(read_directory), request, leased);
}

Result<FilesystemSpace> MetaClient::statfs() {
  return state_->call(CAIRN_METHOD(statfs), state_->looking_at<thrift::GetAttributesRequest>(kRootInode));
}

Result<std::string> MetaClient::get_xattr(InodeId inode, const std::string& name, uint64_t* leased) {
  auto request = state_->looking_at<thrift::XattrRequest>(inode);
  request.name = name;
  return state_->call(CAIRN_METHOD(get_xattr), request, leased);
}

Result<std::vector<std::string>> MetaClient::list_xattrs(InodeId inode, uint64_t* leased) {
  return state_->call(CAIRN_METHOD(list_xattrs), state_->looking_at<thrift::GetAttributesRequest>(inode), leased);
}

Result<Layout> MetaClient::layout(InodeId inode, uint64_t offset, uint64_t length, uint32_t limit, uint64_t* leased) {
  auto request = state_->looking_at<thrift::LayoutRequest>(inode);
  request.offset = static_cast<int64_t>(offset);
  request.length = static_cast<int64_t>(length);
  request.limit = static_cast<int32_t>(limit);
  return state_->call(CAIRN_METHOD(layout), request, leased);
}

Result<ClusterMap> MetaClient::cluster_map() {
  return state_->call(CAIRN_METHOD(cluster_map), state_->looking<thrift::ClusterMapRequest>());
}

Result<ClusterStatus> MetaClient::status(bool with_state_hash) {
  auto request = state_->looking<thrift::StatusRequest>();
  request.with_state_hash = with_state_hash;
  return state_->call(CAIRN_METHOD(status), request);
}

Result<std::vector<ChunkInfo>> MetaClient::list_chunks(ChunkId after, uint32_t limit) {
  auto request = state_->looking<thrift::ChunkListRequest>();
  request.after = to_wire_id(after);
  request.limit = static_cast<int32_t>(limit);
  return state_->call(CAIRN_METHOD(list_chunks), request);
}

Result<ServerChange> MetaClient::change_server(const ChangeServer& change) {
  auto request = state_->looking<thrift::ChangeServerRequest>();
  request.server = static_cast<int32_t>(raw(change.server));
  request.state = static_cast<int32_t>(change.state);
  request.force = change.force;
  request.dry_run = change.dry_run;
  return state_->call(CAIRN_METHOD(change_server), request);
}

Result<HeartbeatAnswer> MetaClient::heartbeat(const HeartbeatInfo& info) {
  return state_->call_once(CAIRN_METHOD(heartbeat), to_wire(info), state_->options.attempt_timeout);
}

// ---- locks ---------------------------------------------------------------------------------------------------------

Result<LockAnswer> MetaClient::lock(const LockCall& call) { return state_->mutate(CAIRN_METHOD(lock), call); }
Result<LockAnswer> MetaClient::cancel_lock(uint64_t run, uint64_t waiter) {
  return state_->mutate(CAIRN_METHOD(cancel_lock), CancelLock{run, waiter});
}
Result<LockAnswer> MetaClient::reclaim_locks(const LockReclaim& reclaim) {
  return state_->mutate(CAIRN_METHOD(reclaim_locks), reclaim);
}
Result<std::optional<LockInfo>> MetaClient::test_lock(const HeldLock& wanted) {
  auto request = state_->looking<thrift::TestLockRequest>();
  request.lock = to_wire(wanted);
  return state_->call(CAIRN_METHOD(test_lock), request);
}
Result<LockPage> MetaClient::list_locks(const LockListCall& call) {
  auto request = to_wire(call);
  request.session = to_wire_id(session());
  return state_->call(CAIRN_METHOD(list_locks), request);
}

// ---- near-data tasks ------------------------------------------------------------------------------------------------

Result<JobId> MetaClient::submit_job(const SubmitJob& job) { return state_->mutate(CAIRN_METHOD(submit_job), job); }
Status MetaClient::add_job_inputs(const AddJobInputs& request) {
  return state_->mutate(CAIRN_METHOD(add_job_inputs), request);
}
Status MetaClient::cancel_job(JobId job) { return state_->mutate(CAIRN_METHOD(cancel_job), CancelJob{job}); }
Status MetaClient::lost_result(const LostResult& request) { return state_->mutate(CAIRN_METHOD(lost_result), request); }
Result<TaskVerdict> MetaClient::finish_task(const FinishTask& request) {
  return state_->mutate(CAIRN_METHOD(finish_task), request);
}
Result<TaskVerdict> MetaClient::finish_job(const FinishJob& request) {
  return state_->mutate(CAIRN_METHOD(finish_job), request);
}
Result<JobStatus> MetaClient::job_status(JobId job) {
  auto request = state_->looking<thrift::JobStatusRequest>();
  request.job = to_wire_id(job);
  return state_->call(CAIRN_METHOD(job_status), request);
}
Result<JobList> MetaClient::list_jobs(JobId after, uint32_t limit) {
  auto request = state_->looking<thrift::ListJobsRequest>();
  request.after = to_wire_id(after);
  request.limit = static_cast<int32_t>(limit);
  return state_->call(CAIRN_METHOD(list_jobs), request);
}
Result<JobPlan> MetaClient::job_plan(JobId job, uint32_t from_task, uint32_t limit) {
  return state_->call(CAIRN_METHOD(job_plan), state_->page_of<thrift::JobPlanRequest>(job, from_task, limit));
}
Result<JobDescription> MetaClient::get_job(JobId job, uint32_t from_file, uint32_t limit) {
  return state_->call(CAIRN_METHOD(get_job), state_->page_of<thrift::JobDescriptionRequest>(job, from_file, limit));
}
Result<JobResults> MetaClient::job_results(JobId job, uint32_t from_task, uint32_t limit) {
  return state_->call(CAIRN_METHOD(job_results), state_->page_of<thrift::JobResultsRequest>(job, from_task, limit));
}
Result<JobLayout> MetaClient::job_layout(JobId job, uint32_t file, uint64_t begin, uint64_t end, uint32_t limit) {
  auto request = to_wire(JobLayoutCall{job, file, begin, end, limit});
  request.session = to_wire_id(session());
  return state_->call(CAIRN_METHOD(job_layout), request);
}
Result<TaskOrders> MetaClient::poll_tasks(const TaskPoll& poll) {
  auto request = to_wire(poll);
  request.session = to_wire_id(session());
  return state_->call_once(CAIRN_METHOD(poll_tasks), request, poll.wait + kPollSlack);
}

// ---- calls that change something -----------------------------------------------------------------------------------

Result<Entry> MetaClient::make_node(const MakeNode& request, uint64_t* leased) {
  return state_->mutate(CAIRN_METHOD(make_node), request, leased);
}
Result<Attributes> MetaClient::make_anonymous(const MakeAnonymous& request, uint64_t* leased) {
  return state_->mutate(CAIRN_METHOD(make_anonymous), request, leased);
}
Result<Entry> MetaClient::link(const LinkNode& request) { return state_->mutate(CAIRN_METHOD(link), request); }
Result<Removed> MetaClient::remove(const RemoveName& request) { return state_->mutate(CAIRN_METHOD(remove), request); }
Result<Renamed> MetaClient::rename(const Rename& request) { return state_->mutate(CAIRN_METHOD(rename), request); }
Result<Attributes> MetaClient::set_attributes(const SetAttributes& request) {
  return state_->mutate(CAIRN_METHOD(set_attributes), request);
}
Status MetaClient::set_xattr(const SetXattr& request) { return state_->mutate(CAIRN_METHOD(set_xattr), request); }
Status MetaClient::remove_xattr(const RemoveXattr& request) {
  return state_->mutate(CAIRN_METHOD(remove_xattr), request);
}
Result<Attributes> MetaClient::trim_range(const TrimRange& request) {
  return state_->mutate(CAIRN_METHOD(trim_range), request);
}
Status MetaClient::forget_orphans(const ForgetOrphans& request) {
  return state_->mutate(CAIRN_METHOD(forget_orphans), request);
}
Result<Committed> MetaClient::commit(const Commit& request) { return state_->mutate(CAIRN_METHOD(commit), request); }
Result<std::vector<ChunkInfo>> MetaClient::grant_chunks(const GrantChunks& request) {
  return state_->mutate(CAIRN_METHOD(grant_chunks), request);
}
Status MetaClient::seal_chunks(const SealChunks& request) { return state_->mutate(CAIRN_METHOD(seal_chunks), request); }

}  // namespace cairn

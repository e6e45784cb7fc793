// A whole metaserver in a simulation, asked by the input: each call with good and hostile fields, and garbage.
//
//   input: calls, one behind the other: method, its fields as choices        (every input is a sequence of calls)
//
// Every reply is as promised; a refused request changes nothing but its stored outcome; the recounted state is right at
// the end; and the log, replayed, gives the same state.
#include "metaserver/metaserver.h"

#include <fmt/format.h>

#include "common/base/bytes.h"
#include "common/rpc/wire.h"
#include "metaserver/log/command_log.h"
#include "metaserver/log/recovery.h"
#include "metaserver/state/queries.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/meta_state.h"
#include "tests/fuzz/service_client.h"
#include "tests/metaserver/state/invariants.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_disk.h"

namespace cairn::fuzz {
namespace {

using Stub = thrift::MetaserverClient;
constexpr uint32_t kMaxCalls = 24;
constexpr uint64_t kLogBytes = 2u << 20;  // more than the calls of one input can fill

// Fields: mostly such that mean something in the small state.
class Fields {
 public:
  Fields(Input& input, const OrderedStore& store) : input_(input), store_(store) {}

  thrift::Mutation mutation() {
    const uint64_t request = input_.rarely() ? next_request_ - input_.below(4) : next_request_++;
    return to_wire(Mutation{session(), RequestId{input_.mostly(request)}, RequestId{input_.mostly<uint64_t>(1)}});
  }
  SessionId session() { return SessionId{input_.mostly<uint64_t>(1)}; }
  int64_t session_field() { return to_wire_id(session()); }
  int64_t inode() { return static_cast<int64_t>(input_.mostly<uint64_t>(input_.below(14))); }
  int64_t chunk() { return static_cast<int64_t>(input_.mostly<uint64_t>(1 + input_.below(5))); }
  int64_t i64() { return static_cast<int64_t>(input_.number()); }
  int32_t i32() { return static_cast<int32_t>(input_.number()); }
  bool flip() { return input_.flip(); }
  std::string name() {
    static constexpr const char* kNames[] = {"a", "b", "d", "in", "l", "a2", "n1", "n2"};
    if (!input_.rarely()) return kNames[input_.below(8)];
    if (input_.flip()) return std::string(250 + input_.below(10), 'x');
    return input_.text(12);
  }
  std::string attribute() {
    static constexpr const char* kNames[] = {"user.colour", "user.x", "cairn.policy", "cairn.other", "security.x"};
    return input_.rarely() ? input_.text(12) : kNames[input_.below(5)];
  }
  std::string attribute_value() {
    static constexpr const char* kValues[] = {"ec(2,1)", "ec(4,2)/64K/rack", "ec(33,1)", "ec(1,2)/disk"};
    if (input_.rarely()) return std::string(65530 + input_.below(10), 'v');
    return input_.flip() ? kValues[input_.below(4)] : input_.text(40);
  }
  int32_t mode() {
    static constexpr int32_t kTypes[] = {0100000, 0040000, 0120000, 0010000, 0140000, 0020000, 0060000};
    return input_.mostly(kTypes[input_.below(7)] | 0644);
  }
  thrift::Time time() { return to_wire(Time{input_.mostly<int64_t>(1'700'000'000), input_.mostly<uint32_t>(5)}); }
  std::vector<int64_t> ids() {
    std::vector<int64_t> list;
    for (uint32_t n = input_.below(4); n > 0; --n) list.push_back(input_.flip() ? inode() : chunk());
    return list;
  }
  std::vector<thrift::Lease> leases() {
    std::vector<thrift::Lease> list(input_.below(3));
    for (thrift::Lease& lease : list) {
      lease.inode = input_.mostly<int64_t>(0);
      lease.kind = input_.mostly(3);
      lease.generation = i64();
    }
    return list;
  }
  thrift::LockCall lock_call() {
    thrift::LockCall call;
    call.run = input_.mostly<int64_t>(0);
    call.lock.inode = inode();
    call.lock.kind = input_.mostly(static_cast<int32_t>(1 + input_.below(2)));
    call.lock.owner = input_.below(4);
    call.lock.first = input_.mostly<int64_t>(call.lock.kind == 1 ? 0 : input_.below(8));
    call.lock.last = input_.mostly<int64_t>(call.lock.kind == 1 ? INT64_MAX : 4 + input_.below(8));
    call.lock.mode = input_.mostly(static_cast<int32_t>(input_.below(3)));
    call.lock.token = i64();
    call.wait = flip();
    call.waiter = input_.below(4);
    return call;
  }
  // A run of stripes at the end of what the chunk has committed, or anywhere.
  thrift::Extent extent(const ChunkInfo& chunk) {
    Extent extent;
    extent.offset = input_.mostly<uint64_t>(4096ull * input_.below(16));
    extent.shape = {chunk.code, 4096u << input_.below(2), 4096, 0};
    extent.shape.present = input_.mostly(extent.shape.code.d == 0 ? 0 : extent.shape.all_present());
    extent.length = input_.mostly<uint64_t>(1 + input_.u16() % (4 * std::max<uint64_t>(1, extent.shape.data_bytes())));
    extent.chunk = chunk.chunk;
    extent.place = input_.mostly(input_.flip() ? chunk.committed : 8192ull * input_.below(6));
    extent.position = input_.flip() ? 0 : input_.mostly<uint64_t>(input_.u16() % 8192);
    thrift::Extent wire = to_wire(extent);
    if (input_.rarely()) wire.code.d = static_cast<int16_t>(input_.number());
    return wire;
  }
  thrift::CommitRequest commit() {
    thrift::CommitRequest request;
    request.mutation = mutation();
    auto info = queries::chunk(*store_.view(), from_wire_id<ChunkId>(chunk()));
    ChunkInfo of;
    if (info.ok()) of = *info;
    for (uint32_t files = input_.below(3); files > 0; --files) {
      thrift::FileCommit file;
      file.inode = inode();
      for (uint32_t n = input_.below(4); n > 0; --n) file.extents.push_back(extent(of));
      file.size_at_least = input_.mostly<int64_t>(input_.u16());
      file.mtime = time();
      if (input_.rarely()) file.__set_inline_data(std::string(2040 + input_.below(16), 'i'));
      request.files.push_back(file);
    }
    for (uint32_t n = input_.below(3); n > 0; --n) {
      thrift::ChunkCommit change;
      change.chunk = to_wire_id(of.chunk);
      change.writer_epoch = input_.mostly(to_wire_id(of.writer_epoch));
      change.committed_from = static_cast<int64_t>(input_.mostly(of.committed));
      change.committed_to = static_cast<int64_t>(input_.mostly(of.committed + 4096ull * input_.below(32)));
      request.chunks.push_back(change);
    }
    return request;
  }
  thrift::HeartbeatRequest heartbeat() {
    const uint32_t number = 1 + input_.below(9);
    Heartbeat report;
    report.uuid = input_.rarely() ? input_.text(40) : fmt::format("server-{}", number);
    report.address = {"127.0.0.1", static_cast<uint16_t>(input_.mostly(7000 + number))};
    report.boot = BootId{input_.number()};
    report.labels = {"s", "r", input_.rarely() ? input_.text(30) : fmt::format("h{}", number), "d"};
    report.total_bytes = input_.mostly(uint64_t{1} << 40);
    report.free_bytes = input_.mostly(uint64_t{1} << 39);
    report.incarnation = Incarnation{input_.mostly<uint64_t>(77)};
    report.shards = input_.number();
    return to_wire(report);
  }
  Input& input() { return input_; }

 private:
  Input& input_;
  const OrderedStore& store_;
  uint64_t next_request_ = MetaState::small().next_request;
};

class Caller {
 public:
  Caller(ServiceClient<Stub>& client, Input& input, const OrderedStore& store)
      : client_(client), fields_(input, store), store_(store) {}
  void step();

 private:
  template <typename Request, typename Reply>
  void call(void (Stub::*put)(const Request&), void (Stub::*get)(Reply&), const Request& request) {
    if (fields_.input().rarely()) return garble(client_.frame_of(put, request));
    const auto before = store_.view();
    Reply reply;
    client_.call(put, get, request, reply);
    check_reply(reply);
    if (!reply.__isset.error) return;
    const auto after = store_.view();
    // A waiting call may see others' commands applied meanwhile; its own is one.
    const uint64_t applied = raw(queries::applied(*after)->index) - raw(queries::applied(*before)->index);
    // A mount that is told to wait has its session, and asks again.
    constexpr bool opens = std::is_same_v<Reply, thrift::OpenSessionReply>;
    if (applied == 1 && !opens && visible_hash(*before) != visible_hash(*after)) {
      broken("a refused request has changed the state: " + reply.error.what);
    }
  }
  template <typename Reply>
  void check_reply(const Reply& reply) {
    const auto own = from_wire(reply);
    require(reply.__isset.error || own.ok(), "a reply is as promised");
    require(!reply.__isset.error || !reply.error.what.empty(), "an error says what is wrong");
  }
  void check_reply(const thrift::JobReply& reply) { require(reply.__isset.error, "there are no jobs yet"); }

  void garble(std::string frame) {
    Input& input = fields_.input();
    for (uint32_t n = 1 + input.below(4); n > 0; --n) {
      frame[input.u16() % frame.size()] = static_cast<char>(input.u8());
    }
    client_.garbage(frame);
  }
  template <typename Request, typename Reply>
  void by_inode(void (Stub::*put)(const Request&), void (Stub::*get)(Reply&)) {
    Request request;
    request.session = fields_.session_field();
    request.inode = fields_.inode();
    call(put, get, request);
  }
  template <typename Request, typename Reply>
  void leases(void (Stub::*put)(const Request&), void (Stub::*get)(Reply&)) {
    Request request;
    request.session = fields_.session_field();
    request.leases = fields_.leases();
    call(put, get, request);
  }
  void sessions(uint32_t which);
  void locks(uint32_t which);
  void reads(uint32_t which);
  void names(uint32_t which);
  void data(uint32_t which);
  void cluster(uint32_t which);

  ServiceClient<Stub>& client_;
  Fields fields_;
  const OrderedStore& store_;
};

void Caller::step() {
  const uint32_t method = fields_.input().below(45);
  if (method >= 40) return locks(method - 40);
  if (method < 7) return sessions(method);
  if (method < 15) return reads(method - 7);
  if (method < 23) return names(method - 15);
  if (method < 33) return data(method - 23);
  if (method < 39) return cluster(method - 33);
  client_.garbage(fields_.input().bytes(fields_.input().u8()));
}

void Caller::sessions(uint32_t which) {
  switch (which) {
    case 0: {
      Input& input = fields_.input();
      return call(&Stub::send_open_session, &Stub::recv_open_session,
                  to_wire(SessionRequest{input.text(20), "host", fields_.i32(), input.flip(),
                                         input.mostly<uint64_t>(input.below(4))}));
    }
    case 1: {
      thrift::RenewRequest request;
      request.session = fields_.session_field();
      return call(&Stub::send_renew_session, &Stub::recv_renew_session, request);
    }
    case 2: {
      thrift::CloseSessionRequest request;
      request.mutation = fields_.mutation();
      if (!fields_.input().rarely()) request.mutation.session = 2;  // not the one that all others use
      return call(&Stub::send_close_session, &Stub::recv_close_session, request);
    }
    case 3: {
      thrift::EventsRequest request;
      request.session = fields_.session_field();
      request.acknowledged = fields_.i64();
      request.wait_ms = fields_.i32();
      return call(&Stub::send_events, &Stub::recv_events, request);
    }
    case 4:
      return leases<thrift::AcquireRequest>(&Stub::send_acquire_leases, &Stub::recv_acquire_leases);
    case 5:
      return leases<thrift::ReleaseRequest>(&Stub::send_release_leases, &Stub::recv_release_leases);
    default:
      return leases<thrift::AcquireRequest>(&Stub::send_reclaim_leases, &Stub::recv_reclaim_leases);
  }
}

void Caller::locks(uint32_t which) {
  switch (which) {
    case 0: {
      thrift::LockRequest request;
      request.mutation = fields_.mutation();
      request.call = fields_.lock_call();
      return call(&Stub::send_lock, &Stub::recv_lock, request);
    }
    case 1: {
      thrift::CancelLockRequest request;
      request.mutation = fields_.mutation();
      request.waiter = static_cast<int64_t>(fields_.input().below(4));
      return call(&Stub::send_cancel_lock, &Stub::recv_cancel_lock, request);
    }
    case 2: {
      thrift::ReclaimLocksRequest request;
      request.mutation = fields_.mutation();
      for (uint32_t n = fields_.input().below(4); n > 0; --n) request.held.push_back(fields_.lock_call().lock);
      for (uint32_t n = fields_.input().below(4); n > 0; --n) request.waiting.push_back(fields_.lock_call());
      return call(&Stub::send_reclaim_locks, &Stub::recv_reclaim_locks, request);
    }
    case 3: {
      thrift::TestLockRequest request;
      request.session = fields_.session_field();
      request.lock = fields_.lock_call().lock;
      return call(&Stub::send_test_lock, &Stub::recv_test_lock, request);
    }
    default: {
      thrift::ListLocksRequest request;
      request.inode = fields_.inode();
      request.after = fields_.i64();
      request.skip = fields_.i64();
      request.limit = fields_.i32();
      return call(&Stub::send_list_locks, &Stub::recv_list_locks, request);
    }
  }
}

void Caller::reads(uint32_t which) {
  switch (which) {
    case 0: {
      thrift::LookupRequest request;
      request.session = fields_.session_field();
      request.parent = fields_.inode();
      request.name = fields_.name();
      return call(&Stub::send_lookup, &Stub::recv_lookup, request);
    }
    case 1:
      return by_inode(&Stub::send_get_attributes, &Stub::recv_get_attributes);
    case 2:
      return by_inode(&Stub::send_readlink, &Stub::recv_readlink);
    case 3: {
      thrift::DirectoryRequest request;
      request.session = fields_.session_field();
      request.inode = fields_.inode();
      request.after_cookie = fields_.i64();
      request.limit = fields_.i32();
      return call(&Stub::send_read_directory, &Stub::recv_read_directory, request);
    }
    case 4:
      return by_inode(&Stub::send_statfs, &Stub::recv_statfs);
    case 5: {
      thrift::XattrRequest request;
      request.session = fields_.session_field();
      request.inode = fields_.inode();
      request.name = fields_.attribute();
      return call(&Stub::send_get_xattr, &Stub::recv_get_xattr, request);
    }
    case 6:
      return by_inode(&Stub::send_list_xattrs, &Stub::recv_list_xattrs);
    default: {
      thrift::LayoutRequest request;
      request.session = fields_.session_field();
      request.inode = fields_.inode();
      request.offset = fields_.i64();
      request.length = fields_.i64();
      request.limit = fields_.i32();
      return call(&Stub::send_layout, &Stub::recv_layout, request);
    }
  }
}

void Caller::names(uint32_t which) {
  switch (which) {
    case 0:
    case 1: {
      thrift::MakeNodeRequest request;
      request.mutation = fields_.mutation();
      request.parent = fields_.inode();
      request.name = fields_.name();
      request.mode = fields_.mode();
      request.rdev = fields_.i64();
      request.target = fields_.input().text(20);
      return call(&Stub::send_make_node, &Stub::recv_make_node, request);
    }
    case 2: {
      thrift::LinkRequest request;
      request.mutation = fields_.mutation();
      request.inode = fields_.inode();
      request.parent = fields_.inode();
      request.name = fields_.name();
      return call(&Stub::send_link, &Stub::recv_link, request);
    }
    case 3:
    case 4: {
      thrift::RemoveRequest request;
      request.mutation = fields_.mutation();
      request.parent = fields_.inode();
      request.name = fields_.name();
      request.directory = fields_.flip();
      return call(&Stub::send_remove, &Stub::recv_remove, request);
    }
    case 5:
    case 6: {
      thrift::RenameRequest request;
      request.mutation = fields_.mutation();
      request.old_parent = fields_.inode();
      request.old_name = fields_.name();
      request.new_parent = fields_.inode();
      request.new_name = fields_.name();
      request.flags = fields_.input().mostly(static_cast<int32_t>(fields_.input().below(3)));
      return call(&Stub::send_rename, &Stub::recv_rename, request);
    }
    case 7: {
      thrift::MakeAnonymousRequest request;
      request.mutation = fields_.mutation();
      request.like = fields_.inode();
      if (fields_.flip()) request.policy = "ec(2,1)/4K/rack";
      return call(&Stub::send_make_anonymous, &Stub::recv_make_anonymous, request);
    }
    default: {
      thrift::ForgetOrphansRequest request;
      request.mutation = fields_.mutation();
      request.inodes = fields_.ids();
      return call(&Stub::send_forget_orphans, &Stub::recv_forget_orphans, request);
    }
  }
}

void Caller::data(uint32_t which) {
  switch (which) {
    case 0: {
      thrift::SetAttributesRequest request;
      request.mutation = fields_.mutation();
      request.inode = fields_.inode();
      if (fields_.flip()) request.__set_mode(fields_.input().mostly(0600));
      if (fields_.flip()) request.__set_uid(fields_.i32());
      if (fields_.flip()) request.__set_size(fields_.i64());
      if (fields_.flip()) request.__set_atime(fields_.time());
      if (fields_.flip()) request.__set_ctime(fields_.time());
      return call(&Stub::send_set_attributes, &Stub::recv_set_attributes, request);
    }
    case 1: {
      thrift::SetXattrRequest request;
      request.mutation = fields_.mutation();
      request.inode = fields_.inode();
      request.name = fields_.attribute();
      request.value = fields_.attribute_value();
      request.flags = fields_.input().mostly(static_cast<int32_t>(fields_.input().below(3)));
      return call(&Stub::send_set_xattr, &Stub::recv_set_xattr, request);
    }
    case 2: {
      thrift::RemoveXattrRequest request;
      request.mutation = fields_.mutation();
      request.inode = fields_.inode();
      request.name = fields_.attribute();
      return call(&Stub::send_remove_xattr, &Stub::recv_remove_xattr, request);
    }
    case 3: {
      thrift::TrimRangeRequest request;
      request.mutation = fields_.mutation();
      request.inode = fields_.inode();
      request.offset = fields_.i64();
      request.length = fields_.i64();
      request.mtime = fields_.time();
      return call(&Stub::send_trim_range, &Stub::recv_trim_range, request);
    }
    case 4:
    case 5:
    case 6:
      return call(&Stub::send_commit, &Stub::recv_commit, fields_.commit());
    case 7:
    case 8: {
      thrift::GrantRequest request;
      request.mutation = fields_.mutation();
      request.storage_class = fields_.input().mostly(static_cast<int32_t>(1 + fields_.input().below(3)));
      request.count = fields_.input().mostly(1);
      if (fields_.input().rarely()) request.avoid = {fields_.i32(), fields_.i32()};
      return call(&Stub::send_grant_chunks, &Stub::recv_grant_chunks, request);
    }
    default: {
      thrift::SealRequest request;
      request.mutation = fields_.mutation();
      request.chunks = fields_.ids();
      return call(&Stub::send_seal_chunks, &Stub::recv_seal_chunks, request);
    }
  }
}

void Caller::cluster(uint32_t which) {
  switch (which) {
    case 0: {
      thrift::ClusterMapRequest request;
      request.session = fields_.session_field();
      return call(&Stub::send_cluster_map, &Stub::recv_cluster_map, request);
    }
    case 1:
    case 2:
      return call(&Stub::send_heartbeat, &Stub::recv_heartbeat, fields_.heartbeat());
    case 3: {
      thrift::StatusRequest request;
      request.with_state_hash = fields_.flip();
      return call(&Stub::send_status, &Stub::recv_status, request);
    }
    case 4: {
      thrift::ChunkListRequest request;
      request.after = fields_.i64();
      request.limit = fields_.i32();
      return call(&Stub::send_list_chunks, &Stub::recv_list_chunks, request);
    }
    default: {
      thrift::JobRequest request;
      request.mutation = fields_.mutation();
      return call(&Stub::send_submit_job, &Stub::recv_submit_job, request);
    }
  }
}

// Nothing ticks but what is asked, so that a change of the state is the asker's.
MetaserverOptions quiet_options() {
  MetaserverOptions options;
  options.listen = {"meta", 4000};
  options.log_directory = "/log";
  options.log_segment_bytes = kLogBytes;
  options.disk_reserve_bytes = 64u << 10;  // a simulated disk counts each page
  options.tick = 24h;
  options.housekeeping = 24h;
  return options;
}

uint64_t hash_after_replay(SimDisk& disk) {
  const auto store = MetaState::small().store();
  auto log = CommandLog::open(disk, {.directory = "/log", .acknowledged = MetaState::small().applied});
  require(log.ok(), "the log opens");
  const auto recovered = recover(**log, *store, {});
  if (!recovered.ok()) broken(recovered.error().what);
  return *state_hash(*store->view());
}

void one(Bytes bytes) {
  Input input(bytes);
  SimScheduler scheduler(1);
  SimNetwork network(scheduler, 1);
  SimDisk disk(scheduler, 1, {.longest_access = {}, .longest_sync = {}});
  SimClock clock(scheduler);
  const MetaState& state = MetaState::small();
  const auto store = state.store();
  {
    auto log = CommandLog::open(disk, {.directory = "/log", .segment_bytes = kLogBytes});
    require(log.ok() && (*log)->begin(state.incarnation, LogIndex{raw(state.applied) + 1}).ok(), "a log is begun");
  }
  const Status ended = scheduler.run([&] {
    Metaserver server(network.host("meta"), clock, disk, *store, quiet_options());
    require(server.start().ok(), "a metaserver starts");
    {
      ServiceClient<Stub> client(scheduler, network.host("client"), {"meta", 4000});
      Caller caller(client, input, *store);
      for (uint32_t calls = 0; calls < kMaxCalls && !input.empty(); ++calls) caller.step();
    }
    require(server.stop().ok(), "a metaserver stops");
  });
  if (!ended.ok()) broken(ended.error().what);
  const std::string wrong = violations(*store->view());
  if (!wrong.empty()) broken(wrong);
  require(hash_after_replay(disk) == *state_hash(*store->view()), "the log gives the same state again");
}

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  std::string heartbeats;
  for (char server = 0; server < 7; ++server) heartbeats += std::string("\x22") + server + std::string(7, '\0');
  for (int method = 0; method < 45; ++method) {
    const char number = static_cast<char>(method);
    all.push_back(number + std::string(20, '\0'));
    all.push_back(number + std::string("\0\0\0\0\x04\0\x03\x02\x01\x05\x06\x01\x01\x02\x03\x07", 16));
    all.push_back(heartbeats + std::string("\x1e\0\0\0\0\0\0\0\0", 9) + number + std::string(24, '\x01'));
  }
  return all;
}

const Registered registered{{"metaserver", one, seeds}};

}  // namespace
}  // namespace cairn::fuzz

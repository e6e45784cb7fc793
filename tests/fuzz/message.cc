// Every request and reply that travels: Thrift's bytes -> generated struct -> our own type -> and back.
//
//   input: u16 number of the struct | its bytes in the binary protocol
//
// What from_wire lets through is sent as the same message again: decode(encode(x)) == x.
#include "common/rpc/message.h"

#include <thrift/TApplicationException.h>

#include "common/base/bytes.h"
#include "common/rpc/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/rpc/random_values.h"

namespace cairn::fuzz {
namespace {

template <typename Generated>
std::string encode(const Generated& wire) {
  auto transport = std::make_shared<MessageTransport>();
  MessageProtocol protocol(transport);
  transport->start();
  wire.write(&protocol);
  return std::string(text_of(transport->frame().subspan(kFrameLengthBytes)));
}

template <typename Generated>
bool decode(Bytes bytes, Generated& wire) {
  auto transport = std::make_shared<MessageTransport>();
  MessageProtocol protocol(transport);
  transport->read_from(bytes);
  try {
    wire.read(&protocol);
    return true;
  } catch (const apache::thrift::TException&) {
    return false;  // closes the connection
  }
}

// The generated struct's own way out and back, then ours by `again`: own type -> the same struct.
template <typename Generated, typename Again>
void check(Bytes bytes, const Again& again) {
  Generated wire;
  if (!decode(bytes, wire)) return;
  Generated copy;
  const std::string encoded = encode(wire);
  require(decode(bytes_of(encoded), copy) && copy == wire, "Thrift reads what it wrote");
  const auto own = from_wire(wire);
  if (!own.ok()) return;
  const Generated sent = again(own, wire);
  const auto back = from_wire(sent);
  require(back.ok(), "what was accepted is accepted again");
  require(again(back, wire) == sent, "a value survives the way out and back");
}
template <typename Generated>
void value(Bytes bytes) {
  check<Generated>(bytes, [](const auto& own, const Generated&) { return to_wire(*own); });
}
template <typename Generated>
void change(Bytes bytes) {
  check<Generated>(bytes, [](const auto& own, const Generated& wire) {
    const auto mutation = from_wire(wire.mutation);
    return to_wire(*own, mutation.ok() ? *mutation : Mutation{});
  });
}
template <typename Generated>
void reply(Bytes bytes) {
  check<Generated>(bytes, [](const auto& own, const Generated&) {
    Generated filled;
    answer(filled, own);
    return filled;
  });
}
void append(Bytes bytes) {
  check<thrift::AppendRequest>(bytes, [](const auto& own, const thrift::AppendRequest& wire) {
    return to_wire(*own, static_cast<uint32_t>(wire.tail_bytes));
  });
}

// The frame around a struct: name, type and number of the call.
void message(Bytes bytes) {
  auto transport = std::make_shared<MessageTransport>();
  MessageProtocol own(transport);
  apache::thrift::protocol::TProtocol& protocol = own;  // as generated code sees it
  transport->read_from(bytes);
  try {
    std::string name;
    apache::thrift::protocol::TMessageType type{};
    int32_t sequence = 0;
    protocol.readMessageBegin(name, type, sequence);
    require(!(is_call(bytes) && is_exception(bytes)), "a message has one type");
    protocol.skip(apache::thrift::protocol::T_STRUCT);
  } catch (const apache::thrift::TException&) {
  }
}

constexpr void (*kStructs[])(Bytes) = {
    message,
    append,
    value<thrift::SyncRequest>,
    value<thrift::ReadRequest>,
    value<thrift::SealShardRequest>,
    value<thrift::PunchRequest>,
    value<thrift::RemoveShardRequest>,
    value<thrift::ListShardsRequest>,
    value<thrift::OpenSessionRequest>,
    value<thrift::HeartbeatRequest>,
    change<thrift::MakeNodeRequest>,
    change<thrift::LinkRequest>,
    change<thrift::RemoveRequest>,
    change<thrift::RenameRequest>,
    change<thrift::SetAttributesRequest>,
    change<thrift::SetXattrRequest>,
    change<thrift::RemoveXattrRequest>,
    change<thrift::TrimRangeRequest>,
    change<thrift::ForgetOrphansRequest>,
    change<thrift::CommitRequest>,
    change<thrift::GrantRequest>,
    change<thrift::SealRequest>,
    reply<thrift::OpenSessionReply>,
    reply<thrift::RenewReply>,
    reply<thrift::EventsReply>,
    reply<thrift::AcquireReply>,
    reply<thrift::EntryReply>,
    reply<thrift::AttributesReply>,
    reply<thrift::ReadlinkReply>,
    reply<thrift::DirectoryReply>,
    reply<thrift::StatfsReply>,
    reply<thrift::XattrReply>,
    reply<thrift::XattrListReply>,
    reply<thrift::RemoveReply>,
    reply<thrift::RenameReply>,
    reply<thrift::LayoutReply>,
    reply<thrift::CommitReply>,
    reply<thrift::GrantReply>,
    reply<thrift::ClusterMapReply>,
    reply<thrift::HeartbeatReply>,
    reply<thrift::StatusReply>,
    reply<thrift::ChunkListReply>,
    reply<thrift::EmptyReply>,
    reply<thrift::AppendReply>,
    reply<thrift::SyncReply>,
    reply<thrift::ReadReply>,
    reply<thrift::ShardReply>,
    reply<thrift::ListShardsReply>,
    reply<thrift::ChunkserverStatusReply>,
    change<thrift::JobRequest>,
    change<thrift::JobInputsRequest>,
    change<thrift::CancelJobRequest>,
    change<thrift::FinishTaskRequest>,
    change<thrift::FinishJobRequest>,
    change<thrift::LostResultRequest>,
    value<thrift::TaskPollRequest>,
    value<thrift::JobLayoutRequest>,
    reply<thrift::JobReply>,
    reply<thrift::JobStatusReply>,
    reply<thrift::ListJobsReply>,
    reply<thrift::JobPlanReply>,
    reply<thrift::JobDescriptionReply>,
    reply<thrift::JobLayoutReply>,
    reply<thrift::TaskPollReply>,
    reply<thrift::TaskVerdictReply>,
    reply<thrift::JobResultsReply>,
    change<thrift::MakeAnonymousRequest>,
    value<thrift::RebuildRequest>,
    reply<thrift::ChangeServerReply>,
    reply<thrift::RebuildReply>,
};

void one(Bytes bytes) {
  Input input(bytes);
  const uint32_t number = input.u8() % std::size(kStructs);
  kStructs[number](input.rest());
}

// Adds one good message of a kind: its position in kStructs is that of its function.
class Seeds {
 public:
  template <typename Generated>
  void add(void (*kind)(Bytes), const Generated& wire) {
    const auto at = std::find(std::begin(kStructs), std::end(kStructs), kind) - std::begin(kStructs);
    all.push_back(std::string(1, static_cast<char>(at)) + encode(wire));
  }
  template <typename Generated, typename Own>
  void add_reply(const Own& own) {
    Generated filled;
    answer(filled, Result<Own>(own));
    add(reply<Generated>, filled);
  }
  std::vector<std::string> all;
};

std::vector<std::string> seeds() {
  test::RandomValues any(1);
  Seeds out;
  const Mutation mutation = any.mutation();
  out.all.push_back(std::string("\0\x80\x01\x00\x01\x00\x00\x00\x04sync\x00\x00\x00\x01\x00", 18));
  out.add(append, to_wire(AppendCall{any.shard(), any.place(), any.id<Epoch>(), true}, 8192));
  out.add(value<thrift::SyncRequest>, to_wire(SyncCall{any.shard(), any.id<BootId>(), any.place()}));
  out.add(value<thrift::ReadRequest>, to_wire(ReadCall{any.shard(), any.place(), 4096, 0, 8192}));
  out.add(value<thrift::SealShardRequest>, to_wire(SealShard{any.shard(), any.place(), any.id<Epoch>()}));
  out.add(value<thrift::RebuildRequest>, to_wire(any.rebuild_shard()));
  out.add(value<thrift::PunchRequest>, to_wire(PunchShard{any.shard(), any.place(), 4096}));
  out.add(value<thrift::RemoveShardRequest>, to_wire(any.shard()));
  out.add(value<thrift::ListShardsRequest>, to_wire(ListShards{Incarnation{1}, ChunkId{2}, 10, ServerId{3}}));
  out.add(value<thrift::OpenSessionRequest>, to_wire(any.session_request()));
  out.add(value<thrift::HeartbeatRequest>, to_wire(any.heartbeat()));
  out.add(change<thrift::MakeNodeRequest>, to_wire(any.make_node(), mutation));
  out.add(change<thrift::MakeAnonymousRequest>, to_wire(any.make_anonymous(), mutation));
  out.add(change<thrift::LinkRequest>, to_wire(LinkNode{any.inode(), any.inode(), "name"}, mutation));
  out.add(change<thrift::RemoveRequest>, to_wire(RemoveName{any.inode(), "name", true}, mutation));
  out.add(change<thrift::RenameRequest>, to_wire(Rename{any.inode(), "old", any.inode(), "new", 1}, mutation));
  out.add(change<thrift::SetAttributesRequest>, to_wire(any.set_attributes(), mutation));
  out.add(change<thrift::SetXattrRequest>, to_wire(SetXattr{any.inode(), "user.x", "value", 0}, mutation));
  out.add(change<thrift::RemoveXattrRequest>, to_wire(RemoveXattr{any.inode(), "user.x"}, mutation));
  out.add(change<thrift::TrimRangeRequest>, to_wire(TrimRange{any.inode(), 5, 6, any.time()}, mutation));
  out.add(change<thrift::ForgetOrphansRequest>, to_wire(ForgetOrphans{{any.inode()}}, mutation));
  out.add(change<thrift::CommitRequest>, to_wire(any.commit(), mutation));
  out.add(change<thrift::GrantRequest>, to_wire(GrantChunks{ClassId{1}, 2, {ServerId{3}}}, mutation));
  out.add(change<thrift::SealRequest>, to_wire(SealChunks{{ChunkId{4}}}, mutation));
  out.add_reply<thrift::OpenSessionReply>(SessionGrant{SessionId{1}, 20s, Incarnation{3}, true});
  out.add_reply<thrift::RenewReply>(RenewedSession{20s, Epoch{3}, 1});
  out.add_reply<thrift::EventsReply>(EventPage{{any.event(), any.event()}, 2});
  out.add_reply<thrift::AcquireReply>(std::vector<Lease>{any.lease()});
  out.add_reply<thrift::EntryReply>(any.entry());
  out.add_reply<thrift::AttributesReply>(any.attributes());
  out.add_reply<thrift::ReadlinkReply>(std::string("target"));
  out.add_reply<thrift::DirectoryReply>(DirectoryPage{{any.entry()}, true, kRootInode});
  out.add_reply<thrift::StatfsReply>(FilesystemSpace{9, 8, 7});
  out.add_reply<thrift::XattrReply>(std::string("value"));
  out.add_reply<thrift::XattrListReply>(std::vector<std::string>{"user.x", "user.y"});
  out.add_reply<thrift::RemoveReply>(Removed{any.inode(), 1, false});
  out.add_reply<thrift::RenameReply>(Renamed{any.attributes(), any.inode(), 0});
  out.add_reply<thrift::LayoutReply>(any.layout());
  out.add_reply<thrift::CommitReply>(Committed{{any.attributes()}, {any.inode()}});
  out.add_reply<thrift::GrantReply>(std::vector<ChunkInfo>{any.chunk()});
  out.add_reply<thrift::ClusterMapReply>(ClusterMap{Epoch{1}, Incarnation{2}, {any.server()}, {any.storage_class()}});
  out.add_reply<thrift::HeartbeatReply>(HeartbeatAnswer{ServerId{1}, Incarnation{2}, Epoch{3}, 1s});
  out.add_reply<thrift::StatusReply>(any.cluster_status());
  out.add_reply<thrift::ChangeServerReply>(any.server_change());
  out.add_reply<thrift::ChunkListReply>(std::vector<ChunkInfo>{any.chunk()});
  out.add_reply<thrift::AppendReply>(ShardPosition{any.id<BootId>(), any.place()});
  out.add_reply<thrift::SyncReply>(ShardPosition{any.id<BootId>(), any.place()});
  out.add_reply<thrift::ReadReply>(uint32_t{8192});
  out.add_reply<thrift::ListShardsReply>(ShardPage{{any.shard_summary()}, true});
  out.add_reply<thrift::ChunkserverStatusReply>(ChunkserverStatus{BootId{1}, "uuid", 1, 2, 3, 4});
  out.add_reply<thrift::RebuildReply>(RebuildProgress{7, true, 1, 2, 3});
  out.add(change<thrift::JobRequest>, to_wire(any.submit_job(), mutation));
  out.add(change<thrift::JobInputsRequest>, to_wire(AddJobInputs{JobId{1}, 0, {any.job_input()}}, mutation));
  out.add(change<thrift::CancelJobRequest>, to_wire(CancelJob{JobId{1}}, mutation));
  out.add(change<thrift::FinishTaskRequest>, to_wire(any.finish_task(), mutation));
  const TaskRef merging{JobId{1}, JobPhase::merging, 0, AttemptId{7}};
  out.add(change<thrift::FinishJobRequest>, to_wire(FinishJob{merging, ServerId{1}, {}, any.inode()}, mutation));
  out.add(change<thrift::LostResultRequest>, to_wire(LostResult{JobId{1}, 2, AttemptId{3}}, mutation));
  out.add(value<thrift::TaskPollRequest>, to_wire(any.task_poll()));
  out.add(value<thrift::JobLayoutRequest>, to_wire(JobLayoutCall{JobId{1}, 2, 3, 4, 5}));
  out.add_reply<thrift::JobReply>(JobId{7});
  out.add_reply<thrift::JobStatusReply>(any.job_status());
  out.add_reply<thrift::ListJobsReply>(JobList{{any.job_status()}, true});
  out.add_reply<thrift::JobPlanReply>(JobPlan{{any.task_info()}, true});
  out.add_reply<thrift::JobDescriptionReply>(any.job_description());
  out.add_reply<thrift::JobLayoutReply>(any.job_layout());
  out.add_reply<thrift::TaskPollReply>(TaskOrders{{any.assignment()}, {any.task_ref()}});
  out.add_reply<thrift::TaskVerdictReply>(TaskVerdict::already);
  out.add_reply<thrift::JobResultsReply>(JobResults{{any.task_result()}, 5, true});
  thrift::ShardReply failed;
  answer(failed, Status(Errc::stale_epoch, "sealed"));
  out.add(reply<thrift::ShardReply>, failed);
  return out.all;
}

const Registered registered{{"message", one, seeds}};

}  // namespace
}  // namespace cairn::fuzz

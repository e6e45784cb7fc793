// Our own types <-> their generated Thrift twins. Only the RPC clients and the two service.cc files see generated
// types.
//
//   to_wire(own)             -> generated          never fails
//   from_wire(generated)     -> Result<own>        checks everything: it is input from outside
//   answer(reply, result)    fills a reply with a value or with the error: what a service.cc says at the end of each
//   method from_wire(reply)         -> Result<own> or Status: the reply's error, or its value
//
// A request of the metaserver that changes something has its Mutation apart: to_wire(own, mutation),
// from_wire(request.mutation). Unsigned 64-bit values travel in an i64, bit by bit. Names, values and counts are
// checked against common/meta's limits; whatever needs the state (does the inode exist, may the session do it) is not
// checked here. Errors of from_wire: invalid, name_too_long, too_big. A reply that is not as promised is `io`; an
// unknown code becomes `io`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "Chunkserver.h"
#include "Metaserver.h"
#include "common/base/result.h"
#include "common/base/types.h"
#include "common/meta/admin.h"
#include "common/meta/attributes.h"
#include "common/meta/cluster.h"
#include "common/meta/heartbeat.h"
#include "common/meta/jobs.h"
#include "common/meta/locks.h"
#include "common/meta/requests.h"
#include "common/meta/session.h"
#include "common/meta/shards.h"
#include "common/stripe/geometry.h"
#include "common/stripe/shard_calls.h"

namespace cairn {

inline constexpr uint32_t kMaxTargetBytes = 4095;    // of a symlink
inline constexpr uint32_t kMaxTailBytes = 2u << 20;  // of one record: header and cell, multiples of 4096

// ---- ids and single fields -----------------------------------------------------------------------------------------

// Ids cannot be malformed, only unknown: from_wire_id<InodeId>(request.inode).
template <typename Id>
Id from_wire_id(int64_t value) {
  return Id{static_cast<std::underlying_type_t<Id>>(value)};
}
template <typename Id>
int64_t to_wire_id(Id id) {
  return static_cast<int64_t>(raw(id));
}
// Of a directory entry: 1 .. 255 bytes, no slash, no zero byte, not "." or "..".
Status check_name(const std::string& name);
// Of an extended attribute: 1 .. 255 bytes, no zero byte.
Status check_xattr_name(const std::string& name);
// Of a file: both not negative, and their sum within kMaxFileBytes.
Status check_range(int64_t offset, int64_t length);
// Of an append: whether so many bytes may follow. If not, the handler throws, which closes the connection.
bool valid_tail(int64_t bytes);

// ---- values --------------------------------------------------------------------------------------------------------

thrift::Error to_wire(const Error& error);
Error from_wire(const thrift::Error& error);
thrift::Mutation to_wire(const Mutation& mutation);
Result<Mutation> from_wire(const thrift::Mutation& mutation);
thrift::Address to_wire(const Address& address);
Result<Address> from_wire(const thrift::Address& address);
thrift::Code to_wire(const Code& code);
Result<Code> from_wire(const thrift::Code& code);
thrift::Time to_wire(const Time& time);
Result<Time> from_wire(const thrift::Time& time);
thrift::Attributes to_wire(const Attributes& attributes);
Result<Attributes> from_wire(const thrift::Attributes& attributes);
thrift::Entry to_wire(const Entry& entry);
Result<Entry> from_wire(const thrift::Entry& entry);
thrift::Extent to_wire(const Extent& extent);
Result<Extent> from_wire(const thrift::Extent& extent);  // valid() and within kMaxFileBytes
thrift::Chunk to_wire(const ChunkInfo& chunk);
Result<ChunkInfo> from_wire(const thrift::Chunk& chunk);  // as many servers as shards
thrift::Server to_wire(const ServerInfo& server);
Result<ServerInfo> from_wire(const thrift::Server& server);
thrift::StorageClass to_wire(const StorageClass& storage_class);
Result<StorageClass> from_wire(const thrift::StorageClass& storage_class);
thrift::Lease to_wire(const Lease& lease);
Result<Lease> from_wire(const thrift::Lease& lease);
thrift::Event to_wire(const Event& event);
Result<Event> from_wire(const thrift::Event& event);
thrift::Lock to_wire(const HeldLock& lock);
Result<HeldLock> from_wire(const thrift::Lock& lock);
thrift::LockCall to_wire(const LockCall& call);
Result<LockCall> from_wire(const thrift::LockCall& call);  // wait and mode none: invalid
thrift::LockNotice to_wire(const LockNotice& notice);
Result<LockNotice> from_wire(const thrift::LockNotice& notice);
thrift::LockInfo to_wire(const LockInfo& info);
Result<LockInfo> from_wire(const thrift::LockInfo& info);
thrift::SessionStatus to_wire(const SessionStatus& session);
Result<SessionStatus> from_wire(const thrift::SessionStatus& session);
thrift::FileCommit to_wire(const FileCommit& commit);
Result<FileCommit> from_wire(const thrift::FileCommit& commit);
thrift::ChunkCommit to_wire(const ChunkCommit& commit);
Result<ChunkCommit> from_wire(const thrift::ChunkCommit& commit);
thrift::ShardInfo to_wire(const ShardSummary& shard);
Result<ShardSummary> from_wire(const thrift::ShardInfo& shard);

thrift::JobOutput to_wire(const JobOutput& own);
Result<JobOutput> from_wire(const thrift::JobOutput& wire);
thrift::JobInput to_wire(const JobInput& own);
Result<JobInput> from_wire(const thrift::JobInput& wire);
thrift::TaskCounters to_wire(const TaskCounters& own);
Result<TaskCounters> from_wire(const thrift::TaskCounters& wire);
thrift::PhaseCount to_wire(const PhaseCount& own);
Result<PhaseCount> from_wire(const thrift::PhaseCount& wire);
thrift::ServerCounters to_wire(const ServerCounters& own);
Result<ServerCounters> from_wire(const thrift::ServerCounters& wire);
thrift::JobStatus to_wire(const JobStatus& own);
Result<JobStatus> from_wire(const thrift::JobStatus& wire);
thrift::TaskWindow to_wire(const TaskWindow& own);
Result<TaskWindow> from_wire(const thrift::TaskWindow& wire);
thrift::TaskInfo to_wire(const TaskInfo& own);
Result<TaskInfo> from_wire(const thrift::TaskInfo& wire);
thrift::JobFile to_wire(const JobFile& own);
Result<JobFile> from_wire(const thrift::JobFile& wire);
thrift::ChunkHolders to_wire(const ChunkHolders& own);
Result<ChunkHolders> from_wire(const thrift::ChunkHolders& wire);
thrift::TaskRef to_wire(const TaskRef& own);
Result<TaskRef> from_wire(const thrift::TaskRef& wire);
thrift::RunningTask to_wire(const RunningTask& own);
Result<RunningTask> from_wire(const thrift::RunningTask& wire);
thrift::Assignment to_wire(const Assignment& own);
Result<Assignment> from_wire(const thrift::Assignment& wire);
thrift::FileHead to_wire(const FileHead& own);
Result<FileHead> from_wire(const thrift::FileHead& wire);
thrift::TaskOutput to_wire(const TaskOutput& own);
Result<TaskOutput> from_wire(const thrift::TaskOutput& wire);
thrift::SpooledPartial to_wire(const SpooledPartial& own);
Result<SpooledPartial> from_wire(const thrift::SpooledPartial& wire);
thrift::TaskResult to_wire(const TaskResult& own);
Result<TaskResult> from_wire(const thrift::TaskResult& wire);

// Lists of the above.
template <typename Own>
auto to_wire(const std::vector<Own>& own) {
  std::vector<decltype(to_wire(std::declval<const Own&>()))> list;
  list.reserve(own.size());
  for (const Own& one : own) list.push_back(to_wire(one));
  return list;
}
template <typename Generated>
auto from_wire(const std::vector<Generated>& list) {
  using Own = std::decay_t<decltype(from_wire(std::declval<const Generated&>()).value())>;
  std::vector<Own> own;
  own.reserve(list.size());
  for (const Generated& one : list) {
    auto result = from_wire(one);
    if (!result.ok()) return Result<std::vector<Own>>(result.error());
    own.push_back(std::move(result).value());
  }
  return Result<std::vector<Own>>(std::move(own));
}

// ---- requests to the metaserver ------------------------------------------------------------------------------------

thrift::OpenSessionRequest to_wire(const SessionRequest& request);
Result<SessionRequest> from_wire(const thrift::OpenSessionRequest& request);
thrift::HeartbeatRequest to_wire(const Heartbeat& heartbeat);
Result<Heartbeat> from_wire(const thrift::HeartbeatRequest& request);

thrift::MakeNodeRequest to_wire(const MakeNode& request, const Mutation& mutation);
Result<MakeNode> from_wire(const thrift::MakeNodeRequest& request);
thrift::MakeAnonymousRequest to_wire(const MakeAnonymous& request, const Mutation& mutation);
Result<MakeAnonymous> from_wire(const thrift::MakeAnonymousRequest& request);
thrift::LinkRequest to_wire(const LinkNode& request, const Mutation& mutation);
Result<LinkNode> from_wire(const thrift::LinkRequest& request);
thrift::RemoveRequest to_wire(const RemoveName& request, const Mutation& mutation);
Result<RemoveName> from_wire(const thrift::RemoveRequest& request);
thrift::RenameRequest to_wire(const Rename& request, const Mutation& mutation);
Result<Rename> from_wire(const thrift::RenameRequest& request);
thrift::SetAttributesRequest to_wire(const SetAttributes& request, const Mutation& mutation);
Result<SetAttributes> from_wire(const thrift::SetAttributesRequest& request);
thrift::SetXattrRequest to_wire(const SetXattr& request, const Mutation& mutation);
Result<SetXattr> from_wire(const thrift::SetXattrRequest& request);
thrift::RemoveXattrRequest to_wire(const RemoveXattr& request, const Mutation& mutation);
Result<RemoveXattr> from_wire(const thrift::RemoveXattrRequest& request);
thrift::TrimRangeRequest to_wire(const TrimRange& request, const Mutation& mutation);
Result<TrimRange> from_wire(const thrift::TrimRangeRequest& request);
thrift::ForgetOrphansRequest to_wire(const ForgetOrphans& request, const Mutation& mutation);
Result<ForgetOrphans> from_wire(const thrift::ForgetOrphansRequest& request);
thrift::CommitRequest to_wire(const Commit& request, const Mutation& mutation);
Result<Commit> from_wire(const thrift::CommitRequest& request);
thrift::GrantRequest to_wire(const GrantChunks& request, const Mutation& mutation);
Result<GrantChunks> from_wire(const thrift::GrantRequest& request);
thrift::SealRequest to_wire(const SealChunks& request, const Mutation& mutation);
Result<SealChunks> from_wire(const thrift::SealRequest& request);

thrift::LockRequest to_wire(const LockCall& call, const Mutation& mutation);
Result<LockCall> from_wire(const thrift::LockRequest& request);
struct CancelLock {
  uint64_t run = 0;
  uint64_t waiter = 0;
};
thrift::CancelLockRequest to_wire(const CancelLock& request, const Mutation& mutation);
Result<CancelLock> from_wire(const thrift::CancelLockRequest& request);
thrift::ReclaimLocksRequest to_wire(const LockReclaim& request, const Mutation& mutation);
Result<LockReclaim> from_wire(const thrift::ReclaimLocksRequest& request);
thrift::ListLocksRequest to_wire(const LockListCall& request);  // without the session
Result<LockListCall> from_wire(const thrift::ListLocksRequest& request);

thrift::JobRequest to_wire(const SubmitJob& request, const Mutation& mutation);
Result<SubmitJob> from_wire(const thrift::JobRequest& request);
thrift::JobInputsRequest to_wire(const AddJobInputs& request, const Mutation& mutation);
Result<AddJobInputs> from_wire(const thrift::JobInputsRequest& request);
thrift::CancelJobRequest to_wire(const CancelJob& request, const Mutation& mutation);
Result<CancelJob> from_wire(const thrift::CancelJobRequest& request);
thrift::FinishTaskRequest to_wire(const FinishTask& request, const Mutation& mutation);
Result<FinishTask> from_wire(const thrift::FinishTaskRequest& request);
thrift::FinishJobRequest to_wire(const FinishJob& request, const Mutation& mutation);
Result<FinishJob> from_wire(const thrift::FinishJobRequest& request);
thrift::LostResultRequest to_wire(const LostResult& request, const Mutation& mutation);
Result<LostResult> from_wire(const thrift::LostResultRequest& request);
thrift::TaskPollRequest to_wire(const TaskPoll& poll);  // without the session, as the next one
Result<TaskPoll> from_wire(const thrift::TaskPollRequest& request);
struct JobLayoutCall {
  JobId job{};
  uint32_t file = 0;
  uint64_t begin = 0, end = 0;
  uint32_t limit = 0;  // extents; 0: as many as there may be
};
thrift::JobLayoutRequest to_wire(const JobLayoutCall& call);
Result<JobLayoutCall> from_wire(const thrift::JobLayoutRequest& request);
// To a worker.
struct FetchPartialCall {
  TaskRef ref;
  uint64_t offset = 0;  // of a spooled partial
  uint32_t limit = 0;   // 1 .. kMaxPartialPiece
};
inline constexpr uint32_t kMaxPartialPiece = 1u << 20;
thrift::FetchPartialRequest to_wire(const FetchPartialCall& call);
Result<FetchPartialCall> from_wire(const thrift::FetchPartialRequest& request);

// ---- requests to a chunkserver -------------------------------------------------------------------------------------

thrift::AppendRequest to_wire(const AppendCall& call, uint32_t tail_bytes);
Result<AppendCall> from_wire(const thrift::AppendRequest& request);  // tail_bytes: valid_tail
thrift::SyncRequest to_wire(const SyncCall& call);
Result<SyncCall> from_wire(const thrift::SyncRequest& request);
thrift::ReadRequest to_wire(const ReadCall& call);
Result<ReadCall> from_wire(const thrift::ReadRequest& request);  // at most kMaxTailBytes in all, and not nothing
thrift::SealShardRequest to_wire(const SealShard& request);
Result<SealShard> from_wire(const thrift::SealShardRequest& request);
thrift::PunchRequest to_wire(const PunchShard& request);
Result<PunchShard> from_wire(const thrift::PunchRequest& request);
thrift::RemoveShardRequest to_wire(const ShardRef& shard);
Result<ShardRef> from_wire(const thrift::RemoveShardRequest& request);
thrift::ListShardsRequest to_wire(const ListShards& request);
Result<ListShards> from_wire(const thrift::ListShardsRequest& request);
thrift::RebuildRequest to_wire(const RebuildShard& request);
Result<RebuildShard> from_wire(const thrift::RebuildRequest& request);  // at most kMaxRebuildStripes, in order

// ---- replies -------------------------------------------------------------------------------------------------------

struct RenewedSession {
  Duration ttl{};
  Epoch epoch{};  // of the cluster map
  uint64_t run = 0;
};

void fill_reply(thrift::OpenSessionReply& reply, const SessionGrant& grant);
void fill_reply(thrift::RenewReply& reply, const RenewedSession& renewed);
void fill_reply(thrift::EventsReply& reply, const EventPage& page);
void fill_reply(thrift::AcquireReply& reply, const std::vector<Lease>& granted);
void fill_reply(thrift::LockReply& reply, const LockAnswer& answer);
void fill_reply(thrift::TestLockReply& reply, const std::optional<LockInfo>& holder);
void fill_reply(thrift::ListLocksReply& reply, const LockPage& page);
void fill_reply(thrift::EntryReply& reply, const Entry& entry);
void fill_reply(thrift::AttributesReply& reply, const Attributes& attributes);
void fill_reply(thrift::ReadlinkReply& reply, const std::string& target);
void fill_reply(thrift::DirectoryReply& reply, const DirectoryPage& page);
void fill_reply(thrift::StatfsReply& reply, const FilesystemSpace& space);
void fill_reply(thrift::XattrReply& reply, const std::string& value);
void fill_reply(thrift::XattrListReply& reply, const std::vector<std::string>& names);
void fill_reply(thrift::RemoveReply& reply, const Removed& removed);
void fill_reply(thrift::RenameReply& reply, const Renamed& renamed);
void fill_reply(thrift::LayoutReply& reply, const Layout& layout);
void fill_reply(thrift::CommitReply& reply, const Committed& committed);
void fill_reply(thrift::GrantReply& reply, const std::vector<ChunkInfo>& chunks);
void fill_reply(thrift::ClusterMapReply& reply, const ClusterMap& map);
void fill_reply(thrift::HeartbeatReply& reply, const HeartbeatAnswer& answer);
void fill_reply(thrift::StatusReply& reply, const ClusterStatus& status);
void fill_reply(thrift::ChunkListReply& reply, const std::vector<ChunkInfo>& chunks);
void fill_reply(thrift::ChangeServerReply& reply, const ServerChange& change);
void fill_reply(thrift::JobReply& reply, const JobId& own);
void fill_reply(thrift::JobStatusReply& reply, const JobStatus& own);
void fill_reply(thrift::ListJobsReply& reply, const JobList& own);
void fill_reply(thrift::JobPlanReply& reply, const JobPlan& own);
void fill_reply(thrift::JobDescriptionReply& reply, const JobDescription& own);
void fill_reply(thrift::JobLayoutReply& reply, const JobLayout& own);
void fill_reply(thrift::TaskPollReply& reply, const TaskOrders& own);
void fill_reply(thrift::TaskVerdictReply& reply, const TaskVerdict& own);
void fill_reply(thrift::JobResultsReply& reply, const JobResults& own);
void fill_reply(thrift::FetchPartialReply& reply, const std::string& bytes);
void fill_reply(thrift::AppendReply& reply, const ShardPosition& position);
void fill_reply(thrift::SyncReply& reply, const ShardPosition& position);
void fill_reply(thrift::ReadReply& reply, const uint32_t& tail_bytes);
void fill_reply(thrift::ListShardsReply& reply, const ShardPage& page);
void fill_reply(thrift::ChunkserverStatusReply& reply, const ChunkserverStatus& status);
void fill_reply(thrift::RebuildReply& reply, const RebuildProgress& progress);

template <typename Reply, typename Own>
void answer(Reply& reply, const Result<Own>& result) {
  if (result.ok()) {
    fill_reply(reply, result.value());
  } else {
    reply.__set_error(to_wire(result.error()));
  }
}
template <typename Reply>  // of replies without a value, and of errors found early
void answer(Reply& reply, const Status& status) {
  if (!status.ok()) reply.__set_error(to_wire(status.error()));
}
template <typename Reply>
void answer(Reply& reply, const Error& error) {
  reply.__set_error(to_wire(error));
}

Result<SessionGrant> from_wire(const thrift::OpenSessionReply& reply);
Result<RenewedSession> from_wire(const thrift::RenewReply& reply);
Result<EventPage> from_wire(const thrift::EventsReply& reply);
Result<std::vector<Lease>> from_wire(const thrift::AcquireReply& reply);
Result<LockAnswer> from_wire(const thrift::LockReply& reply);
Result<std::optional<LockInfo>> from_wire(const thrift::TestLockReply& reply);
Result<LockPage> from_wire(const thrift::ListLocksReply& reply);
Result<Entry> from_wire(const thrift::EntryReply& reply);
Result<Attributes> from_wire(const thrift::AttributesReply& reply);
Result<std::string> from_wire(const thrift::ReadlinkReply& reply);
Result<DirectoryPage> from_wire(const thrift::DirectoryReply& reply);
Result<FilesystemSpace> from_wire(const thrift::StatfsReply& reply);
Result<std::string> from_wire(const thrift::XattrReply& reply);
Result<std::vector<std::string>> from_wire(const thrift::XattrListReply& reply);
Result<Removed> from_wire(const thrift::RemoveReply& reply);
Result<Renamed> from_wire(const thrift::RenameReply& reply);
Result<Layout> from_wire(const thrift::LayoutReply& reply);
Result<Committed> from_wire(const thrift::CommitReply& reply);
Result<std::vector<ChunkInfo>> from_wire(const thrift::GrantReply& reply);
Result<ClusterMap> from_wire(const thrift::ClusterMapReply& reply);
Result<HeartbeatAnswer> from_wire(const thrift::HeartbeatReply& reply);
Result<ClusterStatus> from_wire(const thrift::StatusReply& reply);
Result<std::vector<ChunkInfo>> from_wire(const thrift::ChunkListReply& reply);
Result<ServerChange> from_wire(const thrift::ChangeServerReply& reply);
Status from_wire(const thrift::EmptyReply& reply);
Result<JobId> from_wire(const thrift::JobReply& reply);
Result<JobStatus> from_wire(const thrift::JobStatusReply& reply);
Result<JobList> from_wire(const thrift::ListJobsReply& reply);
Result<JobPlan> from_wire(const thrift::JobPlanReply& reply);
Result<JobDescription> from_wire(const thrift::JobDescriptionReply& reply);
Result<JobLayout> from_wire(const thrift::JobLayoutReply& reply);
Result<TaskOrders> from_wire(const thrift::TaskPollReply& reply);
Result<TaskVerdict> from_wire(const thrift::TaskVerdictReply& reply);
Result<JobResults> from_wire(const thrift::JobResultsReply& reply);
Result<std::string> from_wire(const thrift::FetchPartialReply& reply);
Result<ShardPosition> from_wire(const thrift::AppendReply& reply);
Result<ShardPosition> from_wire(const thrift::SyncReply& reply);
Result<uint32_t> from_wire(const thrift::ReadReply& reply);
Status from_wire(const thrift::ShardReply& reply);
Result<ShardPage> from_wire(const thrift::ListShardsReply& reply);
Result<ChunkserverStatus> from_wire(const thrift::ChunkserverStatusReply& reply);
Result<RebuildProgress> from_wire(const thrift::RebuildReply& reply);

}  // namespace cairn

// What clients, chunkservers and tools ask of the metaserver.
//
// Namespace calls, data calls, and cluster calls; sessions and leases are in session.thrift and served on the same port.
namespace cpp cairn.thrift
include "types.thrift"
include "session.thrift"
include "lock.thrift"
include "admin.thrift"
include "task.thrift"

struct Entry {
  1: i64 parent
  2: string name
  3: types.Attributes attributes
  4: i64 cookie          // stable position in the directory, for readdir
}

// `leased`: the run of the metaserver in which the session got a read lease, with this answer, on each inode that the
// answer is about (of lookup: on the directory too, also when there is no such name). Absent: nothing may be kept.
struct EntryReply { 1: optional types.Error error  2: optional Entry entry  3: optional i64 leased }
struct AttributesReply { 1: optional types.Error error  2: optional types.Attributes attributes  3: optional i64 leased }
struct EmptyReply { 1: optional types.Error error }

struct LookupRequest { 1: i64 session  2: i64 parent  3: string name }
struct GetAttributesRequest { 1: i64 session  2: i64 inode }
struct ReadlinkReply { 1: optional types.Error error  2: optional string target  3: optional i64 leased }

struct MakeNodeRequest {
  1: types.Mutation mutation
  2: i64 parent
  3: string name
  4: i32 mode             // with the type: file, directory, symlink, fifo, socket, device
  5: i32 uid
  6: i32 gid
  7: i64 rdev
  8: string target        // of a symlink
}
// A regular file without a name, pinned to the session as an orphan is: until forget_orphans, or the session's end.
struct MakeAnonymousRequest {
  1: types.Mutation mutation
  2: i64 like             // a directory or regular file, whose storage class it gets
  3: string policy        // or the class of this policy, as the xattr cairn.policy has it; empty: like's
}
struct LinkRequest { 1: types.Mutation mutation  2: i64 inode  3: i64 parent  4: string name }
struct RemoveRequest { 1: types.Mutation mutation  2: i64 parent  3: string name  4: bool directory }
struct RemoveReply {
  1: optional types.Error error
  2: optional i64 inode
  3: optional i32 links_left    // 0: the inode is an orphan pinned to this session until forget_orphans
  4: optional bool directory
}
struct RenameRequest {
  1: types.Mutation mutation
  2: i64 old_parent
  3: string old_name
  4: i64 new_parent
  5: string new_name
  6: i32 flags              // of renameat2: 1 noreplace, 2 exchange
}
struct RenameReply {
  1: optional types.Error error
  2: optional types.Attributes moved
  3: optional i64 replaced        // inode that lost its name; 0 none
  4: optional i32 replaced_links_left
}
struct SetAttributesRequest {
  1: types.Mutation mutation
  2: i64 inode
  3: optional i32 mode          // permission bits
  4: optional i32 uid
  5: optional i32 gid
  6: optional i64 size          // shrinking trims the extents
  7: optional types.Time atime
  8: optional types.Time mtime
  9: optional types.Time ctime
}
struct DirectoryRequest { 1: i64 session  2: i64 inode  3: i64 after_cookie  4: i32 limit }
struct DirectoryReply {
  1: optional types.Error error
  2: optional list<Entry> entries
  3: optional bool complete
  4: optional i64 parent
  5: optional i64 leased        // the directory, not what lies in it
}
struct StatfsReply {
  1: optional types.Error error
  2: optional i64 total_bytes   // of data under the root's storage class
  3: optional i64 free_bytes
  4: optional i64 inodes
}

struct XattrRequest { 1: i64 session  2: i64 inode  3: string name }
struct XattrReply { 1: optional types.Error error  2: optional binary value  3: optional i64 leased }
struct XattrListReply { 1: optional types.Error error  2: optional list<string> names  3: optional i64 leased }
struct SetXattrRequest {
  1: types.Mutation mutation
  2: i64 inode
  3: string name
  4: binary value
  5: i32 flags              // XATTR_CREATE 1, XATTR_REPLACE 2
}
struct RemoveXattrRequest { 1: types.Mutation mutation  2: i64 inode  3: string name }
struct TrimRangeRequest { 1: types.Mutation mutation  2: i64 inode  3: i64 offset  4: i64 length  5: types.Time mtime }

struct LayoutRequest { 1: i64 session  2: i64 inode  3: i64 offset  4: i64 length  5: i32 limit }
struct LayoutReply {
  1: optional types.Error error
  2: optional types.Attributes attributes
  3: optional list<types.Extent> extents     // ascending, overlapping [offset, offset + length)
  4: optional list<types.Chunk> chunks       // each chunk that the extents name
  5: optional binary inline_data             // the whole content of a small file; then no extents
  6: optional i64 covered_until              // the answer is complete up to here; ask again from here
  7: optional i64 leased
}

struct FileCommit {
  1: i64 inode
  2: list<types.Extent> extents              // become visible together and trim what they hide
  3: i64 size_at_least                       // the size grows to this, never shrinks
  4: types.Time mtime
  5: optional binary inline_data             // the whole content, at most 2048 bytes; replaces all extents
}
struct ChunkCommit {
  1: i64 chunk
  2: i64 writer_epoch
  3: i64 committed_from                                // must equal the chunk's committed length
  4: i64 committed_to
}
struct CommitRequest { 1: types.Mutation mutation  2: list<FileCommit> files  3: list<ChunkCommit> chunks }
struct CommitReply {
  1: optional types.Error error              // the whole commit or nothing of it
  2: optional list<types.Attributes> files   // as they are now, in the order of the request
  3: optional list<i64> gone                 // inodes that no longer exist; their data was dropped
}
struct GrantRequest {
  1: types.Mutation mutation
  2: i32 storage_class
  3: i32 count
  4: list<i32> avoid                         // servers that failed this writer: a hint
}
struct GrantReply { 1: optional types.Error error  2: optional list<types.Chunk> chunks }
struct SealRequest { 1: types.Mutation mutation  2: list<i64> chunks }
struct ForgetOrphansRequest { 1: types.Mutation mutation  2: list<i64> inodes }

struct ClusterMapRequest { 1: i64 session  2: i64 known_epoch }
struct ClusterMapReply {
  1: optional types.Error error
  2: optional i64 epoch
  3: optional list<types.Server> servers
  4: optional list<types.StorageClass> classes
  5: optional i64 incarnation
}

struct HeartbeatRequest {
  1: string uuid               // of the data directory, made at its first start
  2: types.Address address
  3: i64 boot
  4: string site
  5: string rack
  6: string host
  7: string disk
  8: i64 total_bytes
  9: i64 free_bytes
  10: i64 incarnation          // of the cluster it belongs to; 0 on its first start
  11: i64 shards
  12: i64 bad_records          // found at its start-up check
}
struct HeartbeatReply {
  1: optional types.Error error
  2: optional i32 server
  3: optional i64 incarnation
  4: optional i64 epoch
  5: optional i32 interval_ms   // until the next one
}

service Metaserver {
  session.OpenSessionReply open_session(1: session.OpenSessionRequest request)
  session.RenewReply renew_session(1: session.RenewRequest request)
  EmptyReply close_session(1: session.CloseSessionRequest request)
  session.EventsReply events(1: session.EventsRequest request)
  session.AcquireReply acquire_leases(1: session.AcquireRequest request)
  EmptyReply release_leases(1: session.ReleaseRequest request)
  session.AcquireReply reclaim_leases(1: session.AcquireRequest request)

  lock.LockReply lock(1: lock.LockRequest request)
  lock.LockReply cancel_lock(1: lock.CancelLockRequest request)
  lock.LockReply reclaim_locks(1: lock.ReclaimLocksRequest request)
  lock.TestLockReply test_lock(1: lock.TestLockRequest request)
  lock.ListLocksReply list_locks(1: lock.ListLocksRequest request)

  EntryReply lookup(1: LookupRequest request)
  AttributesReply get_attributes(1: GetAttributesRequest request)
  ReadlinkReply readlink(1: GetAttributesRequest request)
  DirectoryReply read_directory(1: DirectoryRequest request)
  StatfsReply statfs(1: GetAttributesRequest request)
  XattrReply get_xattr(1: XattrRequest request)
  XattrListReply list_xattrs(1: GetAttributesRequest request)

  EntryReply make_node(1: MakeNodeRequest request)
  AttributesReply make_anonymous(1: MakeAnonymousRequest request)
  EntryReply link(1: LinkRequest request)
  RemoveReply remove(1: RemoveRequest request)
  RenameReply rename(1: RenameRequest request)
  AttributesReply set_attributes(1: SetAttributesRequest request)
  EmptyReply set_xattr(1: SetXattrRequest request)
  EmptyReply remove_xattr(1: RemoveXattrRequest request)
  AttributesReply trim_range(1: TrimRangeRequest request)
  EmptyReply forget_orphans(1: ForgetOrphansRequest request)

  LayoutReply layout(1: LayoutRequest request)
  CommitReply commit(1: CommitRequest request)
  GrantReply grant_chunks(1: GrantRequest request)
  EmptyReply seal_chunks(1: SealRequest request)

  ClusterMapReply cluster_map(1: ClusterMapRequest request)
  HeartbeatReply heartbeat(1: HeartbeatRequest request)

  admin.StatusReply status(1: admin.StatusRequest request)
  admin.ChunkListReply list_chunks(1: admin.ChunkListRequest request)
  admin.ChangeServerReply change_server(1: admin.ChangeServerRequest request)

  task.JobReply submit_job(1: task.JobRequest request)
  EmptyReply add_job_inputs(1: task.JobInputsRequest request)
  EmptyReply cancel_job(1: task.CancelJobRequest request)
  task.JobStatusReply job_status(1: task.JobStatusRequest request)
  task.ListJobsReply list_jobs(1: task.ListJobsRequest request)
  task.JobPlanReply job_plan(1: task.JobPlanRequest request)
  task.JobDescriptionReply get_job(1: task.JobDescriptionRequest request)
  task.JobLayoutReply job_layout(1: task.JobLayoutRequest request)
  task.JobResultsReply job_results(1: task.JobResultsRequest request)
  EmptyReply lost_result(1: task.LostResultRequest request)
  task.TaskPollReply poll_tasks(1: task.TaskPollRequest request)
  task.TaskVerdictReply finish_task(1: task.FinishTaskRequest request)
  task.TaskVerdictReply finish_job(1: task.FinishJobRequest request)
}

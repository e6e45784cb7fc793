// What the log holds: commands, and what each gives back.
//
// A command carries everything that is not a function of the state: the time, placements, what a client asked for. Ids
// are given by the state machine from counters in the state. So replaying the log gives the same state, byte for byte.
// command_codec.h writes them field by field with a version; numbers of bodies are never reused.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "common/base/types.h"
#include "common/meta/cluster.h"
#include "common/meta/jobs.h"
#include "common/meta/requests.h"
#include "common/meta/session.h"

namespace cairn {

struct OpenSession {  // -> SessionId; the same nonce gives the same session
  SessionRequest request;
};
struct EndSession {  // its open chunks are sealed, its orphans freed, its outcomes dropped
  SessionId session{};
  bool expired = false;
};
struct PlannedChunk {
  ClassId storage_class{};
  Code code;
  std::vector<ServerId> servers;
  uint32_t cell_bytes = 0;
  uint64_t shard_limit = 0;
};
struct CreateChunks {  // -> vector<ChunkInfo>; GrantChunks after placement
  std::vector<PlannedChunk> chunks;
};
struct RegisterServer {  // -> ServerId; the same uuid keeps its id; a new address raises the map's epoch
  std::string uuid;
  Address address;
  Labels labels;
};
struct DefineClass {  // by name; an existing class keeps its id
  StorageClass storage_class;
};
struct SealForRepair {  // by the metaserver itself: a server of the chunk is gone
  std::vector<ChunkId> chunks;
};
struct ReleaseExtents {  // a step of freeing a deleted inode: at most `limit` extents
  InodeId inode{};
  uint32_t limit = 1000;
};
struct CondemnChunks {  // dead sealed chunks whose quarantine is over: no layout may name them; their shards are
                        // removed next
  std::vector<ChunkId> chunks;
};
struct ChunksRemoved {  // every server of each has confirmed
  std::vector<ChunkId> chunks;
};
struct DeadStripe {
  ChunkId chunk{};
  uint64_t place = 0;
};
struct StripesPunched {  // every server of the chunk has confirmed
  std::vector<DeadStripe> stripes;
};
struct SealsConfirmed {  // every server of each sealed chunk knows: it leaves the list of pending seals
  std::vector<ChunkId> chunks;
};
struct PinOrphan {  // these sessions have an inode without names open: it is freed when each has forgotten it or ended
  InodeId inode{};
  std::vector<SessionId> sessions;
};

// Near-data jobs (common/meta/jobs.h). What a job pins, and how it is cut, are functions of the state, so these
// commands only say how far to go; each works on a bounded number of rows, and the next goes on from where it stopped.
struct AdmitJob {  // -> JobId. SubmitJob after a look at its operator.
  SubmitJob job;
  bool whole_files = false, csv_heads = false, quote_states = false, whole_lines = false;  // what the operator needs
  uint32_t task_files = 0;  // > 0: each file is one split, an empty one too, and a task has at most so many
  bool anywhere = false;    // of those: tasks without an owner
};
struct PinInputs {  // version, size and extents of the next inputs
  JobId job{};
  uint32_t limit = 0;  // of extents and files together
  uint32_t files = 0;  // at most: those whose writers have committed what they hold back
};
struct CutTasks {  // the next tasks of a job whose inputs are pinned
  JobId job{};
  uint32_t limit = 0;  // of extents
};
struct SetQuoteStates {  // of the next tasks that were surveyed: which of their splits start inside quotes
  JobId job{};
};
struct StartMerge {  // before the attempt is told to its worker, so that the file that it will make is known
  JobId job{};
  AttemptId attempt{};
  ServerId server{};
};
struct FailJob {
  JobId job{};
  Error failure;
};
struct RemoveJobRows {  // of a job that is over: the pins, or everything
  JobId job{};
  uint32_t limit = 0;
  bool whole = false;
};
// A shard that moves is made at its new server first, then the chunk's row names it there. Whatever lies where no row
// names it is written down as stale, before it is made and after it was moved away, so that it is removed in the end
// whatever happens between.
struct StaleShard {  // a shard on a server that its chunk's row does not name for it
  ServerId server{};
  ChunkId chunk{};
  uint8_t shard = 0;
  auto operator<=>(const StaleShard&) const = default;
};
struct PlanShards {  // they will be made there, and are stale until a move names them. exists: one is there, or planned
  std::vector<StaleShard> shards;
};
struct ShardMove {
  ChunkId chunk{};
  uint8_t shard = 0;
  ServerId from{};
  ServerId to{};
};
struct MoveShards {  // each for itself: one that its chunk's row does not allow any more is left stale, and no error
  std::vector<ShardMove> moves;
};
struct StaleShardsRemoved {  // their servers have confirmed
  std::vector<StaleShard> shards;
};
struct SetServerState {  // removed is for good
  ServerId server{};
  ServerState state = ServerState::active;
};
struct FreeReplaced {  // an orphan that a finished job's output replaced: its session, a worker's, has no use for it
  SessionId session{};
  InodeId inode{};
};

// Append only: the position is the number in the log.
using CommandBody =
    std::variant<MakeNode, LinkNode, RemoveName, Rename, SetAttributes, SetXattr, RemoveXattr, TrimRange, ForgetOrphans,
                 Commit, SealChunks, OpenSession, EndSession, CreateChunks, RegisterServer, DefineClass, SealForRepair,
                 ReleaseExtents, CondemnChunks, ChunksRemoved, StripesPunched, SealsConfirmed, PinOrphan, AdmitJob,
                 AddJobInputs, CancelJob, FinishTask, FinishJob, LostResult, PinInputs, CutTasks, SetQuoteStates,
                 StartMerge, FailJob, RemoveJobRows, FreeReplaced, MakeAnonymous, PlanShards, MoveShards,
                 StaleShardsRemoved, SetServerState>;

struct Command {
  Mutation mutation;    // session 0: the metaserver's own, without a stored outcome
  int64_t wall_ns = 0;  // picked by the proposer, never less than in the command before
  CommandBody body;
};

// Of FinishJob: with what the renaming did, for those who cache.
struct JobFinished {
  TaskVerdict verdict = TaskVerdict::accepted;
  Renamed renamed;  // of accepted
};

// std::monostate: done, nothing to tell. Stored for the session and answered to a retry.
using Answer = std::variant<std::monostate, Entry, Attributes, Removed, Renamed, Committed, std::vector<ChunkInfo>,
                            SessionId, ServerId, ClassId, JobId, TaskVerdict, JobFinished>;
using Outcome = Result<Answer>;

}  // namespace cairn

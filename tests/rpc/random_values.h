// Valid random values of every type that travels, from a seed.
#pragma once

#include <algorithm>

#include "common/base/random.h"
#include "common/rpc/wire.h"

namespace cairn::test {

class RandomValues {
 public:
  explicit RandomValues(uint64_t seed) : random_(seed) {}

  uint64_t below(uint64_t bound) { return random_.below(bound); }
  uint32_t below32(uint32_t bound) { return static_cast<uint32_t>(random_.below(bound)); }
  uint32_t any32() { return static_cast<uint32_t>(random_()); }
  bool flip() { return random_.one_in(2); }
  template <typename Id>
  Id id() {
    return Id{static_cast<std::underlying_type_t<Id>>(random_() | 1)};
  }
  InodeId inode() { return id<InodeId>(); }
  std::string name() {
    std::string text(1 + below(255), 'a');
    for (char& c : text) c = static_cast<char>('a' + below(26));
    return text;
  }
  std::string text(uint64_t limit) {
    std::string bytes(below(limit), '\0');
    for (char& c : bytes) c = static_cast<char>(random_());
    return bytes;
  }
  uint64_t place() { return kBlockBytes * below(1000); }

  Mutation mutation() {
    const uint64_t request = 1 + below(1ull << 60);
    return {id<SessionId>(), RequestId{request}, RequestId{1 + below(request)}};
  }
  Address address() { return {name(), static_cast<uint16_t>(1 + below(65535))}; }
  Code code() { return {static_cast<uint8_t>(1 + below(32)), static_cast<uint8_t>(below(9))}; }
  Time time() { return {static_cast<int64_t>(random_()), below32(1'000'000'000)}; }
  Attributes attributes() {
    return {inode(),           random_(), below32(0177777), any32(), any32(), any32(),       below(1ull << 62),
            below(1ull << 62), random_(), time(),           time(),  time(),  id<ClassId>(), any32()};
  }
  Entry entry() { return {inode(), name(), attributes(), random_()}; }
  Extent extent() {
    Extent extent;
    extent.shape.code = code();
    extent.shape.cell_bytes = kBlockBytes * (1 + below32(256));
    extent.shape.header_bytes = kBlockBytes * (1 + below32(5));
    extent.shape.present = extent.shape.all_present();
    extent.chunk = id<ChunkId>();
    extent.place = place();
    extent.position = below(extent.shape.data_bytes());
    extent.length = 1 + below(3 * extent.shape.data_bytes());
    extent.offset = below(1ull << 60);
    return extent;
  }
  ChunkInfo chunk() {
    ChunkInfo chunk;
    chunk.chunk = id<ChunkId>();
    chunk.storage_class = id<ClassId>();
    chunk.code = code();
    for (uint32_t i = 0; i < chunk.code.shards(); ++i) chunk.servers.push_back(id<ServerId>());
    chunk.sealed = flip();
    chunk.committed = place();
    chunk.writer_epoch = id<Epoch>();
    chunk.incarnation = id<Incarnation>();
    chunk.live_bytes = random_();
    chunk.cell_bytes = kBlockBytes * (1 + below32(256));
    chunk.shard_limit = place();
    return chunk;
  }
  Labels labels() { return {name(), name(), name(), name()}; }
  ServerInfo server() {
    return {id<ServerId>(),
            address(),
            name(),
            labels(),
            static_cast<Health>(below(5)),
            random_(),
            random_(),
            id<BootId>(),
            static_cast<int64_t>(random_())};
  }
  StorageClass storage_class() {
    static constexpr const char* kDomains[] = {"site", "rack", "host", "disk"};
    return {id<ClassId>(), name(), code(), kBlockBytes * (1 + below32(256)), kDomains[below(4)]};
  }
  Lease lease() { return {id<InodeId>(), static_cast<LeaseKind>(1 + below(3)), random_()}; }
  Event event() {
    Event event{random_(), static_cast<EventType>(1 + below(4)), {}, {}};
    if (event.type == EventType::recall || event.type == EventType::revoked) event.lease = lease();
    if (event.type == EventType::lock_ended) event.lock = lock_notice();
    return event;
  }
  LockOutcome lock_outcome() { return static_cast<LockOutcome>(1 + below(6)); }
  LockNotice lock_notice() { return {random_(), random_(), lock_outcome(), random_()}; }
  HeldLock lock() {
    HeldLock lock{inode(), {flip() ? LockKind::flock : LockKind::posix, random_()}, static_cast<int32_t>(below(99999)),
                  {},      flip() ? LockMode::shared : LockMode::exclusive,         random_()};
    if (lock.owner.kind == LockKind::posix) {
      lock.range.first = below(1ull << 62);
      lock.range.last = lock.range.first + below(1ull << 62);
    }
    return lock;
  }
  LockCall lock_call() {
    const HeldLock one = lock();
    return {random_(), one.inode, one.owner, one.pid, one.range, one.mode, flip(), random_()};
  }
  LockInfo lock_info() { return {lock(), flip(), id<SessionId>(), name(), name(), static_cast<int32_t>(below(99999))}; }
  SessionStatus session_status() {
    return {
        id<SessionId>(), name(), name(), static_cast<int32_t>(below(99999)), flip(), static_cast<int64_t>(below(20000)),
        any32()};
  }
  FileCommit file_commit() {
    FileCommit commit{inode(), {}, below(1ull << 62), time(), {}};
    if (flip()) {
      commit.inline_data = text(2048);
    } else {
      for (uint64_t n = below(5); n > 0; --n) commit.extents.push_back(extent());
    }
    return commit;
  }
  ChunkCommit chunk_commit() {
    const uint64_t from = place();
    return {id<ChunkId>(), id<Epoch>(), from, from + place()};
  }
  Commit commit() { return {{file_commit(), file_commit()}, {chunk_commit()}}; }
  ShardRef shard() { return {id<ServerId>(), id<Incarnation>(), id<ChunkId>(), static_cast<uint8_t>(below(40))}; }
  ShardSummary shard_summary() {
    return {id<ChunkId>(), static_cast<uint8_t>(below(40)), place(), flip(), place(), place(), flip()};
  }
  SessionRequest session_request() { return {name(), name(), static_cast<int32_t>(below(99999)), flip(), random_()}; }
  Heartbeat heartbeat() {
    return {name(), address(), id<BootId>(), labels(), random_(), random_(), id<Incarnation>(), random_(), random_()};
  }
  MakeAnonymous make_anonymous() { return {inode(), flip() ? "ec(2,1)/64K" : ""}; }
  MakeNode make_node() { return {inode(), name(), below32(0177777), any32(), any32(), random_(), name()}; }
  Rename rename() { return {inode(), name(), inode(), name(), below32(3)}; }
  SetAttributes set_attributes() {
    SetAttributes request;
    request.inode = inode();
    if (flip()) request.mode = below32(07777);
    if (flip()) request.uid = any32();
    if (flip()) request.gid = any32();
    if (flip()) request.size = below(1ull << 62);
    if (flip()) request.atime = time();
    if (flip()) request.mtime = time();
    if (flip()) request.ctime = time();
    return request;
  }
  Layout layout() {
    Layout layout{attributes(), {}, {chunk()}, {}, random_()};
    uint64_t offset = 0;
    for (uint64_t n = below(5); n > 0; --n) {
      layout.extents.push_back(extent());
      layout.extents.back().offset = offset + below(3) * 100;
      offset = layout.extents.back().end();
    }
    if (flip()) layout.inline_data = text(2048);
    return layout;
  }
  ClusterStatus cluster_status() {
    ClusterStatus status;
    status.incarnation = id<Incarnation>();
    status.epoch = id<Epoch>();
    status.uptime_ms = 5;
    status.inodes = random_();
    status.chunks = random_();
    status.open_chunks = random_();
    status.live_bytes = random_();
    status.missing_shards = random_();
    status.shortened_chunks = random_();
    status.unreadable_chunks = random_();
    status.servers = {server()};
    status.classes = {storage_class()};
    status.sessions = {session_status(), session_status()};
    status.applied_index = random_();
    status.log_bytes = random_();
    status.garbage_chunks = random_();
    status.pending_punches = random_();
    status.state_hash = text(40);
    status.survivable_losses = static_cast<int32_t>(below(5)) - 1;
    if (flip()) status.troubles = {text(40), text(40)};
    status.repair = {random_(), random_(), random_(), random_(), static_cast<int64_t>(below(99)) - 1, text(40), {}};
    if (flip()) status.repair.draining = {server_load(), server_load()};
    return status;
  }
  ServerLoad server_load() { return {id<ServerId>(), random_(), random_()}; }
  ServerChange server_change() { return {server_load(), random_(), random_(), random_(), flip()}; }
  RebuildShard rebuild_shard() {
    RebuildShard request{.shard = shard(), .attempt = random_()};
    request.shard.shard = static_cast<uint8_t>(below(6));
    request.code = {4, 2};
    for (int i = 0; i < 6; ++i) request.servers.push_back(id<ServerId>());
    request.lost = below(64);
    request.copy = flip();
    for (uint64_t n = below(5); n > 0; --n) {
      const StripeShape shape{{4, 2}, 4096, 4096, 1 + below32(15)};
      request.stripes.push_back({request.committed + below(3) * 4096, shape, flip()});
      request.committed = request.stripes.back().place + shape.stride();
    }
    request.last = flip();
    request.at_most = std::chrono::milliseconds(below(5000));
    return request;
  }

  // Near-data tasks.
  JobOutput job_output() {
    return {inode(),        name(),  flip(), flip() ? TableFormat::csv : TableFormat::json_lines,
            below32(01000), any32(), any32()};
  }
  std::optional<JobOutput> maybe_output() { return flip() ? std::optional(job_output()) : std::nullopt; }
  std::map<std::string, std::string> arguments() { return {{name(), text(100)}, {name(), text(100)}}; }
  SubmitJob submit_job() {
    return {name(),
            arguments(),
            1 + below32(kMaxJobInputs),
            maybe_output(),
            kMinTaskBytes + below(1u << 30),
            1 + static_cast<int64_t>(below(1'000'000))};
  }
  JobInput job_input() { return {inode(), name()}; }
  JobPhase task_phase() { return static_cast<JobPhase>(3 + below(3)); }
  TaskRef task_ref() { return {id<JobId>(), task_phase(), below32(kMaxJobTasks), id<AttemptId>()}; }
  TaskCounters task_counters() {
    return {below(1u << 30), below(1ull << 44), below(1u << 30), below(1u << 30), below(1u << 30)};
  }
  TaskWindow task_window() {
    const uint64_t begin = below(1ull << 60);
    return {below32(kMaxJobInputs), begin, begin + below(1ull << 60)};
  }
  TaskInfo task_info() {
    const uint64_t bytes = below(1ull << 60);
    return {below32(kMaxJobTasks),
            id<ServerId>(),
            flip(),
            {task_window(), task_window()},
            bytes,
            below(bytes + 1),
            flip(),
            flip(),
            id<ServerId>(),
            below32(9)};
  }
  JobFile job_file() { return {inode(), name(), random_(), below(1ull << 62), text(100)}; }
  Error failure() { return {flip() ? Errc::io : Errc::invalid, name()}; }
  JobStatus job_status() {
    JobStatus status;
    status.job = id<JobId>();
    status.phase = static_cast<JobPhase>(1 + below(8));
    if (flip()) status.failure = failure();
    status.op = name();
    status.inputs = 1 + below32(1000), status.planned = below32(1000);
    status.bytes = below(1ull << 62), status.bytes_done = below(1ull << 62);
    status.phases = {{JobPhase::surveying, below32(9), below32(9), below32(9)}, {JobPhase::mapping, 1, 2, 3}};
    status.counters = task_counters();
    status.result_bytes = below(1ull << 62);
    status.failures = below32(99), status.extra_attempts = below32(99);
    status.submitted_ms = static_cast<int64_t>(below(1ull << 60)),
    status.elapsed_ms = static_cast<int64_t>(below(1ull << 60));
    status.servers = {{id<ServerId>(), below32(9), below32(9), task_counters()}};
    status.changed = {name(), name()};
    status.changed_count = below32(999);
    status.waiting = name();
    status.output = maybe_output();
    status.output_inode = inode();
    return status;
  }
  ChunkHolders chunk_holders() { return {id<ChunkId>(), {id<ServerId>(), id<ServerId>()}}; }
  JobLayout job_layout() {
    JobLayout layout{random_(), below(1ull << 62), {extent()}, {chunk()}, {chunk_holders()}, {}, below(1ull << 62)};
    if (flip()) layout.inline_data = text(kMaxInlineBytes);
    return layout;
  }
  RunningTask running_task() { return {task_ref(), below(1ull << 60)}; }
  TaskPoll task_poll() {
    return {id<ServerId>(),
            below32(kMaxTaskSlots),
            {running_task(), running_task()},
            address(),
            std::chrono::milliseconds(below(10'000))};
  }
  Assignment assignment() {
    Assignment one{task_ref(), id<ServerId>(), flip(), {task_window()}, text(50), maybe_output(), name()};
    return one;
  }
  FileHead file_head() { return {below32(kMaxJobInputs), text(100)}; }
  SpooledPartial spooled() { return {1 + below(kMaxSpooledPartial), any32()}; }
  TaskOutput task_output() { return {below32(kMaxJobInputs), inode(), below(1ull << 62), flip()}; }
  FinishTask finish_task() {
    FinishTask done{task_ref(), id<ServerId>(), task_counters(), {}, {}, {}, {}, {}};
    if (flip()) {
      done.failure = failure();
    } else if (flip()) {
      done.odd_quotes = text(20);
      done.heads = {file_head()};
    } else if (flip()) {
      done.partial = text(1000);
      done.outputs = {task_output(), task_output()};
    } else {
      done.spooled = spooled();
    }
    return done;
  }
  TaskResult task_result() {
    TaskResult result{below32(kMaxJobTasks), text(100), {}, id<ServerId>(), address(), id<AttemptId>()};
    if (flip()) result.spooled = spooled();
    return result;
  }
  JobDescription job_description() {
    return {static_cast<JobPhase>(1 + below(8)),
            name(),
            arguments(),
            maybe_output(),
            1 + below32(1000),
            {job_file()},
            flip()};
  }

 private:
  Random random_;
};

}  // namespace cairn::test

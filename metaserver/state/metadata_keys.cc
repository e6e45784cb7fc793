#include "metaserver/state/metadata_keys.h"

#include "common/base/bytes.h"

namespace cairn::keys {

namespace {

ByteWriter start(Table table) { return ByteWriter(std::string(1, static_cast<char>(table))); }

}  // namespace

std::string dentry(InodeId parent, std::string_view name) {
  return start(Table::dentry).u64_be(raw(parent)).raw(name).take();
}
std::string cookie(InodeId parent, uint64_t cookie) {
  return start(Table::cookie).u64_be(raw(parent)).u64_be(cookie).take();
}
std::string inode(InodeId inode) { return start(Table::inode).u64_be(raw(inode)).take(); }
std::string xattr(InodeId inode, std::string_view name) {
  return start(Table::xattr).u64_be(raw(inode)).raw(name).take();
}
std::string extent(MapId map, uint64_t end) { return start(Table::extent).u64_be(raw(map)).u64_be(end).take(); }
std::string content(InodeId inode) { return start(Table::content).u64_be(raw(inode)).take(); }
std::string orphan(SessionId session, InodeId inode) {
  return start(Table::orphan).u64_be(raw(session)).u64_be(raw(inode)).take();
}
std::string release(MapId map) { return start(Table::release).u64_be(raw(map)).take(); }

std::string chunk(ChunkId chunk) { return start(Table::chunk).u64_be(raw(chunk)).take(); }
std::string stripe(ChunkId chunk, uint64_t place) {
  return start(Table::stripe).u64_be(raw(chunk)).u64_be(place).take();
}
std::string chunk_ref(ChunkId chunk, MapId map) {
  return start(Table::chunk_ref).u64_be(raw(chunk)).u64_be(raw(map)).take();
}
std::string open_chunk(SessionId session, ChunkId chunk) {
  return start(Table::open_chunk).u64_be(raw(session)).u64_be(raw(chunk)).take();
}
std::string pending_seal(ChunkId chunk) { return start(Table::pending_seal).u64_be(raw(chunk)).take(); }
std::string dead_stripe(int64_t died_ns, ChunkId chunk, uint64_t place) {
  return start(Table::dead_stripe).u64_be(static_cast<uint64_t>(died_ns)).u64_be(raw(chunk)).u64_be(place).take();
}
std::string dead_chunk(int64_t died_ns, ChunkId chunk) {
  return start(Table::dead_chunk).u64_be(static_cast<uint64_t>(died_ns)).u64_be(raw(chunk)).take();
}
std::string condemned(ChunkId chunk) { return start(Table::condemned).u64_be(raw(chunk)).take(); }
std::string stale_shard(ServerId server, ChunkId chunk, uint8_t shard) {
  return start(Table::stale_shard).u32_be(raw(server)).u64_be(raw(chunk)).u32_be(shard).take();
}

std::string session(SessionId session) { return start(Table::session).u64_be(raw(session)).take(); }
std::string nonce(uint64_t nonce) { return start(Table::nonce).u64_be(nonce).take(); }
std::string outcome(SessionId session, RequestId request) {
  return start(Table::outcome).u64_be(raw(session)).u64_be(raw(request)).take();
}
std::string outcome_window(SessionId session) { return start(Table::outcome_window).u64_be(raw(session)).take(); }
std::string server(ServerId server) { return start(Table::server).u32_be(raw(server)).take(); }
std::string server_state(ServerId server) { return start(Table::server_state).u32_be(raw(server)).take(); }
std::string uuid(std::string_view uuid) { return start(Table::uuid).raw(uuid).take(); }
std::string storage_class(ClassId id) { return start(Table::storage_class).u32_be(raw(id)).take(); }
std::string class_name(std::string_view name) { return start(Table::class_name).raw(name).take(); }

std::string job(JobId job) { return first(Table::job, raw(job)); }
std::string job_state(JobId job) { return first(Table::job_state, raw(job)); }
std::string job_file(JobId job, uint32_t file) { return start(Table::job_file).u64_be(raw(job)).u32_be(file).take(); }
std::string job_extent(JobId job, uint32_t file, uint64_t end) {
  return start(Table::job_extent).u64_be(raw(job)).u32_be(file).u64_be(end).take();
}
std::string job_chunk(JobId job, ChunkId chunk) {
  return start(Table::job_chunk).u64_be(raw(job)).u64_be(raw(chunk)).take();
}
std::string job_task(JobId job, uint32_t task) { return start(Table::job_task).u64_be(raw(job)).u32_be(task).take(); }
std::string job_result(JobId job, uint32_t task) {
  return start(Table::job_result).u64_be(raw(job)).u32_be(task).take();
}

std::string first(Table table) { return start(table).take(); }
std::string last(Table table) { return std::string(1, static_cast<char>(static_cast<char>(table) + 1)); }
std::string first(Table table, uint64_t id) { return start(table).u64_be(id).take(); }
std::string last(Table table, uint64_t id) { return id == UINT64_MAX ? last(table) : first(table, id + 1); }

Reader::Reader(Table table, std::string_view key) : left_(key) {
  if (key.empty() || key.front() != static_cast<char>(table)) {
    failed_ = true;
  } else {
    left_.remove_prefix(1);
  }
}

uint64_t Reader::number() {
  if (failed_ || left_.size() < 8) {
    failed_ = true;
    return 0;
  }
  const uint64_t value = ByteReader(left_.substr(0, 8)).u64_be();
  left_.remove_prefix(8);
  return value;
}

uint32_t Reader::number32() {
  if (failed_ || left_.size() < 4) {
    failed_ = true;
    return 0;
  }
  const uint32_t value = ByteReader(left_.substr(0, 4)).u32_be();
  left_.remove_prefix(4);
  return value;
}

std::string_view Reader::rest() { return failed_ ? std::string_view() : std::exchange(left_, std::string_view()); }

Status Reader::finish() const {
  if (!failed_ && left_.empty()) return {};
  return Error{Errc::corrupt, "metadata: a key of the store is not of its table's form"};
}

}  // namespace cairn::keys

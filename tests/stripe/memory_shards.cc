#include "tests/stripe/memory_shards.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace cairn {

namespace {

Error unavailable(ServerId server) { return {Errc::unavailable, fmt::format("server {} is dead", raw(server))}; }

// As much as bytes has at `from`; zeros behind its end.
void copy_out(const std::vector<uint8_t>& bytes, uint64_t from, std::span<uint8_t> into) {
  const uint64_t have = from < bytes.size() ? std::min<uint64_t>(into.size(), bytes.size() - from) : 0;
  if (have > 0) std::memcpy(into.data(), &bytes[from], have);
  if (have < into.size()) std::memset(into.data() + have, 0, into.size() - have);
}

}  // namespace

// Answers in order of their time, then of their start.
class MemoryShardCalls : public ShardCalls {
 public:
  explicit MemoryShardCalls(MemoryShards& shards) : shards_(shards) {}

  void append(Tag tag, const AppendCall& call, std::span<const iovec> record, Instant deadline) override {
    add({tag, deadline, shards_.append(call, record), {}, {}, {}});
  }
  void sync(Tag tag, const SyncCall& call, Instant deadline) override {
    add({tag, deadline, shards_.sync(call), {}, {}, {}});
  }
  void read(Tag tag, const ReadCall& call, std::span<uint8_t> header_into, std::span<uint8_t> cell_into,
            Instant deadline) override {
    if (shards_.answers_at_once(call.shard.server)) {
      add({tag, deadline, shards_.read(call, header_into, cell_into), {}, {}, {}});
      return;
    }
    // Kept aside until the answer is due: the buffers of a cancelled or late read must not be touched.
    std::vector<uint8_t> bytes(header_into.size() + cell_into.size());
    const std::span<uint8_t> all(bytes);
    auto answer = shards_.read(call, all.first(header_into.size()), all.subspan(header_into.size()));
    add({tag, deadline, std::move(answer), std::move(bytes), header_into, cell_into});
  }
  void cancel(Tag tag) override {
    std::erase_if(under_way_, [&](const Call& call) { return call.tag == tag; });
    Lock lock(shards_.mutex_);
    ++shards_.counts_.cancelled;
  }
  size_t under_way() const override { return under_way_.size(); }

  std::optional<Completion> wait(Instant deadline) override {
    const auto next = std::ranges::min_element(under_way_, {}, [](const Call& call) { return due(call); });
    if (next == under_way_.end()) return {};
    if (due(*next) > deadline) {
      shards_.clock_.advance_to(deadline);
      return {};
    }
    shards_.clock_.advance_to(due(*next));
    Completion done{next->tag, next->answer.status, next->answer.boot, next->answer.end};
    if (next->answer.ready > next->deadline) {
      done.status = {Errc::timed_out, "no answer in time"};
    } else if (done.status.ok()) {
      if (!next->header_into.empty())
        std::memcpy(next->header_into.data(), next->bytes.data(), next->header_into.size());
      if (!next->cell_into.empty())
        std::memcpy(next->cell_into.data(), next->bytes.data() + next->header_into.size(), next->cell_into.size());
    }
    under_way_.erase(next);
    return done;
  }

 private:
  struct Call {
    Tag tag = 0;
    Instant deadline;
    MemoryShards::Answer answer;
    std::vector<uint8_t> bytes;
    std::span<uint8_t> header_into, cell_into;
  };
  static Instant due(const Call& call) { return std::min(call.answer.ready, call.deadline); }
  void add(Call call) {
    for (const Call& other : under_way_) {
      if (other.tag == call.tag) std::abort();  // a tag names one call
    }
    under_way_.push_back(std::move(call));
  }

  MemoryShards& shards_;
  std::vector<Call> under_way_;
};

std::unique_ptr<ShardCalls> MemoryShards::calls() { return std::make_unique<MemoryShardCalls>(*this); }

uint32_t MemoryShards::reluctance(ServerId server) const {
  Lock lock(mutex_);
  const auto found = servers_.find(server);
  return found == servers_.end() ? 0 : found->second.reluctance;
}

Duration MemoryShards::usual_latency() const {
  Lock lock(mutex_);
  return usual_latency_;
}

void MemoryShards::set_usual_latency(Duration latency) {
  Lock lock(mutex_);
  usual_latency_ = latency;
}

void MemoryShards::kill(ServerId server) {
  Lock lock(mutex_);
  servers_[server].dead = true;
}

void MemoryShards::restart(ServerId id, bool forget_unsynced) {
  Lock lock(mutex_);
  Server& server = servers_[id];
  server.dead = false;
  ++server.boot;
  if (!forget_unsynced) return;
  for (auto& [key, shard] : server.shards) shard.bytes.resize(shard.durable);
}

void MemoryShards::delay(ServerId server, Duration duration) {
  Lock lock(mutex_);
  servers_[server].delay = duration;
}

void MemoryShards::set_reluctance(ServerId server, uint32_t value) {
  Lock lock(mutex_);
  servers_[server].reluctance = value;
}

void MemoryShards::fail_syncs(ServerId server) {
  Lock lock(mutex_);
  servers_[server].syncs_fail = true;
}

void MemoryShards::kill_after(uint64_t more_calls, std::vector<ServerId> servers) {
  Lock lock(mutex_);
  kill_at_ = calls_started_ + more_calls;
  to_kill_ = std::move(servers);
}

MemoryShards::Shard* MemoryShards::find(ChunkId chunk, uint8_t shard) {
  for (auto& [id, server] : servers_) {
    const auto found = server.shards.find({chunk, shard});
    if (found != server.shards.end()) return &found->second;
  }
  return nullptr;
}

std::vector<uint8_t>& MemoryShards::bytes(ChunkId chunk, uint8_t shard) {
  Lock lock(mutex_);
  Shard* found = find(chunk, shard);
  if (found == nullptr) std::abort();  // the test names a shard that was never written
  return found->bytes;
}

bool MemoryShards::exists(ChunkId chunk, uint8_t shard) const {
  Lock lock(mutex_);
  return std::ranges::any_of(servers_, [&](const auto& server) {
    return server.second.shards.contains({chunk, shard});
  });
}

void MemoryShards::swap(ChunkId chunk, uint8_t one, uint8_t other) {
  std::swap(bytes(chunk, one), bytes(chunk, other));
}

MemoryShards::Counts MemoryShards::counts() const {
  Lock lock(mutex_);
  return counts_;
}

uint64_t MemoryShards::syncs_of(ServerId server) const {
  Lock lock(mutex_);
  const auto found = servers_.find(server);
  return found == servers_.end() ? 0 : found->second.syncs;
}

uint64_t MemoryShards::reads_of(ServerId server) const {
  Lock lock(mutex_);
  const auto found = servers_.find(server);
  return found == servers_.end() ? 0 : found->second.reads;
}

bool MemoryShards::answers_at_once(ServerId server) const {
  Lock lock(mutex_);
  const auto found = servers_.find(server);
  return found == servers_.end() || found->second.delay == Duration::zero();
}

MemoryShards::Answer MemoryShards::arrive(ServerId id) {
  if (kill_at_.has_value() && calls_started_ >= *kill_at_) {
    for (const ServerId dead : to_kill_) servers_[dead].dead = true;
    kill_at_.reset();
  }
  ++calls_started_;
  Server& server = servers_[id];
  Answer answer{{}, BootId{server.boot}, 0, clock_.now() + server.delay};
  if (server.dead) answer.status = unavailable(id);
  return answer;
}

MemoryShards::Answer MemoryShards::append(const AppendCall& call, std::span<const iovec> record) {
  Lock lock(mutex_);
  Answer answer = arrive(call.shard.server);
  if (!answer.status.ok()) return answer;
  Server& server = servers_[call.shard.server];
  Shard& shard = server.shards[{call.shard.chunk, call.shard.shard}];
  size_t length = 0;
  for (const iovec& piece : record) length += piece.iov_len;
  ++counts_.appends;
  counts_.bytes_appended += length;
  if (shard.failed) {
    answer.status = {Errc::io, "this shard has failed"};
    return answer;
  }
  const uint64_t end = shard.bytes.size();
  const bool repetition = call.place < end;
  if (repetition && call.place + length > end) {
    answer.status = {Errc::invalid, "the place is taken"};
    return answer;
  }
  if (!repetition) shard.bytes.resize(call.place + length);
  uint64_t at = call.place;
  for (const iovec& piece : record) {
    if (repetition && std::memcmp(&shard.bytes[at], piece.iov_base, piece.iov_len) != 0) {
      answer.status = {Errc::invalid, "the place is taken by other bytes"};
      return answer;
    }
    std::memcpy(&shard.bytes[at], piece.iov_base, piece.iov_len);
    at += piece.iov_len;
  }
  if (call.sync) {
    ++server.syncs;
    if (server.syncs_fail) {
      shard.failed = true;
      answer.status = {Errc::io, "fdatasync failed"};
      return answer;
    }
    shard.durable = shard.bytes.size();
  }
  answer.end = shard.bytes.size();
  return answer;
}

MemoryShards::Answer MemoryShards::sync(const SyncCall& call) {
  Lock lock(mutex_);
  Answer answer = arrive(call.shard.server);
  if (!answer.status.ok()) return answer;
  Server& server = servers_[call.shard.server];
  ++counts_.syncs;
  ++server.syncs;
  const auto found = server.shards.find({call.shard.chunk, call.shard.shard});
  if (call.boot != BootId{server.boot}) {
    answer.status = {Errc::stale_boot, "restarted since"};
  } else if (found == server.shards.end() || found->second.bytes.size() < call.end) {
    answer.status = {Errc::invalid, "the shard is shorter"};
  } else if (found->second.failed || server.syncs_fail) {
    found->second.failed = true;
    answer.status = {Errc::io, "fdatasync failed"};
  } else {
    found->second.durable = found->second.bytes.size();
    answer.end = found->second.bytes.size();
  }
  return answer;
}

MemoryShards::Answer MemoryShards::read(const ReadCall& call, std::span<uint8_t> header_into,
                                        std::span<uint8_t> cell_into) {
  Lock lock(mutex_);
  Answer answer = arrive(call.shard.server);
  if (!answer.status.ok()) return answer;
  Server& server = servers_[call.shard.server];
  ++counts_.reads;
  ++server.reads;
  counts_.bytes_read += cell_into.size();
  const auto found = server.shards.find({call.shard.chunk, call.shard.shard});
  if (found == server.shards.end()) {
    answer.status = {Errc::not_found, fmt::format("no shard {} of chunk {}", call.shard.shard, raw(call.shard.chunk))};
    return answer;
  }
  copy_out(found->second.bytes, call.place, header_into);
  copy_out(found->second.bytes, call.place + call.header_bytes + call.cell_offset, cell_into);
  return answer;
}

}  // namespace cairn

#include "tests/rpc/fake_servers.h"

#include <sys/mman.h>
#include <thrift/TProcessor.h>
#include <unistd.h>

#include "common/base/random.h"

namespace cairn::test {
namespace {

// Handles the call, and then, when a drop was ordered, has the connection closed without an answer.
class DroppingProcessor : public apache::thrift::TProcessor {
 public:
  DroppingProcessor(std::shared_ptr<apache::thrift::TProcessor> inner, std::atomic<int>& drop_next)
      : inner_(std::move(inner)), drop_next_(drop_next) {}
  bool process(std::shared_ptr<apache::thrift::protocol::TProtocol> in,
               std::shared_ptr<apache::thrift::protocol::TProtocol> out, void* context) override {
    const bool handled = inner_->process(std::move(in), std::move(out), context);
    int left = drop_next_.load();
    while (left > 0 && !drop_next_.compare_exchange_weak(left, left - 1)) {
    }
    return handled && left <= 0;
  }

 private:
  std::shared_ptr<apache::thrift::TProcessor> inner_;
  std::atomic<int>& drop_next_;
};

bool take_one(std::atomic<int>& counter) {
  int left = counter.load();
  while (left > 0 && !counter.compare_exchange_weak(left, left - 1)) {
  }
  return left > 0;
}

// A file that exists in memory only, with a descriptor.
class MemoryFile : public File {
 public:
  explicit MemoryFile(std::span<const uint8_t> bytes) : fd_(::memfd_create("tail", MFD_CLOEXEC)) {
    if (::pwrite(fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  }
  ~MemoryFile() override { ::close(fd_); }
  int descriptor() const override { return fd_; }
  Result<size_t> read_at(uint64_t, std::span<uint8_t>) override { return unused(); }
  Status write_at(uint64_t, std::span<const iovec>) override { return unused(); }
  Status sync_data() override { return unused(); }
  Status truncate(uint64_t) override { return unused(); }
  Status preallocate(uint64_t, uint64_t) override { return unused(); }
  Status punch(uint64_t, uint64_t) override { return unused(); }
  Result<uint64_t> size() override { return unused(); }
  Result<uint64_t> allocated() override { return unused(); }
  Result<uint64_t> next_data(uint64_t) override { return unused(); }

 private:
  static Error unused() { return {Errc::not_supported, "a memory file is only sent"}; }
  int fd_;
};

}  // namespace

void Gate::close() {
  Lock lock(mutex_);
  closed_ = true;
}
void Gate::open() {
  Lock lock(mutex_);
  closed_ = false;
  changed_.notify_all();
}
void Gate::pass() {
  Lock lock(mutex_);
  ++waiting_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return !closed_; });
  --waiting_;
}
void Gate::await_waiting(int n) {
  Lock lock(mutex_);
  if (!changed_.wait_until(lock, in(kLong), [&] { return waiting_ >= n; })) std::abort();
}

std::vector<uint8_t> random_bytes(size_t size, uint64_t seed) {
  Random random(seed);
  std::vector<uint8_t> bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

iovec piece(std::span<const uint8_t> bytes) { return {const_cast<uint8_t*>(bytes.data()), bytes.size()}; }

// ---- chunkserver ---------------------------------------------------------------------------------------------------

class FakeChunkserver::Handler : public thrift::ChunkserverNull {
 public:
  Handler(FakeChunkserver& server, CallTails& tails) : server_(server), tails_(tails) {}

  void append(thrift::AppendReply& reply, const thrift::AppendRequest& request) override {
    ++server_.appends;
    if (!valid_tail(request.tail_bytes)) throw std::runtime_error("a tail of senseless length");
    const auto call = from_wire(request);
    if (!call.ok() || server_.refuse) {
      const Status skipped = tails_.skip_tail(static_cast<uint64_t>(request.tail_bytes));
      if (!skipped.ok()) return;
      return answer(reply, call.ok() ? Error{Errc::no_space, "full"} : call.error());
    }
    std::vector<uint8_t> bytes(static_cast<size_t>(request.tail_bytes));
    if (!tails_.read_tail(bytes).ok()) return;
    if (wrong_server(reply, call->shard)) return;
    {
      std::lock_guard lock(server_.mutex_);
      server_.records_[{raw(call->shard.chunk), call->shard.shard, call->place}] = std::move(bytes);
    }
    server_.gate.pass();
    answer(reply, Result<ShardPosition>({server_.boot, call->place + static_cast<uint64_t>(request.tail_bytes)}));
  }

  void sync(thrift::SyncReply& reply, const thrift::SyncRequest& request) override {
    ++server_.syncs;
    const auto call = from_wire(request);
    if (!call.ok()) return answer(reply, call.error());
    server_.gate.pass();
    if (call->boot != server_.boot) return answer(reply, Error{Errc::stale_boot, "restarted"});
    answer(reply, Result<ShardPosition>({server_.boot, call->end}));
  }

  void read(thrift::ReadReply& reply, const thrift::ReadRequest& request) override {
    ++server_.reads;
    const auto call = from_wire(request);
    if (!call.ok()) return answer(reply, call.error());
    if (wrong_server(reply, call->shard)) return;
    uint32_t bytes = call->header_bytes + call->cell_bytes;
    sent_.assign(bytes, 0);
    {
      std::lock_guard lock(server_.mutex_);
      const auto at = server_.records_.find({raw(call->shard.chunk), call->shard.shard, call->place});
      if (at == server_.records_.end()) return answer(reply, Error{Errc::not_found, "no such record"});
      const auto& record = at->second;
      const size_t from = call->header_bytes + size_t{call->cell_offset};
      std::copy_n(record.begin(), std::min<size_t>(call->header_bytes, record.size()), sent_.begin());
      if (from < record.size()) {
        std::copy_n(record.begin() + static_cast<ptrdiff_t>(from),
                    std::min<size_t>(call->cell_bytes, record.size() - from), sent_.begin() + call->header_bytes);
      }
    }
    server_.gate.pass();
    if (server_.short_tail) bytes -= 4096;
    answer(reply, Result<uint32_t>(bytes));
    const iovec header = piece(std::span(sent_).first(call->header_bytes));
    const std::span<const uint8_t> cell(sent_.data() + call->header_bytes, bytes - call->header_bytes);
    tails_.reply_with({&header, 1});
    if (server_.from_file) {
      // The file ends early: the rest must arrive as zeros.
      size_t stored = cell.size();
      while (stored > 0 && cell[stored - 1] == 0) --stored;
      tails_.reply_with_file(std::make_shared<MemoryFile>(cell.first(stored)), 0, cell.size());
    } else {
      const iovec rest = piece(cell);
      tails_.reply_with({&rest, 1});
    }
  }

  void seal(thrift::ShardReply& reply, const thrift::SealShardRequest& request) override {
    const auto call = from_wire(request);
    if (!call.ok()) return answer(reply, call.error());
    std::lock_guard lock(server_.mutex_);
    server_.seals_.emplace_back(raw(call->shard.chunk), call->committed);
  }

  void list_shards(thrift::ListShardsReply& reply, const thrift::ListShardsRequest& request) override {
    const auto call = from_wire(request);
    if (!call.ok()) return answer(reply, call.error());
    ShardPage page;  // two at a time, of ten
    for (uint64_t chunk = raw(call->after) + 1; chunk <= 10 && page.shards.size() < std::min(call->limit, 2u);
         ++chunk) {
      page.shards.push_back({.chunk = ChunkId{chunk}, .shard = 1, .end = 4096});
    }
    page.complete = page.shards.empty() || raw(page.shards.back().chunk) == 10;
    answer(reply, Result<ShardPage>(page));
  }

 private:
  template <typename Reply>
  bool wrong_server(Reply& reply, const ShardRef& shard) {
    if (server_.id == ServerId{} || shard.server == server_.id) return false;
    answer(reply, Error{Errc::stale_boot, "another server"});
    return true;
  }
  FakeChunkserver& server_;
  CallTails& tails_;
  std::vector<uint8_t> sent_;  // valid until the next call
};

FakeChunkserver::FakeChunkserver(uint64_t boot_id, RpcServer::Limits limits) : boot(BootId{boot_id}) {
  server_ = std::make_unique<RpcServer>(
      real_network(), real_clock(),
      [this](CallTails& tails) -> std::shared_ptr<apache::thrift::TProcessor> {
        auto processor = std::make_shared<thrift::ChunkserverProcessor>(std::make_shared<Handler>(*this, tails));
        return std::make_shared<DroppingProcessor>(std::move(processor), drop_next);
      },
      limits);
}
FakeChunkserver::~FakeChunkserver() { stop(); }
Status FakeChunkserver::start(uint16_t port) { return server_->start({"127.0.0.1", port}); }
void FakeChunkserver::stop() {
  gate.open();
  server_->stop();
}
std::vector<uint8_t> FakeChunkserver::record(uint64_t chunk, uint8_t shard, uint64_t place) {
  std::lock_guard lock(mutex_);
  return records_[{chunk, shard, place}];
}
std::vector<std::pair<uint64_t, uint64_t>> FakeChunkserver::seals() {
  std::lock_guard lock(mutex_);
  return seals_;
}

// ---- metaserver ----------------------------------------------------------------------------------------------------

class FakeMetaserver::Handler : public thrift::MetaserverNull {
 public:
  explicit Handler(FakeMetaserver& server) : server_(server) {}

  void open_session(thrift::OpenSessionReply& reply, const thrift::OpenSessionRequest& request) override {
    const auto own = from_wire(request);
    if (!own.ok()) return answer(reply, own.error());
    std::lock_guard lock(server_.mutex_);
    server_.nonces_.push_back(own->nonce);
    answer(reply, Result<SessionGrant>({SessionId{own->nonce + 1}, 20s, Incarnation{7}, true, 1}));
  }
  void renew_session(thrift::RenewReply& reply, const thrift::RenewRequest& request) override {
    if (request.session == 0) return answer(reply, Error{Errc::no_session, "expired"});
    answer(reply, Result<RenewedSession>({20s, Epoch{3}, 1}));
  }
  void events(thrift::EventsReply& reply, const thrift::EventsRequest& request) override {
    server_.events_gate.pass();
    std::vector<Event> events;
    events.push_back(
        {static_cast<uint64_t>(request.acknowledged) + 1, EventType::recall, Lease{{}, LeaseKind::exclusive, 5}, {}});
    answer(reply, Result<EventPage>({events, 1}));
  }
  void lookup(thrift::EntryReply& reply, const thrift::LookupRequest& request) override {
    ++server_.lookups;
    server_.lookup_gate.pass();
    if (take_one(server_.unavailable_next)) return answer(reply, Error{Errc::unavailable, "starting"});
    if (take_one(server_.unknown_code_next)) {
      thrift::Error error;
      error.code = 999;
      error.what = "from the future";
      return reply.__set_error(error);
    }
    if (request.name == "absent") return answer(reply, Error{Errc::not_found, "absent"});
    answer(reply, Result<Entry>(entry(request.parent, request.name)));
  }
  void make_node(thrift::EntryReply& reply, const thrift::MakeNodeRequest& request) override {
    const auto mutation = from_wire(request.mutation);
    const auto own = from_wire(request);
    if (!mutation.ok()) return answer(reply, mutation.error());
    if (!own.ok()) return answer(reply, own.error());
    {
      std::lock_guard lock(server_.mutex_);
      server_.mutations_.push_back(*mutation);
    }
    if (take_one(server_.busy_next)) return answer(reply, Error{Errc::busy, "no room"});
    if (own->name != "quick") server_.gate.pass();
    answer(reply, Result<Entry>(entry(request.parent, request.name)));
  }

 private:
  static Entry entry(int64_t parent, const std::string& name) {
    Entry made;
    made.parent = from_wire_id<InodeId>(parent);
    made.name = name;
    made.attributes.inode = InodeId{name.size() + 100};
    return made;
  }
  FakeMetaserver& server_;
};

FakeMetaserver::FakeMetaserver(RpcServer::Limits limits) {
  server_ = std::make_unique<RpcServer>(
      real_network(), real_clock(),
      [this](CallTails&) -> std::shared_ptr<apache::thrift::TProcessor> {
        auto processor = std::make_shared<thrift::MetaserverProcessor>(std::make_shared<Handler>(*this));
        return std::make_shared<DroppingProcessor>(std::move(processor), drop_next);
      },
      limits);
}
FakeMetaserver::~FakeMetaserver() { stop(); }
Status FakeMetaserver::start(uint16_t port) { return server_->start({"127.0.0.1", port}); }
void FakeMetaserver::stop() {
  gate.open();
  lookup_gate.open();
  events_gate.open();
  server_->stop();
}
std::vector<Mutation> FakeMetaserver::mutations() {
  std::lock_guard lock(mutex_);
  return mutations_;
}
std::vector<uint64_t> FakeMetaserver::nonces() {
  std::lock_guard lock(mutex_);
  return nonces_;
}

// ---- network -------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Stream>> CountingNetwork::connect(const Address& to, Instant deadline) {
  auto stream = real_network().connect(to, deadline);
  Lock lock(mutex_);
  ++(stream.ok() ? connects_ : refused_);
  changed_.notify_all();
  return stream;
}
int CountingNetwork::connects() {
  Lock lock(mutex_);
  return connects_;
}
int CountingNetwork::refused() {
  Lock lock(mutex_);
  return refused_;
}
void CountingNetwork::await_refused(int n) {
  Lock lock(mutex_);
  if (!changed_.wait_until(lock, in(kLong), [&] { return refused_ >= n; })) std::abort();
}

}  // namespace cairn::test

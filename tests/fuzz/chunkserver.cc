// A whole chunkserver in a simulation, asked by the input: each call with good and hostile fields, and garbage.
//
//   input: calls, one behind the other: method, its fields as choices        (every input is a sequence of calls)
//
// A model keeps what was acknowledged: reads give exactly that, and at the end every shard's file holds exactly that,
// so a refused call has changed nothing.
#include "chunkserver/chunkserver.h"

#include <algorithm>
#include <cstring>

#include "common/base/bytes.h"
#include "common/rpc/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/service_client.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_disk.h"

namespace cairn::fuzz {
namespace {

using Stub = thrift::ChunkserverClient;
constexpr uint32_t kMaxCalls = 24;
constexpr Incarnation kIncarnation{77};
constexpr ServerId kServer{3};

// The bytes of one shard, in blocks; what has none reads as zeros.
class Shard {
 public:
  void write(uint64_t at, std::string_view bytes) {
    for (; !bytes.empty(); bytes.remove_prefix(kBlockBytes), at += kBlockBytes)
      blocks_[at] = bytes.substr(0, kBlockBytes);
    end = std::max(end, at);
  }
  void punch(uint64_t at, uint64_t length) { blocks_.erase(blocks_.lower_bound(at), blocks_.lower_bound(at + length)); }
  std::string read(uint64_t at, uint64_t length) const {
    std::string bytes(length, '\0');
    for (auto it = blocks_.lower_bound(at); it != blocks_.end() && it->first < at + length; ++it) {
      bytes.replace(it->first - at, kBlockBytes, it->second);
    }
    return bytes;
  }
  const std::map<uint64_t, std::string>& blocks() const { return blocks_; }
  uint64_t end = 0;
  bool sealed = false;

 private:
  std::map<uint64_t, std::string> blocks_;
};

std::string make_record(const ShardRef& shard, uint64_t place, Input& input) {
  RecordHeader header;
  header.incarnation = shard.incarnation;
  header.chunk = shard.chunk;
  header.shard = shard.shard;
  header.place = place;
  header.writer_epoch = Epoch{1};
  header.shape = {.code = {2, 1}, .cell_bytes = kBlockBytes << input.below(2)};
  header.shape.present = header.shape.all_present();
  header.shape.header_bytes = header_bytes_for(1, header.shape.cell_bytes);
  header.data_bytes = 1 + input.u16() % header.shape.cell_bytes;
  header.owners.push_back({InodeId{2}, 0, 0, 0, 10});
  const uint32_t blocks = (header.data_bytes + kBlockBytes - 1) / kBlockBytes;
  std::string record(header.shape.header_bytes + blocks * kBlockBytes, '\0');
  const std::span<uint8_t> bytes(reinterpret_cast<uint8_t*>(record.data()), record.size());
  const auto cell = bytes.subspan(header.shape.header_bytes, header.data_bytes);
  std::memset(cell.data(), 1 + input.below(4), cell.size());
  make_tags(header, cell);
  encode_header(header, bytes.first(header.shape.header_bytes));
  if (input.rarely()) record[input.u16() % record.size()] = static_cast<char>(input.u8());
  return record;
}

class Caller {
 public:
  Caller(ServiceClient<Stub>& client, Input& input, BootId boot) : client_(client), input_(input), boot_(boot) {}
  void step();
  // Nothing else lies on the disk than what was acknowledged.
  void check(Chunkserver& server);

 private:
  ShardRef shard() {
    return {ServerId{input_.mostly(raw(kServer))}, Incarnation{input_.mostly(raw(kIncarnation))},
            ChunkId{input_.mostly<uint64_t>(1 + input_.below(3))},
            static_cast<uint8_t>(input_.mostly(input_.below(2)))};
  }
  static ShardKey key_of(const ShardRef& shard) { return {shard.chunk, shard.shard}; }
  uint64_t end_of(const ShardRef& shard) {
    const auto found = model_.find(key_of(shard));
    return found == model_.end() ? 0 : found->second.end;
  }
  uint64_t place_in(const ShardRef& shard) {
    return input_.flip() ? end_of(shard) : input_.mostly(uint64_t{kBlockBytes} * input_.below(8));
  }
  // True: sent, answered, and not refused.
  template <typename Request, typename Reply>
  bool call(void (Stub::*put)(const Request&), void (Stub::*get)(Reply&), const Request& request, Reply& reply,
            const std::string& tail = {}) {
    if (input_.rarely()) {
      garble(client_.frame_of(put, request) + tail);
      return false;
    }
    client_.call(put, get, request, reply, tail);
    const auto own = from_wire(reply);
    require(reply.__isset.error || own.ok(), "a reply is as promised");
    require(!reply.__isset.error || !reply.error.what.empty(), "an error says what is wrong");
    return !reply.__isset.error;
  }
  // A changed byte may make another good request of it, which the model would have to follow: so one that cannot.
  void garble(std::string frame) {
    frame[input_.u16() % std::min<size_t>(frame.size(), 12)] ^= static_cast<char>(1 + input_.below(255));
    if (input_.flip()) frame.resize(input_.u16() % frame.size());
    client_.garbage(frame);
  }
  void append();
  void sync();
  void read();
  void seal();
  void punch();
  void remove();
  void list();

  ServiceClient<Stub>& client_;
  Input& input_;
  const BootId boot_;
  std::map<ShardKey, Shard> model_;
};

void Caller::append() {
  const ShardRef ref = shard();
  const uint64_t place = place_in(ref);
  std::string record = make_record(ref, place, input_);
  if (input_.rarely()) record.resize(kBlockBytes * (1 + input_.below(4)));
  const AppendCall what{ref, place, Epoch{input_.mostly<uint64_t>(1)}, input_.flip()};
  thrift::AppendReply reply;
  if (!call(&Stub::send_append, &Stub::recv_append, to_wire(what, static_cast<uint32_t>(record.size())), reply, record))
    return;
  Shard& stored = model_[key_of(ref)];
  require(!stored.sealed, "nothing is appended to a sealed shard");
  if (place < stored.end) {
    require(stored.read(place, record.size()) == record, "a place has one content ever");
  } else {
    stored.write(place, record);
  }
  require(reply.shard_end == static_cast<int64_t>(stored.end), "an append tells the shard's end");
}

void Caller::sync() {
  const ShardRef ref = shard();
  thrift::SyncReply reply;
  const SyncCall what{ref, BootId{input_.mostly(raw(boot_))}, input_.mostly(end_of(ref))};
  if (!call(&Stub::send_sync, &Stub::recv_sync, to_wire(what), reply)) return;
  require(what.boot == boot_ && what.end <= end_of(ref), "only what was appended in this boot is synced");
}

void Caller::read() {
  const ShardRef ref = shard();
  const uint64_t place = place_in(ref);
  const auto blocks = [&](uint32_t most) { return static_cast<int32_t>(kBlockBytes * input_.below(most)); };
  thrift::ReadRequest request = to_wire(ReadCall{ref, place, 0, 0, 0});
  request.header_bytes = input_.mostly(blocks(3));
  request.cell_offset = input_.mostly(blocks(4));
  request.cell_bytes = input_.mostly(blocks(6));
  thrift::ReadReply reply;
  if (!call(&Stub::send_read, &Stub::recv_read, request, reply)) return;
  const auto length = static_cast<uint64_t>(request.header_bytes) + static_cast<uint64_t>(request.cell_bytes);
  require(static_cast<uint64_t>(reply.tail_bytes) == length, "a read gives as much as was asked for");
  const Shard& stored = model_.at(key_of(ref));
  const auto header = static_cast<uint64_t>(request.header_bytes);
  const uint64_t cell_at = place + header + static_cast<uint64_t>(request.cell_offset);
  const std::string expected = stored.read(place, header) + stored.read(cell_at, length - header);
  require(client_.read_tail(length) == expected, "a read gives what was stored");
}

void Caller::seal() {
  const ShardRef ref = shard();
  thrift::ShardReply reply;
  const uint64_t committed = input_.mostly(input_.flip() ? end_of(ref) : uint64_t{kBlockBytes} * input_.below(8));
  const SealShard what{ref, committed, Epoch{input_.mostly<uint64_t>(2)}};
  if (!call(&Stub::send_seal, &Stub::recv_seal, to_wire(what), reply)) return;
  model_[key_of(ref)].sealed = true;  // also one that never had an append: it takes none from now on
}

void Caller::punch() {
  const ShardRef ref = shard();
  thrift::ShardReply reply;
  const PunchShard what{ref, place_in(ref), input_.mostly(uint64_t{kBlockBytes} * (1 + input_.below(4)))};
  if (!call(&Stub::send_punch, &Stub::recv_punch, to_wire(what), reply)) return;
  const auto found = model_.find(key_of(ref));
  if (found != model_.end()) found->second.punch(what.place, what.length);
}

void Caller::remove() {
  const ShardRef ref = shard();
  thrift::ShardReply reply;
  if (call(&Stub::send_remove, &Stub::recv_remove, to_wire(ref), reply)) model_.erase(key_of(ref));
}

void Caller::list() {
  ListShards what{Incarnation{input_.mostly(raw(kIncarnation))}, ChunkId{input_.mostly<uint64_t>(0)}, 100, kServer};
  thrift::ListShardsRequest request = to_wire(what);
  request.limit = input_.mostly(100);
  thrift::ListShardsReply reply;
  if (!call(&Stub::send_list_shards, &Stub::recv_list_shards, request, reply)) return;
  for (const thrift::ShardInfo& shard : reply.shards) {
    const ShardKey key{ChunkId{static_cast<uint64_t>(shard.chunk)}, static_cast<uint8_t>(shard.shard)};
    require(model_.contains(key) && model_.at(key).end == static_cast<uint64_t>(shard.shard_end), "a list is true");
  }
}

void Caller::step() {
  switch (input_.below(16)) {
    case 0:
      return sync();
    case 1:
    case 2:
    case 3:
      return read();
    case 4:
      return seal();
    case 5:
      return punch();
    case 6:
      return remove();
    case 7:
      return list();
    case 8: {
      thrift::ChunkserverStatusRequest request;
      thrift::ChunkserverStatusReply reply;
      (void)call(&Stub::send_status, &Stub::recv_status, request, reply);
      return;
    }
    case 9:
      return client_.garbage(input_.bytes(input_.u8()));
    default:
      return append();
  }
}

void Caller::check(Chunkserver& server) {
  require(server.store().shards() == model_.size(), "as many shards as were made");
  for (const auto& [key, shard] : model_) {
    const auto file = server.store().file(key);
    require(file.ok(), "a shard that was appended to is there");
    const auto size = (*file)->size();
    require(size.ok() && *size <= shard.end, "and is no longer than what was appended");
    std::string block(kBlockBytes, '\0');
    for (uint64_t at = 0;;) {  // over what is not a hole
      const auto data = (*file)->next_data(at);
      if (!data.ok()) break;
      at = *data / kBlockBytes * kBlockBytes;
      block.assign(kBlockBytes, '\0');
      const auto got = (*file)->read_at(at, {reinterpret_cast<uint8_t*>(block.data()), block.size()});
      require(got.ok() && block == shard.read(at, kBlockBytes), "the disk holds what was acknowledged");
      at += kBlockBytes;
    }
    for (const auto& [at, bytes] : shard.blocks()) {
      const auto got = (*file)->read_at(at, {reinterpret_cast<uint8_t*>(block.data()), block.size()});
      require(got.ok() && block == bytes, "all that was acknowledged is there");
    }
  }
}

void one(Bytes bytes) {
  Input input(bytes);
  SimScheduler scheduler(1);
  SimNetwork network(scheduler, 1);
  SimDisk disk(scheduler, 1, {.longest_access = {}, .longest_sync = {}});
  SimClock clock(scheduler);
  const Status ended = scheduler.run([&] {
    ChunkserverOptions options;
    options.data = "/data";
    options.listen = {"chunk", 5000};
    options.check.reads_per_second = 0;
    options.buffer_bytes = 8u << 20;
    Chunkserver server(network.host("chunk"), clock, disk, options, 7);
    require(server.start().ok(), "a chunkserver starts");
    require(server.identity().adopt(kIncarnation, kServer).ok(), "and belongs to a cluster");
    {
      ServiceClient<Stub> client(scheduler, network.host("client"), {"chunk", 5000});
      Caller caller(client, input, server.boot());
      for (uint32_t calls = 0; calls < kMaxCalls && !input.empty(); ++calls) caller.step();
      caller.check(server);
    }
    require(server.stop().ok(), "a chunkserver stops");
  });
  if (!ended.ok()) broken(ended.error().what);
}

std::vector<std::string> seeds() {
  using namespace std::string_literals;
  const std::string append = "\x0a\0\0\0\0\0\0\0\x01\0\0\x80\0\x01\0\0\0\0\0"s;
  std::vector<std::string> all;
  for (char method = 0; method < 16; ++method) {
    all.push_back(append + method + std::string(20, '\0') + append + method + "\0\0\0\0\0\x01\x01\x01\x02"s);
    all.push_back(append + append + append + method + "\0\0\0\0\0\0\0\x02\x01\0\x02"s + method +
                  std::string(20, '\x01'));
  }
  return all;
}

const Registered registered{{"chunkserver", one, seeds}};

}  // namespace
}  // namespace cairn::fuzz

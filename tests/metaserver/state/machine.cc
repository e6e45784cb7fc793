#include "machine.h"

namespace cairn {

Genesis test_genesis() {
  return {.incarnation = Incarnation{77},
          .default_class =
              {.id = {}, .name = "default", .policy = {4, 2}, .cell_bytes = 256 << 10, .failure_domain = "host"},
          .wall_ns = 900 * kSecond};
}

Machine::Machine(uint32_t servers) {
  EXPECT_TRUE(store_.write(genesis(test_genesis())).ok());
  register_servers(servers);
}

Outcome Machine::apply_command(Command command) {
  log.push_back(encode_command(command));
  Transaction transaction(store_.view());
  Result<Outcome> outcome = apply(transaction, LogIndex{++applied_}, command);
  if (!outcome.ok()) {
    ADD_FAILURE() << "the store failed: " << outcome.error().what << " in " << name_of(command.body);
    return outcome.error();
  }
  EXPECT_TRUE(store_.write(transaction.take()).ok());
  if (applied_ % 64 == 0) {
    EXPECT_TRUE(store_.flush().ok());
  }
  return std::move(*outcome);
}

Outcome Machine::run(SessionId session, CommandBody body) {
  Command command{.mutation = {}, .wall_ns = wall_ns, .body = std::move(body)};
  if (session != SessionId{}) {
    const uint64_t request = ++requests[session];
    const uint64_t lowest_unanswered = lowest.contains(session) ? lowest[session] : request;
    command.mutation = {session, RequestId{request}, RequestId{lowest_unanswered}};
  }
  return apply_command(std::move(command));
}

Status Machine::done(SessionId session, CommandBody body) {
  const Outcome outcome = run(session, std::move(body));
  if (!outcome.ok()) return outcome.error();
  return {};
}

Errc Machine::code(SessionId session, CommandBody body) {
  const Outcome outcome = run(session, std::move(body));
  if (outcome.ok()) {
    ADD_FAILURE() << "it did not fail";
    return Errc{};
  }
  EXPECT_FALSE(outcome.error().what.empty());
  return outcome.code();
}

SessionId Machine::open_session() {
  const Result<SessionId> session = call<SessionId>(
      {}, OpenSession{{.name = "test", .host = "here", .pid = 1, .mount = true, .nonce = log.size() + 1}});
  EXPECT_TRUE(session.ok());
  return session.ok() ? *session : SessionId{};
}

void Machine::register_servers(uint32_t count) {
  for (uint32_t i = 1; i <= count; ++i) {
    const auto server = call<ServerId>({}, RegisterServer{.uuid = fmt::format("server-{}", i),
                                                          .address = {"127.0.0.1", static_cast<uint16_t>(7000 + i)},
                                                          .labels = {"s", "r", fmt::format("h{}", i), "d"}});
    EXPECT_TRUE(server.ok());
  }
}

ChunkInfo Machine::open_chunk(SessionId session, Code code) {
  ClassId storage_class = kDefaultClass;
  if (code.m != test_genesis().default_class.policy.m) {
    const auto defined =
        call<ClassId>({}, DefineClass{{{}, fmt::format("ec({},{})", code.d, code.m), code, kTestCell, "host"}});
    EXPECT_TRUE(defined.ok());
    storage_class = defined.ok() ? *defined : storage_class;
  }
  PlannedChunk plan{
      .storage_class = storage_class, .code = code, .servers = {}, .cell_bytes = kTestCell, .shard_limit = 4 << 20};
  for (uint32_t i = 1; i <= code.shards(); ++i) plan.servers.push_back(ServerId{i});
  const auto chunks = call<std::vector<ChunkInfo>>(session, CreateChunks{{plan}});
  if (!chunks.ok()) {
    ADD_FAILURE() << chunks.error().what;
    return {};
  }
  return chunks->front();
}

Entry Machine::make(SessionId session, InodeId parent, const std::string& name, uint32_t mode) {
  const auto entry = call<Entry>(session, node(parent, name, mode, S_ISLNK(mode) ? "elsewhere" : ""));
  EXPECT_TRUE(entry.ok()) << (entry.ok() ? "" : entry.error().what);
  return entry.ok() ? *entry : Entry{};
}

Extent Machine::stripe_extent(const ChunkInfo& info, uint64_t offset, uint64_t length) const {
  Extent extent;
  extent.offset = offset;
  extent.length = length;
  extent.chunk = info.chunk;
  extent.place = chunk(info.chunk).committed;
  extent.shape = {info.code, kTestCell, 4096, 0};
  extent.shape.present = extent.shape.all_present();
  return extent;
}

Result<Committed> Machine::commit_extent(SessionId session, const ChunkInfo& info, InodeId inode, uint64_t offset,
                                         uint64_t length) {
  const Extent extent = stripe_extent(info, offset, length);
  const uint64_t stripes = (length - 1) / extent.shape.data_bytes() + 1;
  return call<Committed>(
      session, Commit{{{inode, {extent}, offset + length, {2000, 5}, {}}},
                      {{info.chunk, info.writer_epoch, extent.place, extent.place + stripes * extent.shape.stride()}}});
}

ChunkInfo Machine::chunk(ChunkId id) const {
  const auto info = queries::chunk(*view(), id);
  EXPECT_TRUE(info.ok());
  return info.ok() ? *info : ChunkInfo{};
}

InodeRow Machine::inode(InodeId id) const {
  const auto row = find_inode(*view(), id);
  EXPECT_TRUE(row.ok() && *row);
  return row.ok() && *row ? **row : InodeRow{};
}

queries::Counters Machine::counters() const { return *queries::counters(*view()); }
uint64_t Machine::hash() const { return *state_hash(*view()); }

uint64_t replayed_hash(const std::vector<std::string>& log, size_t batch) {
  MemoryStore store;
  EXPECT_TRUE(store.write(genesis(test_genesis())).ok());
  for (size_t at = 0; at < log.size();) {
    Transaction transaction(store.view());
    for (size_t i = 0; i < batch && at < log.size(); ++i) {
      const Result<Command> command = decode_command(log[at]);
      EXPECT_TRUE(command.ok());
      const auto outcome = apply(transaction, LogIndex{++at}, *command);
      EXPECT_TRUE(outcome.ok());
    }
    EXPECT_TRUE(store.write(transaction.take()).ok());
  }
  return *state_hash(*store.view());
}

}  // namespace cairn

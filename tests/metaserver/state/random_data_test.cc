// Random commits, truncations, deletions and the janitor's work against a model that knows where every byte of every
// file comes from.
#include <random>

#include "invariants.h"
#include "machine.h"

namespace cairn {
namespace {

constexpr uint64_t kMaxSize = 40'000;

// Which stored byte this is: of a chunk's stripe, or of inline data. 0: a zero that nobody wrote.
uint64_t source(ChunkId chunk, uint64_t place, uint64_t position) {
  return (raw(chunk) << 40) | ((place / kBlockBytes) << 20) | position | uint64_t{1} << 63;
}
uint64_t source(char inline_byte) {
  return inline_byte == 0 ? 0 : uint64_t{1} << 62 | static_cast<uint8_t>(inline_byte);
}

struct ModelFile {
  std::string name;  // empty: unlinked, pinned to `pinned`
  SessionId pinned{};
  std::vector<uint64_t> bytes;
};

class RandomDataTest : public testing::TestWithParam<uint64_t> {
 protected:
  uint64_t below(uint64_t bound) { return random() % bound; }
  SessionId any_session() { return sessions[below(sessions.size())]; }
  InodeId any_file() {
    auto file = files.begin();
    std::advance(file, below(files.size()));
    return file->first;
  }

  void create() {
    if (files.size() >= 6) return;
    const std::string name = fmt::format("f{}", ++names);
    files[machine.make(any_session(), kRootInode, name).attributes.inode].name = name;
  }

  // One of the session's open chunks, or a new one.
  ChunkId any_chunk(SessionId session) {
    const auto open = *queries::open_chunks(*machine.view(), session);
    if (!open.empty() && below(8) != 0) return open[below(open.size())].chunk;
    return machine.open_chunk(session).chunk;
  }

  StripeShape any_shape(Code code) {
    StripeShape shape{code, 4096u << below(2), 4096, 0};
    shape.present = below(2) == 0 ? shape.all_present() : 1u << below(code.d);
    return shape;
  }

  // Pieces of a run of stripes at `place` as extents of random files.
  void pack(const ChunkInfo& chunk, uint64_t place, uint64_t stripes, const StripeShape& shape, Commit& commit) {
    const uint64_t cell = shape.present == 2 ? 1 : 0;
    uint64_t position = cell * shape.cell_bytes;
    const uint64_t end =
        shape.present == shape.all_present() ? stripes * shape.data_bytes() : position + shape.cell_bytes;
    while (position < end && below(12) != 0) {
      Extent extent;
      extent.offset = below(4) == 0 ? below(kMaxSize / 2) : below(20) * 1000;
      extent.length = 1 + below(std::min<uint64_t>(end - position, kMaxSize / 2));
      extent.chunk = chunk.chunk;
      extent.place = place + position / shape.data_bytes() * shape.stride();
      extent.position = position % shape.data_bytes();
      extent.shape = shape;
      position += extent.length + below(3) * 100;
      const InodeId inode = below(20) == 0 && !gone.empty() ? gone[below(gone.size())] : any_file();
      commit.files.push_back(
          {inode, {extent}, below(3) == 0 ? below(kMaxSize) : 0, {static_cast<int64_t>(below(5000)), 0}, {}});
    }
  }

  void apply_to_model(const FileCommit& commit) {
    const auto file = files.find(commit.inode);
    if (file == files.end()) return;
    std::vector<uint64_t>& bytes = file->second.bytes;
    const auto grow = [&](uint64_t size) { bytes.resize(std::max<uint64_t>(bytes.size(), size), 0); };
    grow(commit.size_at_least);
    if (commit.inline_data) {
      std::fill(bytes.begin(), bytes.end(), 0);
      grow(commit.inline_data->size());
      for (size_t i = 0; i < commit.inline_data->size(); ++i) bytes[i] = source((*commit.inline_data)[i]);
    }
    const bool was_inline = std::any_of(bytes.begin(), bytes.end(), [](uint64_t byte) { return (byte >> 62) == 1; });
    if (!commit.extents.empty() && was_inline) std::fill(bytes.begin(), bytes.end(), 0);
    for (const Extent& extent : commit.extents) {
      grow(extent.end());
      for (uint64_t i = 0; i < extent.length; ++i) {
        const uint64_t at = extent.position + i;
        bytes[extent.offset + i] =
            source(extent.chunk, extent.place + at / extent.shape.data_bytes() * extent.shape.stride(),
                   at % extent.shape.data_bytes());
      }
    }
  }

  void commit() {
    if (files.empty()) return;
    const SessionId session = any_session();
    Commit request;
    for (uint64_t chunks = 1 + below(2); chunks > 0; --chunks) {
      const ChunkInfo chunk = machine.chunk(any_chunk(session));
      if (std::any_of(request.chunks.begin(), request.chunks.end(),
                      [&](const ChunkCommit& c) { return c.chunk == chunk.chunk; }))
        continue;
      uint64_t place = chunk.committed;
      for (uint64_t runs = 1 + below(3); runs > 0; --runs) {
        const StripeShape shape = any_shape(chunk.code);
        const uint64_t stripes = shape.present == shape.all_present() ? 1 + below(3) : 1;
        pack(chunk, place, stripes, shape, request);
        place += stripes * shape.stride();
      }
      request.chunks.push_back({chunk.chunk, chunk.writer_epoch, chunk.committed, place});
    }
    const bool wrong = below(10) == 0;
    if (wrong) request.chunks[0].writer_epoch = Epoch{raw(request.chunks[0].writer_epoch) + 1};
    const Outcome outcome = machine.run(session, request);
    if (wrong) {
      ASSERT_FALSE(outcome.ok());
      ASSERT_EQ(outcome.code(), Errc::stale_epoch);
      return;
    }
    ASSERT_TRUE(outcome.ok()) << outcome.error().what;
    for (const FileCommit& file : request.files) apply_to_model(file);
  }

  void commit_inline() {
    if (files.empty()) return;
    std::string data(below(200), '\0');
    for (char& byte : data) byte = static_cast<char>(below(4));
    const FileCommit file{any_file(), {}, below(2) * below(kMaxSize), {1, 1}, data};
    ASSERT_TRUE(machine.done(any_session(), Commit{{file}, {}}).ok());
    apply_to_model(file);
  }

  void resize() {
    if (files.empty()) return;
    SetAttributes request;
    request.inode = any_file();
    request.size = below(3) == 0 ? 0 : below(kMaxSize);
    ASSERT_TRUE(machine.done(any_session(), request).ok());
    files[request.inode].bytes.resize(*request.size, 0);
  }

  void trim() {
    if (files.empty()) return;
    const TrimRange request{any_file(), below(kMaxSize), 1 + below(kMaxSize / 2), {1, 1}};
    ASSERT_TRUE(machine.done(any_session(), request).ok());
    std::vector<uint64_t>& bytes = files[request.inode].bytes;
    for (uint64_t i = request.offset; i < std::min<uint64_t>(bytes.size(), request.offset + request.length); ++i)
      bytes[i] = 0;
  }

  void unlink() {
    if (files.empty()) return;
    const InodeId inode = any_file();
    ModelFile& file = files[inode];
    const SessionId session = any_session();
    if (!file.name.empty()) {
      ASSERT_TRUE(machine.done(session, RemoveName{kRootInode, file.name, false}).ok());
      file.name.clear();
      file.pinned = session;
    } else {
      ASSERT_TRUE(machine.done(file.pinned, ForgetOrphans{{inode}}).ok());
      forget(inode);
    }
  }
  void forget(InodeId inode) {
    gone.push_back(inode);
    files.erase(inode);
  }

  void end_session() {
    const size_t index = below(sessions.size());
    const SessionId session = sessions[index];
    ASSERT_TRUE(machine.done(below(2) == 0 ? session : SessionId{}, EndSession{session, false}).ok());
    std::vector<InodeId> orphans;
    for (const auto& [inode, file] : files) {
      if (file.name.empty() && file.pinned == session) orphans.push_back(inode);
    }
    for (const InodeId inode : orphans) forget(inode);
    sessions[index] = machine.open_session();
  }

  void seal() {
    const auto open = *queries::open_chunks(*machine.view());
    if (open.empty()) return;
    const auto& chosen = open[below(open.size())];
    ASSERT_TRUE((below(2) == 0 ? machine.done(chosen.owner, SealChunks{{chosen.chunk}})
                               : machine.done({}, SealForRepair{{chosen.chunk}}))
                    .ok());
  }

  // Whatever is due half a second after it died.
  void janitor() {
    const int64_t due = machine.wall_ns - kSecond / 2;
    StripesPunched punched;
    const auto stripes = *queries::dead_stripes(*machine.view(), due, 5);
    for (const auto& record : stripes) punched.stripes.push_back(record.stripe);
    ASSERT_TRUE(machine.done({}, punched).ok());
    CondemnChunks condemn;
    const auto dead = *queries::dead_chunks(*machine.view(), due, 3);
    for (const auto& record : dead) condemn.chunks.push_back(record.chunk);
    ASSERT_TRUE(machine.done({}, condemn).ok());
    ChunksRemoved removed;
    const auto condemned = *queries::condemned_chunks(*machine.view(), {}, static_cast<uint32_t>(below(4)));
    for (const auto& info : condemned) removed.chunks.push_back(info.chunk);
    ASSERT_TRUE(machine.done({}, removed).ok());
    SealsConfirmed confirmed;
    const auto pending = *queries::pending_seals(*machine.view(), {}, 2);
    for (const auto& info : pending) confirmed.chunks.push_back(info.chunk);
    ASSERT_TRUE(machine.done({}, confirmed).ok());
    const auto maps = *queries::maps_to_release(*machine.view(), 2);
    for (const InodeId map : maps) ASSERT_TRUE(machine.done({}, ReleaseExtents{map, 7}).ok());
  }

  void step() {
    machine.wall_ns += static_cast<int64_t>(below(kSecond));
    switch (below(16)) {
      case 0:
      case 1:
        return create();
      case 2:
      case 3:
        return unlink();
      case 4:
      case 5:
        return resize();
      case 6:
        return trim();
      case 7:
        return commit_inline();
      case 8:
        return seal();
      case 9:
        return below(3) == 0 ? end_session() : janitor();
      case 10:
        return janitor();
      default:
        return commit();
    }
  }

  void compare(InodeId inode, const ModelFile& file) {
    Layout layout;
    uint64_t from = 0;
    do {  // in pages
      auto page = queries::layout(*machine.view(), inode, from, kMaxSize * 4 - from, 3);
      ASSERT_TRUE(page.ok());
      layout.attributes = page->attributes;
      layout.inline_data = page->inline_data;
      layout.extents.insert(layout.extents.end(), page->extents.begin(), page->extents.end());
      for (const ChunkInfo& chunk : page->chunks) ASSERT_EQ(chunk, machine.chunk(chunk.chunk));
      from = page->covered_until;
    } while (from < kMaxSize * 4);
    ASSERT_EQ(layout.attributes.size, file.bytes.size());
    std::vector<uint64_t> bytes(file.bytes.size(), 0);
    if (layout.inline_data) {
      ASSERT_TRUE(layout.extents.empty());
      for (size_t i = 0; i < layout.inline_data->size(); ++i) bytes.at(i) = source((*layout.inline_data)[i]);
    }
    for (const Extent& extent : layout.extents) {
      uint64_t at = extent.offset;
      for (const CellRange& range : cells_of(extent)) {
        for (uint32_t i = 0; i < range.length; ++i) {
          bytes.at(at++) =
              source(extent.chunk, range.place, uint64_t{range.cell} * extent.shape.cell_bytes + range.offset + i);
        }
      }
    }
    ASSERT_TRUE(bytes == file.bytes) << "inode " << raw(inode);
  }

  std::mt19937_64 random{GetParam()};
  Machine machine{6};
  std::vector<SessionId> sessions{machine.open_session(), machine.open_session()};
  std::map<InodeId, ModelFile> files;
  std::vector<InodeId> gone;
  int names = 0;
};

TEST_P(RandomDataTest, EveryByteComesFromWhereItWasWritten) {
  for (int i = 0; i < 150; ++i) {
    step();
    ASSERT_FALSE(HasFatalFailure()) << "step " << i;
    ASSERT_EQ(violations(*machine.view()), "") << "step " << i;
    if (!files.empty()) {
      const InodeId inode = any_file();
      compare(inode, files[inode]);
    }
    ASSERT_FALSE(HasFatalFailure()) << "step " << i;
  }
  for (const auto& [inode, file] : files) compare(inode, file);
  EXPECT_EQ(replayed_hash(machine.log, 1 + below(50)), machine.hash());
}

// The store falls back to an older write, and the log is applied from there.
TEST_P(RandomDataTest, ACrashAndAReplayOfTheLogGiveTheSameState) {
  for (int i = 0; i < 60; ++i) {
    step();
    ASSERT_FALSE(HasFatalFailure());
  }
  const uint64_t hash = machine.hash();
  machine.store().crash(random());
  const auto applied = queries::applied(*machine.view());
  ASSERT_TRUE(applied.ok());
  ASSERT_LE(raw(applied->index), machine.log.size());
  for (uint64_t at = raw(applied->index); at < machine.log.size();) {
    Transaction transaction(machine.view());
    const Result<Command> command = decode_command(machine.log[at]);
    ASSERT_TRUE(command.ok());
    const auto outcome = apply(transaction, LogIndex{++at}, *command);
    ASSERT_TRUE(outcome.ok());
    ASSERT_TRUE(machine.store().write(transaction.take()).ok());
  }
  EXPECT_EQ(machine.hash(), hash);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomDataTest, testing::Range<uint64_t>(0, 150));

}  // namespace
}  // namespace cairn

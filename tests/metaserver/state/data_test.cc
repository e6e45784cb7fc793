// Commits, extents, truncation, and the life of stripes and chunks.
#include <gmock/gmock.h>

#include "invariants.h"
#include "machine.h"

namespace cairn {
namespace {

constexpr uint64_t kStripeData = 2 * kTestCell;  // of ec(2,1)
constexpr uint64_t kStride = 4096 + kTestCell;

class DataTest : public testing::Test {
 protected:
  void TearDown() override {
    EXPECT_EQ(violations(*machine.view()), "");
    EXPECT_EQ(replayed_hash(machine.log, 5), machine.hash());
  }
  Layout layout(InodeId inode, uint64_t offset = 0, uint64_t length = UINT64_MAX, uint32_t limit = 1000) {
    const auto found = queries::layout(*machine.view(), inode, offset, length, limit);
    EXPECT_TRUE(found.ok());
    return found.ok() ? *found : Layout{};
  }
  // Offsets and lengths.
  std::vector<std::pair<uint64_t, uint64_t>> ranges(InodeId inode) {
    std::vector<std::pair<uint64_t, uint64_t>> found;
    for (const Extent& extent : layout(inode).extents) found.emplace_back(extent.offset, extent.length);
    return found;
  }
  Committed commit(InodeId inode, uint64_t offset, uint64_t length) {
    const auto committed = machine.commit_extent(session, chunk, inode, offset, length);
    EXPECT_TRUE(committed.ok()) << (committed.ok() ? "" : committed.error().what);
    return committed.ok() ? *committed : Committed{};
  }
  void resize(InodeId inode, uint64_t size) {
    SetAttributes request;
    request.inode = inode;
    request.size = size;
    ASSERT_TRUE(machine.done(session, request).ok());
  }
  Commit one(Extent extent, InodeId inode, ChunkCommit turn) { return {{{inode, {extent}, 0, {1, 1}, {}}}, {turn}}; }

  using Ranges = std::vector<std::pair<uint64_t, uint64_t>>;
  Machine machine{6};
  SessionId session = machine.open_session();
  ChunkInfo chunk = machine.open_chunk(session);
  InodeId file = machine.make(session, kRootInode, "f").attributes.inode;
};

TEST_F(DataTest, ACommitMakesBytesVisibleWithSizeTimesAndVersion) {
  const uint64_t version = machine.inode(file).attributes.version;
  const Committed committed = commit(file, 0, 100);
  ASSERT_EQ(committed.files.size(), 1u);
  EXPECT_EQ(committed.files[0].size, 100u);
  EXPECT_EQ(committed.files[0].stored, 100u);
  EXPECT_EQ(committed.files[0].mtime, (Time{2000, 5}));
  EXPECT_GT(committed.files[0].version, version);
  EXPECT_EQ(committed.files[0], machine.inode(file).attributes);
  const Layout found = layout(file);
  ASSERT_EQ(found.chunks.size(), 1u);
  EXPECT_EQ(found.chunks[0].committed, kStride);
  EXPECT_EQ(found.chunks[0].live_bytes, 100u);
  EXPECT_EQ(found.chunks[0].incarnation, Incarnation{77});
  EXPECT_EQ(found.chunks[0], machine.chunk(chunk.chunk));
}

TEST_F(DataTest, AStreamIsOneExtentHoweverItIsCommitted) {
  for (uint64_t i = 0; i < 20; ++i) commit(file, i * kStripeData, kStripeData);
  EXPECT_EQ(ranges(file), (Ranges{{0, 20 * kStripeData}}));
  commit(file, 20 * kStripeData, 3 * kStripeData);  // a run in one commit
  EXPECT_EQ(ranges(file), (Ranges{{0, 23 * kStripeData}}));
}

TEST_F(DataTest, OverwritingInTheMiddleSplitsAndKeepsTheStripesLiveBytes) {
  commit(file, 0, 4 * kStripeData);
  commit(file, 1000, 500);
  EXPECT_EQ(ranges(file), (Ranges{{0, 1000}, {1000, 500}, {1500, 4 * kStripeData - 1500}}));
  const auto first = find_row<StripeRow>(*machine.view(), keys::stripe(chunk.chunk, 0));
  EXPECT_EQ((*first)->live_bytes, kStripeData - 500);
  EXPECT_EQ(machine.counters().live_bytes, 4 * kStripeData);
  EXPECT_EQ(machine.inode(file).attributes.stored, 4 * kStripeData);
}

TEST_F(DataTest, ALayoutIsLimitedAndSaysHowFarItGoes) {
  for (uint64_t i = 0; i < 10; ++i) commit(file, i * 200, 100);
  const Layout page = layout(file, 150, 10'000, 3);
  ASSERT_EQ(page.extents.size(), 3u);
  EXPECT_EQ(page.extents[0].offset, 200u) << "150 is in a hole";
  EXPECT_EQ(page.covered_until, 700u);
  EXPECT_EQ(layout(file, 250, 10, 3).extents.size(), 1u);
  EXPECT_EQ(layout(file, 150, 10, 3).extents.size(), 0u);
  EXPECT_EQ(layout(file, 150, 10, 3).covered_until, 160u);
  EXPECT_EQ(queries::layout(*machine.view(), kRootInode, 0, 1, 1).code(), Errc::is_directory);
}

TEST_F(DataTest, TruncationGivesBackAndGrowthReadsZeros) {
  commit(file, 0, 3 * kStripeData);
  resize(file, 100);
  resize(file, 50'000);
  EXPECT_EQ(ranges(file), (Ranges{{0, 100}}));
  EXPECT_EQ(machine.inode(file).attributes.size, 50'000u);
  const auto dead = *queries::dead_stripes(*machine.view(), machine.wall_ns, 10);
  ASSERT_EQ(dead.size(), 2u);
  EXPECT_EQ(dead[0].stripe.place, kStride);
  EXPECT_EQ(dead[0].length, kStride);
  EXPECT_TRUE(queries::dead_stripes(*machine.view(), machine.wall_ns - 1, 10)->empty()) << "not due yet";
}

TEST_F(DataTest, AHoleIsPunchedWithinASingleExtent) {
  commit(file, 0, 3 * kStripeData);
  ASSERT_TRUE(machine.done(session, TrimRange{file, 10, 3 * kStripeData - 20, {3000, 0}}).ok());
  EXPECT_EQ(ranges(file), (Ranges{{0, 10}, {3 * kStripeData - 10, 10}}));
  EXPECT_EQ(machine.inode(file).attributes.size, 3 * kStripeData);
  EXPECT_EQ(machine.inode(file).attributes.mtime, (Time{3000, 0}));
  EXPECT_EQ(machine.counters().pending_punches, 1u) << "only the middle stripe is wholly dead";
  EXPECT_EQ(machine.code(session, TrimRange{file, 10, 0, {}}), Errc::invalid);
  EXPECT_EQ(machine.code(session, TrimRange{file, 10, UINT64_MAX, {}}), Errc::invalid);
}

TEST_F(DataTest, InlineDataIsTheWholeContentUntilExtentsComeAndViceVersa) {
  const auto inline_commit = [&](std::string data, uint64_t size) {
    return machine.call<Committed>(session, Commit{{{file, {}, size, {1, 1}, std::move(data)}}, {}});
  };
  commit(file, 0, 100);
  ASSERT_TRUE(inline_commit("hello", 0).ok());
  EXPECT_EQ(layout(file).inline_data, "hello");
  EXPECT_TRUE(layout(file).extents.empty());
  EXPECT_EQ(machine.inode(file).attributes.size, 100u) << "a size never shrinks by a commit";
  EXPECT_EQ(machine.inode(file).attributes.stored, 5u);
  EXPECT_EQ(machine.counters().pending_punches, 1u);

  ASSERT_TRUE(machine.done(session, TrimRange{file, 1, 2, {}}).ok());
  EXPECT_EQ(layout(file).inline_data, std::string("h\0\0lo", 5));
  resize(file, 4);
  EXPECT_EQ(layout(file).inline_data, std::string("h\0\0l", 4));
  commit(file, 0, 10);
  EXPECT_EQ(layout(file).inline_data, std::nullopt);
  EXPECT_EQ(machine.inode(file).attributes.stored, 10u);
  EXPECT_EQ(machine.code(session, Commit{{{file, {}, 0, {}, std::string(kMaxInlineBytes + 1, 'x')}}, {}}),
            Errc::too_big);
  EXPECT_EQ(machine.code(session, Commit{{{file, {Extent{}}, 0, {}, "x"}}, {}}), Errc::invalid);
}

TEST_F(DataTest, OneCommitOfManyFilesIsAllOrNothing) {
  const InodeId other = machine.make(session, kRootInode, "g").attributes.inode;
  Extent first = machine.stripe_extent(chunk, 0, 100), second = machine.stripe_extent(chunk, 0, 200);
  second.position = 100;  // packed into the same stripe
  Commit both{{{file, {first}, 0, {1, 1}, {}}, {other, {second}, 500, {1, 1}, {}}},
              {{chunk.chunk, chunk.writer_epoch, 0, kStride}}};
  both.files[1].extents[0].place = kStride;  // behind what is committed
  EXPECT_EQ(machine.code(session, both), Errc::invalid);
  EXPECT_TRUE(layout(file).extents.empty());
  EXPECT_EQ(machine.chunk(chunk.chunk).committed, 0u);
  both.files[1].extents[0].place = 0;
  ASSERT_TRUE(machine.done(session, both).ok());
  EXPECT_EQ(machine.inode(other).attributes.size, 500u);
  EXPECT_EQ(machine.chunk(chunk.chunk).live_bytes, 300u);
}

TEST_F(DataTest, ACommitTakesItsTurnOrIsSentElsewhere) {
  const Extent extent = machine.stripe_extent(chunk, 0, 100);
  const ChunkCommit turn{chunk.chunk, chunk.writer_epoch, 0, kStride};
  ChunkCommit wrong = turn;
  wrong.committed_from = kStride;
  wrong.committed_to = 2 * kStride;
  EXPECT_EQ(machine.code(session, one(extent, file, wrong)), Errc::stale_epoch);
  wrong = turn;
  wrong.writer_epoch = Epoch{99};
  EXPECT_EQ(machine.code(session, one(extent, file, wrong)), Errc::stale_epoch);
  wrong = turn;
  wrong.chunk = ChunkId{99};
  EXPECT_EQ(machine.code(session, one(extent, file, wrong)), Errc::stale_epoch);
  EXPECT_EQ(machine.code(machine.open_session(), one(extent, file, turn)), Errc::stale_epoch);
  wrong = turn;
  wrong.committed_to = kStride + 1;
  EXPECT_EQ(machine.code(session, one(extent, file, wrong)), Errc::invalid);
  wrong.committed_to = 64 << 20;
  EXPECT_EQ(machine.code(session, one(extent, file, wrong)), Errc::invalid);
  EXPECT_EQ(machine.code(session, Commit{{}, {turn, turn}}), Errc::invalid);
  ASSERT_TRUE(machine.done(session, SealChunks{{chunk.chunk}}).ok());
  EXPECT_EQ(machine.code(session, one(extent, file, turn)), Errc::stale_epoch);
}

TEST_F(DataTest, ExtentsOfACommitAreChecked) {
  const Extent good = machine.stripe_extent(chunk, 0, 100);
  const ChunkCommit turn{chunk.chunk, chunk.writer_epoch, 0, 4 * kStride};
  const auto code = [&](auto change) {
    Extent extent = good;
    change(extent);
    return machine.code(session, one(extent, file, turn));
  };
  EXPECT_EQ(code([](Extent& e) { e.length = 0; }), Errc::invalid);
  EXPECT_EQ(code([](Extent& e) { e.place = 1; }), Errc::invalid);
  EXPECT_EQ(code([](Extent& e) { e.offset = INT64_MAX; }), Errc::invalid);
  EXPECT_EQ(code([](Extent& e) { e.shape.code.m = 2; }), Errc::invalid);
  EXPECT_EQ(code([](Extent& e) { e.shape.present = 0; }), Errc::invalid);
  EXPECT_EQ(code([](Extent& e) { e.shape.present = 2; }), Errc::invalid) << "its bytes are in an absent cell";
  EXPECT_EQ(code([](Extent& e) { e.length = 5 * kStripeData; }), Errc::invalid);
  EXPECT_EQ(code([](Extent& e) { e.chunk = ChunkId{99}; }), Errc::stale_epoch);
  EXPECT_EQ(machine.code(session, one(good, kRootInode, turn)), Errc::is_directory);
  Commit times = one(good, file, turn);
  times.files[0].mtime.nanoseconds = 1'000'000'000;
  EXPECT_EQ(machine.code(session, times), Errc::invalid);
  times.files[0].mtime.nanoseconds = 0;
  times.files[0].size_at_least = kMaxFileBytes + 1;
  EXPECT_EQ(machine.code(session, times), Errc::too_big);
}

TEST_F(DataTest, StripesThatContradictEachOtherAreRefused) {
  Extent a = machine.stripe_extent(chunk, 0, 100), b = machine.stripe_extent(chunk, 200, 100);
  b.place = 4096;  // inside the first stripe
  const ChunkCommit turn{chunk.chunk, chunk.writer_epoch, 0, 4 * kStride};
  EXPECT_EQ(machine.code(session, Commit{{{file, {a, b}, 0, {}, {}}}, {turn}}), Errc::invalid);
  b.place = 0;
  b.shape.cell_bytes *= 2;
  EXPECT_EQ(machine.code(session, Commit{{{file, {a, b}, 0, {}, {}}}, {turn}}), Errc::invalid);
  commit(file, 0, 100);
  b.place = 4096;  // across the committed length
  b.shape = a.shape;
  EXPECT_EQ(machine.code(session, one(b, file, {chunk.chunk, chunk.writer_epoch, kStride, 3 * kStride})),
            Errc::invalid);
  b.place = 0;
  b.shape.present = 1;  // the stripe is known with another shape
  EXPECT_EQ(machine.code(session, Commit{{{file, {b}, 0, {}, {}}}, {}}), Errc::invalid);
}

TEST_F(DataTest, DataOfAFileThatIsGoneIsDeadAtOnce) {
  ASSERT_TRUE(machine.done(session, RemoveName{kRootInode, "f", false}).ok());
  commit(file, 0, 100);  // still open: an orphan takes data
  ASSERT_TRUE(machine.done(session, ForgetOrphans{{file}}).ok());
  EXPECT_EQ(machine.counters().pending_punches, 1u);
  const Committed committed = commit(file, 0, 2 * kStripeData);
  EXPECT_THAT(committed.gone, testing::ElementsAre(file));
  EXPECT_EQ(committed.files[0].inode, InodeId{});
  EXPECT_EQ(machine.chunk(chunk.chunk).committed, 3 * kStride);
  EXPECT_EQ(machine.counters().pending_punches, 3u);
}

TEST_F(DataTest, ADeadStripeIsNeverReferredToAgain) {
  commit(file, 0, 100);
  const Extent old = layout(file).extents[0];
  resize(file, 0);
  EXPECT_EQ(machine.code(session, Commit{{{file, {old}, 0, {}, {}}}, {}}), Errc::stale_epoch);
  ASSERT_TRUE(machine.done({}, StripesPunched{{{chunk.chunk, 0}}}).ok());
  ASSERT_TRUE(machine.done({}, StripesPunched{{{chunk.chunk, 0}}}).ok()) << "asked twice";
  EXPECT_EQ(machine.counters().pending_punches, 0u);
  EXPECT_EQ(machine.code(session, Commit{{{file, {old}, 0, {}, {}}}, {}}), Errc::stale_epoch);
  commit(file, 0, 100);
  EXPECT_EQ(machine.code({}, StripesPunched{{{chunk.chunk, kStride}}}), Errc::invalid) << "it lives";
}

TEST_F(DataTest, ALaterCommitMayReferToCommittedStripesOfItsOwnAndToLiveOnesOfOthers) {
  const ChunkCommit turn{chunk.chunk, chunk.writer_epoch, 0, 2 * kStride};
  ASSERT_TRUE(machine.done(session, Commit{{}, {turn}}).ok());
  Extent extent = machine.stripe_extent(chunk, 0, 100);
  extent.place = kStride;
  const SessionId other = machine.open_session();
  EXPECT_EQ(machine.code(other, Commit{{{file, {extent}, 0, {}, {}}}, {}}), Errc::invalid)
      << "nobody said what is there";
  ASSERT_TRUE(machine.done(session, Commit{{{file, {extent}, 0, {}, {}}}, {}}).ok());
  const InodeId clone = machine.make(other, kRootInode, "clone").attributes.inode;
  ASSERT_TRUE(machine.done(other, Commit{{{clone, {extent}, 0, {}, {}}}, {}}).ok());
  EXPECT_EQ(machine.chunk(chunk.chunk).live_bytes, 200u) << "once for each reference";
}

TEST_F(DataTest, AChunkLivesUntilItsLastByteGoesAndThenGoesInSteps) {
  commit(file, 0, 100);
  EXPECT_EQ(machine.code({}, CondemnChunks{{chunk.chunk}}), Errc::invalid);
  ASSERT_TRUE(machine.done(session, SealChunks{{chunk.chunk}}).ok());
  ASSERT_TRUE(machine.done(session, SealChunks{{chunk.chunk, ChunkId{99}}}).ok()) << "sealing twice is one seal";
  EXPECT_TRUE(machine.chunk(chunk.chunk).sealed);
  EXPECT_EQ(queries::pending_seals(*machine.view(), {}, 10)->size(), 1u);
  ASSERT_TRUE(machine.done({}, SealsConfirmed{{chunk.chunk}}).ok());
  EXPECT_TRUE(queries::pending_seals(*machine.view(), {}, 10)->empty());
  EXPECT_TRUE(queries::dead_chunks(*machine.view(), INT64_MAX, 10)->empty());

  machine.wall_ns += kSecond;
  resize(file, 0);
  EXPECT_TRUE(queries::dead_chunks(*machine.view(), machine.wall_ns - 1, 10)->empty());
  const auto dead = *queries::dead_chunks(*machine.view(), machine.wall_ns, 10);
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0].chunk, chunk.chunk);
  EXPECT_EQ(machine.code({}, ChunksRemoved{{chunk.chunk}}), Errc::invalid) << "its shards may still be there";
  ASSERT_TRUE(machine.done({}, CondemnChunks{{chunk.chunk}}).ok());
  ASSERT_TRUE(machine.done({}, CondemnChunks{{chunk.chunk}}).ok());
  EXPECT_EQ(machine.counters().pending_punches, 0u) << "the shards go as a whole";
  EXPECT_EQ(queries::condemned_chunks(*machine.view(), {}, 10)->size(), 1u);
  ASSERT_TRUE(machine.done({}, ChunksRemoved{{chunk.chunk}}).ok());
  ASSERT_TRUE(machine.done({}, ChunksRemoved{{chunk.chunk}}).ok());
  EXPECT_EQ(queries::chunk(*machine.view(), chunk.chunk).code(), Errc::not_found);
  EXPECT_EQ(machine.counters().chunks, 0u);
}

TEST_F(DataTest, AnEndingSessionSealsItsChunksAndEmptyOnesAreDead) {
  const ChunkInfo empty = machine.open_chunk(session, {4, 2});
  commit(file, 0, 100);
  EXPECT_EQ(queries::open_chunks(*machine.view(), session)->size(), 2u);
  EXPECT_EQ(machine.code(machine.open_session(), SealChunks{{chunk.chunk}}), Errc::not_permitted);
  ASSERT_TRUE(machine.done({}, EndSession{session, true}).ok());
  EXPECT_TRUE(machine.chunk(chunk.chunk).sealed);
  EXPECT_EQ(queries::dead_chunks(*machine.view(), INT64_MAX, 10)->front().chunk, empty.chunk);
  EXPECT_EQ(machine.counters().open_chunks, 0u);
  EXPECT_EQ(queries::chunks(*machine.view(), {}, 10)->size(), 2u);
}

TEST_F(DataTest, ALargeMapIsReleasedInSteps) {
  const auto scatter = [&] {
    Commit many{{{file, {}, 0, {1, 1}, {}}}, {}};
    const uint64_t at = machine.chunk(chunk.chunk).committed;
    for (uint64_t i = 0; i < 150; ++i) {
      Extent extent = machine.stripe_extent(chunk, i * 20, 10);
      extent.position = i * 10;
      many.files[0].extents.push_back(extent);
    }
    many.chunks.push_back({chunk.chunk, chunk.writer_epoch, at, at + kStride});
    ASSERT_TRUE(machine.done(session, many).ok());
  };
  scatter();
  resize(file, 0);  // the file goes on with another map
  EXPECT_EQ(machine.inode(file).attributes.stored, 0u);
  EXPECT_EQ(machine.counters().live_bytes, 1500u);
  const auto maps = *queries::maps_to_release(*machine.view(), 10);
  ASSERT_EQ(maps.size(), 1u);
  EXPECT_EQ(maps[0], file);
  scatter();
  EXPECT_EQ(layout(file).extents.size(), 150u);
  EXPECT_EQ(violations(*machine.view()), "");

  ASSERT_TRUE(machine.done({}, ReleaseExtents{maps[0], 100}).ok());
  EXPECT_EQ(queries::maps_to_release(*machine.view(), 10)->size(), 1u);
  ASSERT_TRUE(machine.done({}, ReleaseExtents{maps[0], 100}).ok());
  EXPECT_TRUE(queries::maps_to_release(*machine.view(), 10)->empty());
  EXPECT_EQ(machine.counters().pending_punches, 1u);
  EXPECT_EQ(machine.counters().live_bytes, 1500u);
  ASSERT_TRUE(machine.done({}, ReleaseExtents{InodeId{raw(machine.inode(file).map)}, 100}).ok());
  EXPECT_EQ(layout(file).extents.size(), 150u) << "a map in use is not released on a mere word";
  EXPECT_EQ(machine.code({}, ReleaseExtents{maps[0], 0}), Errc::invalid);

  ASSERT_TRUE(machine.done(session, RemoveName{kRootInode, "f", false}).ok());
  ASSERT_TRUE(machine.done(session, ForgetOrphans{{file}}).ok());
  EXPECT_EQ(queries::attributes(*machine.view(), file).code(), Errc::stale_handle);
  ASSERT_TRUE(machine.done({}, ReleaseExtents{queries::maps_to_release(*machine.view(), 10)->front(), 1000}).ok());
  EXPECT_EQ(machine.counters().live_bytes, 0u);
}

TEST_F(DataTest, PlannedChunksAreChecked) {
  const auto code = [&](auto change) {
    PlannedChunk plan{kDefaultClass, {2, 2}, {ServerId{1}, ServerId{2}, ServerId{3}, ServerId{4}}, kTestCell, 1 << 20};
    change(plan);
    return machine.code(session, CreateChunks{{plan}});
  };
  EXPECT_EQ(code([](PlannedChunk& p) { p.storage_class = ClassId{9}; }), Errc::not_found);
  EXPECT_EQ(code([](PlannedChunk& p) { p.servers.pop_back(); }), Errc::invalid);
  EXPECT_EQ(code([](PlannedChunk& p) { p.servers[1] = ServerId{1}; }), Errc::invalid);
  EXPECT_EQ(code([](PlannedChunk& p) { p.servers[1] = ServerId{99}; }), Errc::invalid);
  EXPECT_EQ(code([](PlannedChunk& p) { p.code = {3, 1}; }), Errc::invalid) << "m is never given up";
  EXPECT_EQ(code([](PlannedChunk& p) { p.cell_bytes = 5; }), Errc::invalid);
  EXPECT_EQ(code([](PlannedChunk& p) { p.shard_limit = 0; }), Errc::invalid);
  EXPECT_EQ(machine.code({}, CreateChunks{{}}), Errc::invalid);
  const uint64_t before = machine.counters().shortened_chunks;
  machine.open_chunk(session, {2, 2});
  EXPECT_EQ(machine.counters().shortened_chunks, before + 1);
}

}  // namespace
}  // namespace cairn

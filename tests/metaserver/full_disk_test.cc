// The metadata's disk is full: what is refused, what still goes through, and that it ends by itself.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/rpc/meta_client.h"
#include "metaserver/log/checkpointer.h"
#include "metaserver/log/committer.h"
#include "metaserver/log/recovery.h"
#include "metaserver/log/space_needs.h"
#include "metaserver/metaserver.h"
#include "metaserver/state/queries.h"
#include "metaserver/store/memory_store.h"
#include "metaserver/store/rocks_store.h"
#include "tests/metaserver/temp_directory.h"
#include "tests/sim/sim_disk.h"

namespace cairn {
namespace {

using testing::HasSubstr;

constexpr uint64_t kDisk = 64u << 20, kReserve = 1u << 20, kLow = 2u << 20;

Genesis genesis_values() {
  return {.incarnation = Incarnation{77},
          .default_class =
              {.id = kDefaultClass, .name = "default", .policy = {4, 2}, .cell_bytes = 4096, .failure_domain = "host"},
          .wall_ns = 1};
}
MakeNode file(const std::string& name) {
  return {.parent = kRootInode, .name = name, .mode = S_IFREG | 0644, .uid = 0, .gid = 0, .rdev = 0, .target = {}};
}

Errc code_of(const Outcome& outcome) { return outcome.ok() ? Errc{} : outcome.code(); }

// A store whose disk may be full: like RocksDB after a failed flush, it then refuses everything until it is resumed.
class FullableStore : public OrderedStore {
 public:
  std::shared_ptr<const StoreView> view() const override { return inner_.view(); }
  Status write(const std::vector<StoreWrite>& batch) override {
    TRY(refusal());
    return inner_.write(batch);
  }
  Status flush() override {
    TRY(resume());
    return inner_.flush();
  }
  Status resume() override {
    ++resumes;
    if (full) stopped_ = true;
    if (!full) stopped_ = false;
    return refusal();
  }
  std::atomic<bool> full = false;
  std::atomic<uint64_t> refused = 0, resumes = 0;

 private:
  Status refusal() {
    if (full) stopped_ = true;
    if (!stopped_) return {};
    ++refused;
    return {Errc::no_space, "the store's disk is full, says the test"};
  }
  MemoryStore inner_;
  std::atomic<bool> stopped_ = false;
};

class FullDiskTest : public testing::Test {
 protected:
  FullDiskTest() : reserve_(disk_, real_clock(), {"/log", kReserve, kLow, 0s}) {
    log_ = CommandLog::open(disk_, {.directory = "/log"}).value();
    const Recovered recovered = recover(*log_, store_, genesis_values()).value();
    reserve_.tend();
    committer_ = std::make_unique<Committer>(real_clock(), *log_, store_, recovered.applied, recovered.wall_ns,
                                             Committer::Options{.limits = {},
                                                                .on_failure = [this](const Error&) { ++failures_; },
                                                                .reserve = &reserve_,
                                                                .store_pause = 1ms});
    session_ = std::get<SessionId>(
        *committer_->propose(OpenSession{{.name = "t", .host = "h", .pid = 1, .mount = true, .nonce = 1}}));
  }
  ~FullDiskTest() override {
    committer_.reset();
    EXPECT_EQ(failures_, 0u) << "a full disk is no failure";
  }
  Mutation next() {
    ++request_;
    return {session_, RequestId{request_}, RequestId{1}};
  }
  Outcome change(CommandBody body) { return committer_->propose(Command{next(), 0, std::move(body)}); }
  bool exists(const std::string& name) { return queries::lookup(*store_.view(), kRootInode, name).ok(); }
  // Another user of the disk comes, and goes.
  void leave_free(uint64_t bytes) {
    free_all();
    auto file = disk_.open("/filler", OpenMode::create).value();
    ASSERT_TRUE(file->preallocate(0, kDisk - disk_.used_bytes() - bytes).ok());
  }
  void free_all() { (void)disk_.remove("/filler").ok(); }

  SimScheduler scheduler_{1};
  SimDisk disk_{scheduler_, 1, {.capacity_bytes = kDisk}};
  FullableStore store_;
  DiskReserve reserve_;
  std::unique_ptr<CommandLog> log_;
  std::atomic<uint64_t> failures_ = 0;
  std::unique_ptr<Committer> committer_;
  SessionId session_{};
  uint64_t request_ = 0;
};

TEST(SpaceNeedsTest, GrowthOfClientsIsRefusedAndEndingIsNot) {
  const Mutation client{SessionId{1}, RequestId{1}, RequestId{1}};
  const auto needs = [&](CommandBody body) { return needs_space(Command{client, 0, std::move(body)}); };
  EXPECT_TRUE(needs(file("a")));
  EXPECT_TRUE(needs(CreateChunks{}));
  Commit with_data;
  with_data.files.emplace_back().inline_data = "x";
  EXPECT_TRUE(needs(with_data));
  EXPECT_FALSE(needs(Commit{}));
  EXPECT_FALSE(needs(RemoveName{}));
  SetAttributes attributes;
  attributes.mode = 0600;
  EXPECT_TRUE(needs(attributes));
  attributes.size = 0;
  EXPECT_FALSE(needs(attributes)) << "a truncation";
  EXPECT_FALSE(needs(TrimRange{}));
  EXPECT_FALSE(needs(SealChunks{}));
  EXPECT_FALSE(needs(EndSession{}));
  EXPECT_FALSE(needs(ChunksRemoved{}));
  EXPECT_FALSE(needs_space(Command{{}, 0, file("a")})) << "the metaserver's own";
}

TEST_F(FullDiskTest, LowSpaceRefusesGrowthLetsEndsThroughAndEndsByItself) {
  ASSERT_TRUE(change(file("before")).ok());
  EXPECT_EQ(reserve_.trouble(), "");
  leave_free(kLow - 4096);
  const uint64_t index = raw(committer_->applied());
  const Outcome refused = change(file("refused"));
  ASSERT_EQ(code_of(refused), Errc::no_space);
  EXPECT_THAT(refused.error().what, HasSubstr("metadata disk full"));
  EXPECT_THAT(reserve_.trouble(), HasSubstr(fmt::format("{} bytes free of", kLow - 4096)));
  EXPECT_FALSE(exists("refused"));
  EXPECT_EQ(raw(committer_->applied()), index) << "it took no index";
  EXPECT_TRUE(change(RemoveName{kRootInode, "before", false}).ok());
  free_all();
  EXPECT_TRUE(change(file("after")).ok());
  EXPECT_EQ(reserve_.trouble(), "");
}

TEST_F(FullDiskTest, ADiskWithoutAFreeByteLetsEndsThroughOutOfTheReserve) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(change(file(fmt::format("f{}", i))).ok());
  leave_free(0);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(code_of(change(file("refused"))), Errc::no_space);
    const Outcome removed = change(RemoveName{kRootInode, fmt::format("f{}", i), false});
    ASSERT_TRUE(removed.ok()) << removed.error().what;
  }
  ASSERT_TRUE(committer_->propose(EndSession{session_, true}).ok());
  EXPECT_THAT(disk_.files(), testing::Not(testing::Contains("/log/reserve"))) << "it was given back";
  free_all();
  reserve_.tend();
  EXPECT_THAT(disk_.files(), testing::Contains("/log/reserve")) << "and is taken again";
}

TEST_F(FullDiskTest, WhatDoesNotFitEvenIntoTheReserveIsRefusedWholeAndTheServerGoesOn) {
  ASSERT_TRUE(change(file("before")).ok());
  ASSERT_TRUE(reserve_.release());
  leave_free(0);
  // Fills what is left of the log's last page.
  uint64_t refused = 0;
  for (int i = 0; i < 60; ++i) {
    const Outcome removed = change(RemoveName{kRootInode, fmt::format("none{}", i), false});
    if (code_of(removed) == Errc::no_space) ++refused;
  }
  EXPECT_GT(refused, 0u);
  EXPECT_EQ(code_of(change(RemoveName{kRootInode, "before", false})), Errc::no_space);
  EXPECT_TRUE(exists("before"));
  free_all();
  EXPECT_TRUE(change(RemoveName{kRootInode, "before", false}).ok());
  const uint64_t last = raw(committer_->applied());
  committer_->stop();
  MemoryStore fresh;
  ASSERT_TRUE(fresh.write(genesis(genesis_values())).ok());
  log_ = CommandLog::open(disk_, {.directory = "/log"}).value();
  ASSERT_TRUE(recover(*log_, fresh, genesis_values()).ok());
  EXPECT_EQ(raw(log_->last()), last);
  EXPECT_EQ(*state_hash(*fresh.view()), *state_hash(*store_.view()));
}

TEST_F(FullDiskTest, ARetryOfWhatWasDoneIsAnsweredAndOfWhatWasRefusedStaysRefused) {
  const Mutation done = next();
  ASSERT_TRUE(committer_->propose(Command{done, 0, file("done")}).ok());
  leave_free(kLow - 4096);
  const Outcome again = committer_->propose(Command{done, 0, file("done")});
  EXPECT_TRUE(again.ok()) << "it happened, so its client must not be told that it did not";
  const Mutation refused = next();
  ASSERT_EQ(code_of(committer_->propose(Command{refused, 0, file("refused")})), Errc::no_space);
  free_all();
  EXPECT_EQ(code_of(committer_->propose(Command{refused, 0, file("refused")})), Errc::no_space)
      << "a late duplicate of what its client was told was not done";
  EXPECT_FALSE(exists("refused"));
  EXPECT_TRUE(change(file("refused")).ok());
}

TEST_F(FullDiskTest, ABatchOfBothKindsIsSplit) {
  ASSERT_TRUE(change(file("old")).ok());
  leave_free(0);
  std::atomic<int> refused = 0, removed = 0;
  std::vector<Thread> threads;
  for (int i = 0; i < 8; ++i) {
    const Mutation grows = next(), frees = next();
    threads.emplace_back("grows", [&, i, grows] {
      if (code_of(committer_->propose(Command{grows, 0, file(fmt::format("g{}", i))})) == Errc::no_space) ++refused;
    });
    threads.emplace_back("frees", [&, frees] {
      const Outcome outcome = committer_->propose(Command{frees, 0, RemoveName{kRootInode, "old", false}});
      if (outcome.ok() || code_of(outcome) == Errc::not_found) ++removed;
    });
  }
  threads.clear();
  EXPECT_EQ(refused, 8);
  EXPECT_EQ(removed, 8);
  EXPECT_FALSE(exists("old"));
}

TEST_F(FullDiskTest, AStoreThatTakesNoMoreDelaysWhatIsLoggedAndRefusesGrowthMeanwhile) {
  ASSERT_TRUE(change(file("old")).ok());
  store_.full = true;
  const Mutation logged = next(), refused = next();
  std::atomic<bool> answered = false;
  Thread first("first", [&] {
    EXPECT_TRUE(committer_->propose(Command{logged, 0, file("logged")}).ok());
    answered = true;
  });
  while (store_.refused == 0) std::this_thread::yield();
  EXPECT_EQ(code_of(committer_->propose(Command{refused, 0, file("refused")})), Errc::no_space)
      << "nobody waits in vain";
  EXPECT_FALSE(answered);
  EXPECT_TRUE(exists("old")) << "reads go on";
  store_.full = false;
  first.join();
  EXPECT_TRUE(exists("logged"));
  EXPECT_FALSE(exists("refused"));
  EXPECT_TRUE(change(file("later")).ok());
}

TEST_F(FullDiskTest, NobodyWaitsForTheStoreWhenTheServerEnds) {
  store_.full = true;
  Thread caller("caller", [&] {
    const Outcome outcome = committer_->propose(Command{next(), 0, file("logged")});
    EXPECT_EQ(code_of(outcome), Errc::unavailable) << "its log has it, so it may yet have happened";
  });
  while (store_.refused == 0) std::this_thread::yield();
  committer_->give_up_waiting();
  caller.join();
  committer_.reset();
  EXPECT_EQ(failures_.exchange(0), 1u) << "the store is behind the log, so this run is over";
}

TEST_F(FullDiskTest, AFlushThatDoesNotFitGetsTheReserve) {
  ASSERT_TRUE(change(file("a")).ok());
  Checkpointer checkpointer(real_clock(), *log_, store_, *committer_,
                            {.interval = 0s, .look_every = 1ms, .reserve = &reserve_});
  store_.full = true;
  const Instant deadline = real_clock().now() + 10s;
  while (store_.resumes < 2 && real_clock().now() < deadline) std::this_thread::yield();
  EXPECT_GE(store_.resumes, 2u) << "tried once more after the reserve was given back";
  store_.full = false;
  EXPECT_TRUE(change(file("b")).ok());
  EXPECT_TRUE(checkpointer.stop().ok());
}

// Unmounts what was mounted there: declared before whatever has files open on it.
struct SmallDisk {
  explicit SmallDisk(const std::string& where, const char* size) : path(where) {
    mounted = ::geteuid() == 0 && ::mount("tmpfs", path.c_str(), "tmpfs", 0, size) == 0;
  }
  ~SmallDisk() {
    if (!mounted) return;
    EXPECT_EQ(::umount(path.c_str()), 0);
  }
  // Takes all that is free.
  void fill() {
    auto file = real_disk().open(path + "/filler", OpenMode::create).value();
    std::vector<char> block(4096, 'x');
    const iovec piece{block.data(), block.size()};
    for (uint64_t at = file->size().value(); file->write_at(at, {&piece, 1}).ok(); at += block.size()) {
    }
  }
  void empty() { EXPECT_TRUE(real_disk().remove(path + "/filler").ok()); }
  std::string path;
  bool mounted = false;
};

TEST(FullRealDiskTest, RocksDbRefusesAndIsResumedWhenThereIsRoom) {
  TempDirectory directory;
  SmallDisk disk(directory.path(), "size=32m");
  if (!disk.mounted) GTEST_SKIP() << "needs root and a tmpfs";
  auto store = RocksStore::open({.directory = directory.path() + "/store"}).value();
  ASSERT_TRUE(store->write({{"a", "1"}}).ok());
  disk.fill();
  const std::string value(100'000, 'v');
  ASSERT_TRUE(store->write({{"b", value}}).ok()) << "into memory";
  EXPECT_EQ(store->flush().code(), Errc::no_space);
  Status written;
  for (int i = 0; i < 100 && written.ok(); ++i) {
    written = store->write({{"c", value}});
    if (!store->flush().ok() && !written.ok()) break;
  }
  EXPECT_EQ(written.ok() ? Errc::no_space : written.code(), Errc::no_space);
  EXPECT_EQ(*store->view()->get("a"), "1") << "reads go on";
  EXPECT_EQ(store->resume().ok(), false);
  disk.empty();
  const Status resumed = store->resume();
  EXPECT_TRUE(resumed.ok()) << resumed.error().what;
  EXPECT_TRUE(store->write({{"d", "4"}}).ok());
  EXPECT_TRUE(store->flush().ok());
  store.reset();
  store = RocksStore::open({.directory = directory.path() + "/store"}).value();
  EXPECT_TRUE(*store->view()->get("b") == value);
  EXPECT_EQ(*store->view()->get("d"), "4");
}

TEST(FullRealDiskTest, AStoreOpensOnAFullDiskInThePlaceOfTheReserve) {
  TempDirectory directory;
  SmallDisk disk(directory.path(), "size=32m");
  if (!disk.mounted) GTEST_SKIP() << "needs root and a tmpfs";
  const RocksOptions options{.directory = directory.path() + "/store"};
  const std::string log = directory.path() + "/log";
  ASSERT_TRUE(real_disk().make_directories(log).ok());
  {
    auto store = RocksStore::open(options).value();
    ASSERT_TRUE(store->write({{"a", "1"}}).ok());
    ASSERT_TRUE(store->flush().ok());
    DiskReserve reserve(real_disk(), real_clock(), {log, 1u << 20, 2u << 20});
    reserve.tend();
  }
  disk.fill();
  const auto refused = RocksStore::open(options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Errc::no_space) << refused.error().what;
  EXPECT_TRUE(DiskReserve::release_earlier(real_disk(), log));
  EXPECT_FALSE(DiskReserve::release_earlier(real_disk(), log));
  auto store = RocksStore::open(options);
  ASSERT_TRUE(store.ok()) << store.error().what;
  EXPECT_EQ(*(*store)->view()->get("a"), "1");
}

TEST(FullRealDiskTest, AMetaserverOnAFullDiskSaysNoAndRecovers) {
  TempDirectory directory;
  SmallDisk disk(directory.path(), "size=64m");
  if (!disk.mounted) GTEST_SKIP() << "needs root and a tmpfs";
  auto store = RocksStore::open({.directory = directory.path() + "/store"}).value();
  MetaserverOptions options;
  options.listen = {"127.0.0.1", 0};
  options.log_directory = directory.path() + "/log";
  options.seed = 7;
  options.flush_interval = 1s;
  std::atomic<bool> failed = false;
  options.on_failure = [&failed](const Error&) { failed = true; };
  Metaserver server(real_network(), real_clock(), real_disk(), *store, options);
  ASSERT_TRUE(server.start().ok());
  MetaClient meta(real_network(), real_clock(), server.address());
  ASSERT_TRUE(meta.open_session({.name = "t", .host = "h", .pid = 1, .mount = true, .nonce = 9}).ok());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(meta.make_node(file(fmt::format("f{}", i))).ok());
  const auto make = [&](const std::string& name) {
    const auto made = meta.make_node(file(name));
    return made.ok() ? std::optional<Errc>() : made.code();
  };
  disk.fill();
  const Instant deadline = real_clock().now() + 30s;
  while (make("x" + std::to_string(real_clock().now().ns)) != Errc::no_space && real_clock().now() < deadline) {
  }
  EXPECT_THAT(meta.status()->troubles, testing::Contains(HasSubstr("metadata disk full")));
  for (int i = 0; i < 100; ++i) {
    const auto removed = meta.remove({kRootInode, fmt::format("f{}", i), false});
    ASSERT_TRUE(removed.ok()) << removed.error().what;
  }
  EXPECT_EQ(make("still"), Errc::no_space);
  disk.empty();
  while (make("after" + std::to_string(real_clock().now().ns)) && real_clock().now() < deadline) {
  }
  EXPECT_LT(real_clock().now(), deadline) << "recovers by itself";
  EXPECT_TRUE(meta.status()->troubles.empty());
  EXPECT_FALSE(failed);
  EXPECT_TRUE(server.stop().ok());
}

}  // namespace
}  // namespace cairn

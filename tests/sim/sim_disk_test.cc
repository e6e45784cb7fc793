// What a SimDisk forgets, tears and breaks. What it does as every Disk is in disk_conformance_test.cc.
#include "tests/sim/sim_disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/bytes.h"

namespace cairn {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

Status write(File& file, uint64_t offset, std::string_view text) {
  const iovec piece{const_cast<char*>(text.data()), text.size()};
  return file.write_at(offset, {&piece, 1});
}

// Outside of fibers, so that no time passes.
class SimDiskTest : public ::testing::Test {
 protected:
  SimDiskTest() { restart(1); }
  void restart(uint64_t seed) {
    disk_ = std::make_unique<SimDisk>(scheduler_, seed);
    EXPECT_TRUE(disk_->make_directories("/d").ok());
  }
  std::unique_ptr<File> open(const std::string& path, OpenMode mode = OpenMode::create) {
    auto file = disk_->open(path, mode);
    EXPECT_TRUE(file.ok()) << file.error().what;
    return std::move(*file);
  }
  // A file with a durable name and durable content.
  std::unique_ptr<File> durable(const std::string& path, std::string_view text) {
    auto file = open(path);
    EXPECT_TRUE(write(*file, 0, text).ok());
    EXPECT_TRUE(file->sync_data().ok());
    EXPECT_TRUE(disk_->sync_directory("/d").ok());
    return file;
  }
  std::string content(const std::string& path) {
    auto file = disk_->open(path, OpenMode::read_only);
    if (!file.ok()) return "(absent)";
    std::string text(*(*file)->size(), '?');
    EXPECT_TRUE((*file)->read_at(0, {reinterpret_cast<uint8_t*>(text.data()), text.size()}).ok());
    return text;
  }

  SimScheduler scheduler_{1};
  std::unique_ptr<SimDisk> disk_;
};

TEST_F(SimDiskTest, WhatWasSyncedSurvivesAPowerCut) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    restart(seed);
    durable("/d/a", "kept");
    disk_->crash();
    EXPECT_EQ(content("/d/a"), "kept");
  }
}

TEST_F(SimDiskTest, AWriteThatWasNotSyncedIsKeptDroppedOrTornBySectors) {
  const std::string before(4096, 'o');
  const std::string after(4096, 'n');
  std::set<std::string> kinds;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    restart(seed);
    auto file = durable("/d/a", before);
    ASSERT_TRUE(write(*file, 0, after).ok());
    EXPECT_EQ(content("/d/a"), after) << "readers see it";
    disk_->crash();
    const std::string left = content("/d/a");
    for (size_t sector = 0; sector < 8; ++sector) {
      const std::string part = left.substr(sector * 512, 512);
      EXPECT_TRUE(part == before.substr(0, 512) || part == after.substr(0, 512));
    }
    kinds.insert(left == before ? "dropped" : left == after ? "kept" : "torn");
    disk_->crash();
    EXPECT_EQ(content("/d/a"), left) << "a second cut changes nothing";
  }
  EXPECT_THAT(kinds, ElementsAre("dropped", "kept", "torn"));
}

TEST_F(SimDiskTest, ANameThatWasNotSyncedMayBeGone) {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    restart(seed);
    auto file = open("/d/a");
    ASSERT_TRUE(write(*file, 0, "x").ok());
    ASSERT_TRUE(file->sync_data().ok());
    disk_->crash();
    seen.insert(content("/d/a"));
  }
  EXPECT_THAT(seen, ElementsAre("(absent)", "x")) << "its data was synced, its name was not";
}

TEST_F(SimDiskTest, ARenameThatWasNotSyncedHappenedOrDidNot) {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    restart(seed);
    durable("/d/target", "old");
    durable("/d/new", "new");
    ASSERT_TRUE(disk_->rename("/d/new", "/d/target").ok());
    disk_->crash();
    seen.insert(content("/d/target") + "," + content("/d/new"));
  }
  EXPECT_THAT(seen, ElementsAre("new,(absent)", "old,new"));
}

TEST_F(SimDiskTest, ARemovalThatWasNotSyncedMayBeUndoneWithTheContent) {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    restart(seed);
    durable("/d/a", "alive").reset();
    ASSERT_TRUE(disk_->remove("/d/a").ok());
    EXPECT_EQ(disk_->used_bytes(), 0u);
    disk_->crash();
    seen.insert(content("/d/a"));
  }
  EXPECT_THAT(seen, ElementsAre("(absent)", "alive"));
}

TEST_F(SimDiskTest, ASyncThatFailedIsNotRepairedByALaterOne) {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    restart(seed);
    auto file = durable("/d/a", "oo");
    ASSERT_TRUE(write(*file, 0, "n").ok());
    disk_->add_fault({.operation = DiskOperation::sync, .path_part = "/d/a", .times = 1});
    EXPECT_EQ(file->sync_data().code(), Errc::io);
    ASSERT_TRUE(write(*file, 1, "m").ok());
    EXPECT_TRUE(file->sync_data().ok());
    EXPECT_EQ(content("/d/a"), "nm") << "readers still see it";
    disk_->crash();
    seen.insert(content("/d/a"));
  }
  EXPECT_THAT(seen, ElementsAre("nm", "om"));
}

TEST_F(SimDiskTest, HandlesOfBeforeThePowerCutAreDead) {
  auto file = durable("/d/a", "x");
  disk_->crash();
  EXPECT_EQ(write(*file, 0, "y").code(), Errc::io);
  EXPECT_EQ(file->size().code(), Errc::io);
}

TEST_F(SimDiskTest, AFullDiskSaysSoAndGetsRoomBack) {
  disk_->set_capacity(8 * 4096);
  auto file = open("/d/a");
  EXPECT_TRUE(write(*file, 0, std::string(6 * 4096, 'x')).ok());
  EXPECT_EQ(write(*file, 6 * 4096, std::string(3 * 4096, 'x')).code(), Errc::no_space);
  EXPECT_EQ(open("/d/b")->preallocate(0, 5 * 4096).code(), Errc::no_space);
  EXPECT_TRUE(write(*file, 0, std::string(6 * 4096, 'y')).ok()) << "over what is there";
  EXPECT_TRUE(file->punch(0, 4 * 4096).ok());
  EXPECT_TRUE(write(*open("/d/b"), 0, std::string(3 * 4096, 'z')).ok());
  EXPECT_GE(disk_->space("/d")->free_bytes, 4096u);
  EXPECT_LT(disk_->space("/d")->free_bytes, 8 * 4096u);
}

TEST_F(SimDiskTest, FaultsHitTheirOperationAndPathForAsLongAsTheyLast) {
  auto good = open("/d/good");
  auto bad = open("/d/bad");
  disk_->add_fault({.operation = DiskOperation::write, .path_part = "bad", .code = Errc::no_space, .times = 2});
  EXPECT_TRUE(write(*good, 0, "x").ok());
  EXPECT_EQ(write(*bad, 0, "x").code(), Errc::no_space);
  EXPECT_EQ(write(*bad, 0, "x").code(), Errc::no_space);
  EXPECT_TRUE(write(*bad, 0, "x").ok());
  disk_->add_fault({.operation = DiskOperation::any});
  EXPECT_FALSE(disk_->open("/d/good", OpenMode::read_only).ok());
  disk_->clear_faults();
  EXPECT_EQ(content("/d/good"), "x");
}

TEST_F(SimDiskTest, AFlippedBitStaysFlipped) {
  durable("/d/a", "a");
  EXPECT_TRUE(disk_->flip_bit("/d/a", 0, 1).ok());
  EXPECT_EQ(content("/d/a"), "c");
  disk_->crash();
  EXPECT_EQ(content("/d/a"), "c");
  EXPECT_EQ(disk_->flip_bit("/d/a", 4096, 1).code(), Errc::not_found);
  EXPECT_EQ(disk_->flip_bit("/d/none", 0, 1).code(), Errc::not_found);
}

TEST_F(SimDiskTest, AKilledProcessKeepsItsWritesAndLosesItsHandles) {
  const SimProcess process = scheduler_.new_process("writer");
  ASSERT_TRUE(scheduler_
                  .run([&] {
                    scheduler_.spawn_in(process, "main", [&] {
                      auto kept = open("/d/kept");
                      auto removed = open("/d/removed");
                      EXPECT_TRUE(write(*kept, 0, "in the cache").ok());
                      EXPECT_TRUE(write(*removed, 0, std::string(40960, 'x')).ok());
                      EXPECT_TRUE(disk_->remove("/d/removed").ok());
                      scheduler_.sleep(1h);
                    });
                    scheduler_.sleep(1s);
                    EXPECT_EQ(disk_->used_bytes(), 4096u * 11) << "removed, but open";
                    scheduler_.kill(process);
                  })
                  .ok());
  EXPECT_EQ(content("/d/kept"), "in the cache");
  EXPECT_EQ(disk_->used_bytes(), 4096u);
}

TEST_F(SimDiskTest, AKillInTheMiddleOfAWriteLeavesAnyPartOfIt) {
  std::set<size_t> sizes;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    restart(seed);
    SimScheduler scheduler(seed);
    SimDisk disk(scheduler, seed);
    const SimProcess process = scheduler.new_process("writer");
    ASSERT_TRUE(scheduler
                    .run([&] {
                      scheduler.spawn_in(process, "main", [&] {
                        auto file = disk.open("/a", OpenMode::create);
                        (void)write(**file, 0, std::string(4000, 'x'));
                        scheduler.sleep(1h);
                      });
                      scheduler.sleep(500us);
                      scheduler.kill(process);
                      auto file = disk.open("/a", OpenMode::create);
                      sizes.insert(*(*file)->size());
                    })
                    .ok());
  }
  EXPECT_THAT(sizes, Contains(0u));
  EXPECT_THAT(sizes, Contains(4000u));
  EXPECT_GT(sizes.size(), 4u);
}

TEST_F(SimDiskTest, ASyncCoversOnlyWhatWasWrittenBeforeIt) {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 80; ++seed) {
    SimScheduler scheduler(seed);
    SimDisk disk(scheduler, seed);
    ASSERT_TRUE(scheduler
                    .run([&] {
                      auto file = disk.open("/a", OpenMode::create);
                      EXPECT_TRUE(write(**file, 0, "oo").ok());
                      EXPECT_TRUE((*file)->sync_data().ok());
                      EXPECT_TRUE(disk.sync_directory("/").ok());
                      bool written = false;
                      Thread writer("writer", [&] {
                        EXPECT_TRUE(write(**file, 0, "nn").ok());
                        written = true;
                      });
                      EXPECT_TRUE((*file)->sync_data().ok());
                      writer.join();
                      disk.crash();
                      auto left = disk.open("/a", OpenMode::read_only);
                      char text[2];
                      EXPECT_EQ(*(*left)->read_at(0, {reinterpret_cast<uint8_t*>(text), 2}), 2u);
                      seen.insert(std::string(text, 2));
                    })
                    .ok());
  }
  EXPECT_THAT(seen, Contains("oo")) << "a write during a sync is not part of it";
  EXPECT_THAT(seen, Contains("nn"));
}

}  // namespace
}  // namespace cairn

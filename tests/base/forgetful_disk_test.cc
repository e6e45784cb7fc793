// What a ForgetfulDisk forgets, tears and keeps when its process dies. What it does as every Disk is in
// tests/sim/disk_conformance_test.cc.
#include "common/base/forgetful_disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "common/base/thread.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Status write(File& file, uint64_t offset, std::string_view text) {
  const iovec piece{const_cast<char*>(text.data()), text.size()};
  return file.write_at(offset, {&piece, 1});
}

std::string read(File& file, uint64_t offset, size_t length) {
  std::string text(length, '?');
  const auto got = file.read_at(offset, {reinterpret_cast<uint8_t*>(text.data()), length});
  EXPECT_TRUE(got.ok());
  text.resize(got.ok() ? *got : 0);
  return text;
}

// The real disk, whose syncs fail when told so.
class FailingDisk : public Disk {
 public:
  bool syncs_fail = false;

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    ASSIGN(auto inner, real_disk().open(path, mode));
    return std::unique_ptr<File>(std::make_unique<FailingFile>(*this, std::move(inner)));
  }
  Status remove(const std::string& path) override { return real_disk().remove(path); }
  Status rename(const std::string& from, const std::string& to) override { return real_disk().rename(from, to); }
  Status make_directories(const std::string& path) override { return real_disk().make_directories(path); }
  Status sync_directory(const std::string& path) override {
    TRY(sync_result());
    return real_disk().sync_directory(path);
  }
  Result<std::vector<std::string>> list(const std::string& path) override { return real_disk().list(path); }
  Result<DiskSpace> space(const std::string& path) override { return real_disk().space(path); }

  Status sync_result() const { return syncs_fail ? Status{Errc::io, "the medium is worn out"} : Status{}; }

 private:
  class FailingFile : public File {
   public:
    FailingFile(FailingDisk& disk, std::unique_ptr<File> inner) : disk_(disk), inner_(std::move(inner)) {}
    Result<size_t> read_at(uint64_t at, std::span<uint8_t> into) override { return inner_->read_at(at, into); }
    Status write_at(uint64_t at, std::span<const iovec> pieces) override { return inner_->write_at(at, pieces); }
    Status sync_data() override {
      TRY(disk_.sync_result());
      return inner_->sync_data();
    }
    Status truncate(uint64_t size) override { return inner_->truncate(size); }
    Status preallocate(uint64_t at, uint64_t length) override { return inner_->preallocate(at, length); }
    Status punch(uint64_t at, uint64_t length) override { return inner_->punch(at, length); }
    Result<uint64_t> size() override { return inner_->size(); }
    Result<uint64_t> allocated() override { return inner_->allocated(); }
    Result<uint64_t> next_data(uint64_t at) override { return inner_->next_data(at); }
    Result<bool> named() override { return inner_->named(); }
    int descriptor() const override { return inner_->descriptor(); }

   private:
    FailingDisk& disk_;
    std::unique_ptr<File> inner_;
  };
};

class ForgetfulDiskTest : public ::testing::Test {
 protected:
  ForgetfulDiskTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cairn_forgetful_XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    start();
  }
  ~ForgetfulDiskTest() override { std::filesystem::remove_all(root_); }

  // A process on this directory; the one before it was killed.
  void start(uint64_t seed = 0) {
    disk_.reset();
    auto made = ForgetfulDisk::open(below_, {.shadow_directory = root_ + "/shadow", .seed = seed});
    ASSERT_TRUE(made.ok()) << made.error().what;
    disk_ = std::move(*made);
    ASSERT_TRUE(disk_->make_directories(root_ + "/d").ok());
  }
  std::string at(const std::string& name) const { return root_ + "/d/" + name; }
  std::unique_ptr<File> open(const std::string& name, OpenMode mode = OpenMode::create) {
    auto file = disk_->open(at(name), mode);
    EXPECT_TRUE(file.ok()) << file.error().what;
    return file.ok() ? std::move(*file) : nullptr;
  }
  // With a durable name and durable content.
  std::unique_ptr<File> durable(const std::string& name, std::string_view text) {
    auto file = open(name);
    EXPECT_TRUE(write(*file, 0, text).ok());
    EXPECT_TRUE(file->sync_data().ok());
    EXPECT_TRUE(disk_->sync_directory(root_ + "/d").ok());
    return file;
  }
  std::string content(const std::string& name) {
    auto file = disk_->open(at(name), OpenMode::read_only);
    return file.ok() ? read(**file, 0, 1 << 20) : "(absent)";
  }
  std::vector<std::string> names() { return *disk_->list(root_ + "/d"); }

  std::string root_;
  FailingDisk below_;
  std::unique_ptr<ForgetfulDisk> disk_;
};

TEST_F(ForgetfulDiskTest, WhatWasSyncedIsKept) {
  durable("a", "kept");
  start();
  EXPECT_EQ(content("a"), "kept");
}

TEST_F(ForgetfulDiskTest, WhatWasNotSyncedIsSeenAndThenForgotten) {
  auto file = durable("a", "before");
  ASSERT_TRUE(write(*file, 2, "XX and much more").ok());
  EXPECT_EQ(content("a"), "beXX and much more") << "by another handle";
  EXPECT_EQ(*open("a")->size(), 18u);
  file.reset();
  EXPECT_EQ(content("a"), "beXX and much more") << "and after the last one was closed";
  start();
  EXPECT_EQ(content("a"), "before");
}

TEST_F(ForgetfulDiskTest, ASyncThroughAnotherHandleCoversWhatAClosedOneWrote) {
  ASSERT_TRUE(write(*durable("a", "before"), 0, "after!").ok());
  EXPECT_TRUE(open("a")->sync_data().ok());
  start();
  EXPECT_EQ(content("a"), "after!");
}

TEST_F(ForgetfulDiskTest, TruncationsAndPunchesAreForgotten) {
  const std::string text(20'000, 'x');
  {
    auto file = durable("a", text);
    ASSERT_TRUE(file->truncate(5'000).ok());
    ASSERT_TRUE(file->truncate(9'000).ok());
    EXPECT_EQ(content("a"), std::string(5'000, 'x') + std::string(4'000, '\0'));
    ASSERT_TRUE(write(*file, 8'000, "y").ok());
    EXPECT_EQ(content("a"), std::string(5'000, 'x') + std::string(3'000, '\0') + "y" + std::string(999, '\0'));
  }
  start();
  EXPECT_EQ(content("a"), text);
  {
    auto file = open("a");
    ASSERT_TRUE(file->punch(100, 10'000).ok());
    EXPECT_EQ(content("a"), std::string(100, 'x') + std::string(10'000, '\0') + std::string(9'900, 'x'));
  }
  start();
  EXPECT_EQ(content("a"), text);
}

TEST_F(ForgetfulDiskTest, TruncationsAndPunchesAreKeptOnceTheyAreSynced) {
  auto file = durable("a", std::string(20'000, 'x'));
  ASSERT_TRUE(file->truncate(9'000).ok());
  ASSERT_TRUE(file->truncate(30'000).ok());
  ASSERT_TRUE(file->punch(4'096, 4'096).ok());
  ASSERT_TRUE(write(*file, 25'000, "far").ok());
  std::string expected = std::string(9'000, 'x') + std::string(21'000, '\0');
  expected.replace(4'096, 4'096, std::string(4'096, '\0')).replace(25'000, 3, "far");
  EXPECT_EQ(content("a"), expected);
  ASSERT_TRUE(file->sync_data().ok());
  EXPECT_EQ(content("a"), expected);
  file.reset();
  start();
  EXPECT_EQ(content("a"), expected);
}

TEST_F(ForgetfulDiskTest, ACreatedNameNeedsItsDirectorySynced) {
  auto file = open("a");
  ASSERT_TRUE(write(*file, 0, "synced, but who would find it?").ok());
  ASSERT_TRUE(file->sync_data().ok());
  EXPECT_THAT(names(), ElementsAre("a"));
  file.reset();
  EXPECT_EQ(content("a"), "synced, but who would find it?");
  start();
  EXPECT_THAT(names(), IsEmpty());
  EXPECT_THAT(*real_disk().list(root_ + "/shadow"), IsEmpty()) << "what it left is cleared";
}

TEST_F(ForgetfulDiskTest, ADurableNameDoesNotMakeTheBytesDurable) {
  auto file = open("a");
  ASSERT_TRUE(write(*file, 0, "lost").ok());
  ASSERT_TRUE(disk_->sync_directory(root_ + "/d").ok());
  file.reset();
  start();
  EXPECT_EQ(content("a"), "");
}

TEST_F(ForgetfulDiskTest, RenamesAndRemovalsAreForgotten) {
  durable("a", "A");
  durable("b", "B");
  durable("c", "C");
  ASSERT_TRUE(disk_->rename(at("a"), at("b")).ok());
  ASSERT_TRUE(disk_->remove(at("c")).ok());
  ASSERT_TRUE(write(*open("c", OpenMode::create_new), 0, "another C").ok());
  EXPECT_THAT(names(), ElementsAre("b", "c"));
  EXPECT_EQ(content("b"), "A");
  EXPECT_EQ(content("c"), "another C");
  start();
  EXPECT_THAT(names(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(content("a") + content("b") + content("c"), "ABC");
}

TEST_F(ForgetfulDiskTest, RenamesAndRemovalsAreKeptOnceTheirDirectoryIsSynced) {
  durable("a", "A");
  durable("b", "B");
  auto open_one = durable("c", "C");
  ASSERT_TRUE(disk_->rename(at("a"), at("x")).ok());
  ASSERT_TRUE(disk_->rename(at("x"), at("b")).ok());
  ASSERT_TRUE(disk_->remove(at("c")).ok());
  durable("a", "new");
  EXPECT_EQ(read(*open_one, 0, 10), "C") << "removed, and still open";
  open_one.reset();
  start();
  EXPECT_THAT(names(), ElementsAre("a", "b"));
  EXPECT_EQ(content("a") + content("b"), "newA");
}

TEST_F(ForgetfulDiskTest, AFileSaysWhetherANameLeadsToIt) {
  auto renamed = durable("a", "A");
  auto replaced = durable("b", "B");
  auto removed = durable("c", "C");
  auto deleted_below = durable("d", "D");
  ASSERT_TRUE(disk_->rename(at("a"), at("b")).ok());
  ASSERT_TRUE(disk_->remove(at("c")).ok());
  ASSERT_TRUE(real_disk().remove(at("d")).ok());
  for (const char* when : {"before the sync", "after it"}) {
    EXPECT_TRUE(*renamed->named()) << when;
    EXPECT_FALSE(*replaced->named()) << when;
    EXPECT_FALSE(*removed->named()) << when;
    EXPECT_FALSE(*deleted_below->named()) << when;
    ASSERT_TRUE(disk_->sync_directory(root_ + "/d").ok());
  }
}

TEST_F(ForgetfulDiskTest, AnotherDirectorysSyncDoesNotKeepAName) {
  ASSERT_TRUE(disk_->make_directories(root_ + "/other").ok());
  open("a");
  ASSERT_TRUE(disk_->sync_directory(root_ + "/other").ok());
  durable("old", "text");
  ASSERT_TRUE(disk_->rename(at("old"), root_ + "/other/new").ok());
  ASSERT_TRUE(disk_->sync_directory(root_ + "/d").ok());
  EXPECT_THAT(*disk_->list(root_ + "/other"), ElementsAre("new"));
  start();
  EXPECT_THAT(*disk_->list(root_ + "/other"), IsEmpty());
  EXPECT_EQ(content("old"), "text");
}

TEST_F(ForgetfulDiskTest, ANameTakenAgainDoesNotHurtTheFileThatHadIt) {
  ASSERT_TRUE(disk_->make_directories(root_ + "/other").ok());
  durable("a", "first");
  ASSERT_TRUE(disk_->rename(at("a"), root_ + "/other/a").ok());
  durable("a", "second");  // its directory is synced, the other one is not
  start();
  EXPECT_EQ(content("a"), "second");
  EXPECT_THAT(*disk_->list(root_ + "/other"), ElementsAre("a")) << "or the first would be lost";
}

TEST_F(ForgetfulDiskTest, WithASeedAWriteIsKeptForgottenOrTornBySectors) {
  const std::string before(4096, 'o');
  const std::string after(4096, 'n');
  std::set<std::string> kinds;
  durable("a", before);
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    start(seed);
    {
      auto file = open("a");
      ASSERT_TRUE(write(*file, 0, before).ok() && file->sync_data().ok());
      ASSERT_TRUE(write(*file, 0, after).ok());
      EXPECT_EQ(content("a"), after) << "readers see it";
    }
    start();
    const std::string left = content("a");
    ASSERT_EQ(left.size(), 4096u);
    for (size_t sector = 0; sector < 8; ++sector) {
      const std::string part = left.substr(sector * 512, 512);
      EXPECT_TRUE(part == before.substr(0, 512) || part == after.substr(0, 512));
    }
    kinds.insert(left == before ? "forgotten" : left == after ? "kept" : "torn");
  }
  EXPECT_THAT(kinds, ElementsAre("forgotten", "kept", "torn"));
}

TEST_F(ForgetfulDiskTest, WithASeedNamesAreKeptOrForgottenInAnyOrder) {
  std::set<std::vector<std::string>> ends;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    start(seed);
    for (const char* name : {"a", "b"}) open(name);
    start();
    ends.insert(names());
    for (const std::string& name : names()) ASSERT_TRUE(disk_->remove(at(name)).ok());
    ASSERT_TRUE(disk_->sync_directory(root_ + "/d").ok());
  }
  using Names = std::vector<std::string>;
  EXPECT_THAT(ends, ElementsAre(Names{}, Names{"a"}, Names{"a", "b"}, Names{"b"}));
}

// What readers see never depends on chance: a plain string is the model, and syncs and kills come in between.
TEST_F(ForgetfulDiskTest, RandomChangesAreSeenAsTheyWereMade) {
  Random random(7);
  for (uint64_t round = 1; round <= 30; ++round) {
    start(round);
    std::string model = content("f") == "(absent)" ? "" : content("f");
    auto file = open("f");
    ASSERT_TRUE(disk_->sync_directory(root_ + "/d").ok());
    std::string synced = model;
    bool clean = true;
    for (int step = 0; step < 60; ++step) {
      const uint64_t offset = random.below(40'000);
      const uint64_t length = random.below(12'000) + 1;
      switch (random.below(6)) {
        case 0:
        case 1:
        case 2: {
          if (model.size() < offset + length) model.resize(offset + length);
          const std::string text(length, static_cast<char>('a' + step % 26));
          model.replace(offset, length, text);
          ASSERT_TRUE(write(*file, offset, text).ok());
          break;
        }
        case 3:
          model.resize(offset);
          ASSERT_TRUE(file->truncate(offset).ok());
          break;
        case 4:
          for (uint64_t i = offset; i < std::min<uint64_t>(model.size(), offset + length); ++i) model[i] = '\0';
          ASSERT_TRUE(file->punch(offset, length).ok());
          break;
        default:
          ASSERT_TRUE(file->sync_data().ok());
          synced = model;
          break;
      }
      clean = synced == model;
      ASSERT_EQ(*file->size(), model.size());
      ASSERT_EQ(read(*file, 0, 60'000), model) << "round " << round << " step " << step;
      const uint64_t from = random.below(50'000);
      ASSERT_EQ(read(*file, from, 5'000), from < model.size() ? model.substr(from, 5'000) : "");
      const auto data = file->next_data(0);
      const size_t first = model.find_first_not_of('\0');
      if (first != std::string::npos) {
        ASSERT_TRUE(data.ok());
        ASSERT_LE(*data, first);
      }
    }
    if (clean) {
      file.reset();
      start();
      ASSERT_EQ(content("f"), synced);
    }
  }
}

TEST_F(ForgetfulDiskTest, AFileIsSentByDescriptorOnlyWhileNothingOfItIsUnsynced) {
  auto file = durable("a", "text");
  EXPECT_GE(file->descriptor(), 0);
  ASSERT_TRUE(write(*file, 0, "T").ok());
  EXPECT_EQ(file->descriptor(), -1);
  ASSERT_TRUE(file->sync_data().ok());
  EXPECT_GE(file->descriptor(), 0);
}

TEST_F(ForgetfulDiskTest, AFailedSyncBelowIsPassedOn) {
  auto file = durable("a", "text");
  ASSERT_TRUE(write(*file, 0, "T").ok());
  below_.syncs_fail = true;
  EXPECT_EQ(file->sync_data().code(), Errc::io);
  EXPECT_EQ(disk_->sync_directory(root_ + "/d").code(), Errc::io);
  EXPECT_EQ(content("a"), "Text") << "what is seen stays";
}

TEST_F(ForgetfulDiskTest, ThreadsThatWriteReadAndSyncDoNotDisturbEachOther) {
  start(11);
  constexpr int kThreads = 4;
  constexpr int kRecords = 40;
  auto shared = open("shared");
  std::vector<Thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back("writer", [&, t] {
      for (int i = 0; i < kRecords; ++i) {
        const std::string text(3'000, static_cast<char>('a' + t));
        const uint64_t offset = static_cast<uint64_t>(i * kThreads + t) * 3'000;
        EXPECT_TRUE(write(*shared, offset, text).ok());
        EXPECT_EQ(read(*shared, offset, 3'000), text);
        const bool sync_file = i % 5 == t;
        EXPECT_TRUE(!sync_file || shared->sync_data().ok());
        const std::string own = std::to_string(t) + "-" + std::to_string(i);
        EXPECT_TRUE(write(*open(own), 0, own).ok());
        EXPECT_TRUE(disk_->rename(at(own), at(own + "-renamed")).ok());
        const bool sync_names = i % 7 == t;
        EXPECT_TRUE(!sync_names || disk_->sync_directory(root_ + "/d").ok());
        EXPECT_EQ(content(own + "-renamed"), own);
        EXPECT_TRUE(disk_->remove(at(own + "-renamed")).ok());
      }
    });
  }
  threads.clear();
  EXPECT_TRUE(shared->sync_data().ok());
  EXPECT_TRUE(disk_->sync_directory(root_ + "/d").ok());
  shared.reset();
  start();
  EXPECT_THAT(names(), ElementsAre("shared"));
  const std::string left = content("shared");
  for (int i = 0; i < kRecords * kThreads; ++i) {
    ASSERT_EQ(left.substr(static_cast<size_t>(i) * 3'000, 3'000), std::string(3'000, static_cast<char>('a' + i % 4)));
  }
}

}  // namespace
}  // namespace cairn

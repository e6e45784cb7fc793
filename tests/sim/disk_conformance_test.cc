// What every Disk does, real or simulated.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/bytes.h"
#include "tests/sim/edge_worlds.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;

class DiskConformanceTest : public ::testing::TestWithParam<EdgeKind> {
 protected:
  DiskConformanceTest() : world_(GetParam().make()), disk_(world_->disk()), root_(world_->root()) {}

  static Status write(File& file, uint64_t offset, std::string_view text) {
    const iovec piece{const_cast<char*>(text.data()), text.size()};
    return file.write_at(offset, {&piece, 1});
  }
  static std::string read(File& file, uint64_t offset, size_t length) {
    std::string text(length, '?');
    const auto n = file.read_at(offset, {reinterpret_cast<uint8_t*>(text.data()), length});
    EXPECT_TRUE(n.ok());
    text.resize(n.ok() ? *n : 0);
    return text;
  }
  std::unique_ptr<File> create(const std::string& name) {
    auto file = disk_.open(root_ + "/" + name, OpenMode::create_new);
    EXPECT_TRUE(file.ok()) << file.error().what;
    return file.ok() ? std::move(*file) : nullptr;
  }

  std::unique_ptr<EdgeWorld> world_;
  Disk& disk_;
  const std::string root_;
};

TEST_P(DiskConformanceTest, PiecesAreWrittenOneBehindTheOther) {
  world_->run([&] {
    auto file = create("a");
    std::string parts[] = {"stones ", "", "upon ", "stones"};
    std::vector<iovec> pieces;
    for (std::string& part : parts) pieces.push_back({part.data(), part.size()});
    EXPECT_TRUE(file->write_at(3, pieces).ok());
    EXPECT_EQ(read(*file, 3, 100), "stones upon stones");
    EXPECT_EQ(read(*file, 0, 3), std::string(3, '\0')) << "a hole reads as zeros";
    EXPECT_EQ(*file->size(), 21u);
    EXPECT_EQ(read(*file, 21, 5), "") << "behind the end there is nothing";
    EXPECT_TRUE(write(*file, 10, "over").ok());
    EXPECT_EQ(read(*file, 3, 18), "stones over stones");
    EXPECT_TRUE(file->sync_data().ok());
  });
}

TEST_P(DiskConformanceTest, MorePiecesThanOneSystemCallTakes) {
  world_->run([&] {
    auto file = create("many");
    std::string text;
    for (int i = 0; i < 3000; ++i) text += static_cast<char>('a' + i % 26);
    std::vector<iovec> pieces;
    for (char& c : text) pieces.push_back({&c, 1});
    EXPECT_TRUE(file->write_at(0, pieces).ok());
    EXPECT_EQ(read(*file, 0, 4000), text);
    EXPECT_TRUE(file->write_at(5, {}).ok());
  });
}

TEST_P(DiskConformanceTest, OpeningSaysWhatIsMissingAndWhatIsThere) {
  world_->run([&] {
    EXPECT_EQ(disk_.open(root_ + "/none", OpenMode::read_only).code(), Errc::not_found);
    EXPECT_EQ(disk_.open(root_ + "/none", OpenMode::read_write).code(), Errc::not_found);
    EXPECT_EQ(disk_.open(root_ + "/no/where", OpenMode::create).code(), Errc::not_found);
    create("there");
    EXPECT_EQ(disk_.open(root_ + "/there", OpenMode::create_new).code(), Errc::exists);
    EXPECT_TRUE(disk_.open(root_ + "/there", OpenMode::create).ok());
    auto file = disk_.open(root_ + "/there", OpenMode::read_only);
    ASSERT_TRUE(file.ok());
    EXPECT_FALSE(write(**file, 0, "x").ok()) << "read-only";
    EXPECT_THAT(disk_.open(root_ + "/none", OpenMode::read_only).error().what, ::testing::HasSubstr(root_ + "/none"));
  });
}

TEST_P(DiskConformanceTest, NamesAreListedRenamedAndRemoved) {
  world_->run([&] {
    ASSERT_TRUE(write(*create("b"), 0, "from b").ok());
    create("a");
    EXPECT_TRUE(disk_.make_directories(root_ + "/deep/er").ok());
    EXPECT_TRUE(disk_.make_directories(root_ + "/deep/er").ok()) << "again is the same";
    EXPECT_THAT(*disk_.list(root_), ElementsAre("a", "b", "deep"));
    EXPECT_TRUE(disk_.rename(root_ + "/b", root_ + "/a").ok()) << "replaces";
    EXPECT_EQ(read(**disk_.open(root_ + "/a", OpenMode::read_only), 0, 10), "from b");
    EXPECT_TRUE(disk_.rename(root_ + "/a", root_ + "/deep/er/c").ok());
    EXPECT_TRUE(disk_.sync_directory(root_ + "/deep/er").ok());
    EXPECT_THAT(*disk_.list(root_ + "/deep"), ElementsAre("er"));
    EXPECT_EQ(disk_.remove(root_ + "/deep/er").code(), Errc::not_empty);
    EXPECT_TRUE(disk_.remove(root_ + "/deep/er/c").ok());
    EXPECT_TRUE(disk_.remove(root_ + "/deep/er").ok());
    EXPECT_EQ(disk_.remove(root_ + "/deep/er").code(), Errc::not_found);
    EXPECT_EQ(disk_.rename(root_ + "/x", root_ + "/y").code(), Errc::not_found);
    EXPECT_EQ(disk_.list(root_ + "/nowhere").code(), Errc::not_found);
    EXPECT_EQ(disk_.sync_directory(root_ + "/nowhere").code(), Errc::not_found);
  });
}

TEST_P(DiskConformanceTest, AFileInTheWayOfADirectoryIsAnError) {
  world_->run([&] {
    create("file");
    EXPECT_EQ(disk_.make_directories(root_ + "/file/below").code(), Errc::io);
  });
}

TEST_P(DiskConformanceTest, ARemovedFileIsReadableWhileItIsOpen) {
  world_->run([&] {
    auto file = create("gone");
    ASSERT_TRUE(write(*file, 0, "still here").ok());
    ASSERT_TRUE(disk_.remove(root_ + "/gone").ok());
    EXPECT_EQ(read(*file, 0, 20), "still here");
  });
}

TEST_P(DiskConformanceTest, TruncationCutsAndGrowsWithZeros) {
  world_->run([&] {
    auto file = create("t");
    ASSERT_TRUE(write(*file, 0, std::string(10000, 'x')).ok());
    EXPECT_TRUE(file->truncate(5000).ok());
    EXPECT_EQ(*file->size(), 5000u);
    EXPECT_TRUE(file->truncate(9000).ok());
    EXPECT_EQ(read(*file, 4990, 20), std::string(10, 'x') + std::string(10, '\0'));
  });
}

TEST_P(DiskConformanceTest, PunchingGivesSpaceBackAndReadsAsZeros) {
  world_->run([&] {
    auto file = create("p");
    ASSERT_TRUE(write(*file, 0, std::string(64 << 10, 'x')).ok());
    ASSERT_TRUE(file->sync_data().ok());
    const uint64_t before = *file->allocated();
    EXPECT_GE(before, 64u << 10);
    EXPECT_TRUE(file->punch(4096, 32 << 10).ok());
    EXPECT_LE(*file->allocated(), before - (32 << 10));
    EXPECT_EQ(*file->size(), 64u << 10);
    EXPECT_EQ(read(*file, 4095, 3), std::string("x\0\0", 3));
    EXPECT_EQ(read(*file, 4096 + (32 << 10) - 1, 2), std::string("\0x", 2));
  });
}

TEST_P(DiskConformanceTest, DataIsFoundBehindHoles) {
  world_->run([&] {
    auto file = create("h");
    ASSERT_TRUE(write(*file, 1 << 20, "island").ok());
    ASSERT_TRUE(file->sync_data().ok());
    EXPECT_EQ(*file->next_data(0), 1u << 20);
    EXPECT_EQ(*file->next_data((1 << 20) + 3), (1u << 20) + 3);
    EXPECT_EQ(file->next_data((1 << 20) + 6).code(), Errc::not_found);
  });
}

TEST_P(DiskConformanceTest, PreallocationTakesSpaceAndKeepsTheSize) {
  world_->run([&] {
    auto file = create("f");
    EXPECT_TRUE(file->preallocate(0, 1 << 20).ok());
    EXPECT_EQ(*file->size(), 0u);
    EXPECT_GE(*file->allocated(), 1u << 20);
    EXPECT_TRUE(write(*file, 0, "begin").ok());
    EXPECT_EQ(*file->size(), 5u);
  });
}

TEST_P(DiskConformanceTest, SpaceIsReported) {
  world_->run([&] {
    const auto space = disk_.space(root_);
    ASSERT_TRUE(space.ok());
    EXPECT_GT(space->free_bytes, 0u);
    EXPECT_GE(space->total_bytes, space->free_bytes);
    EXPECT_EQ(disk_.space(root_ + "/nowhere").code(), Errc::not_found);
  });
}

INSTANTIATE_TEST_SUITE_P(Edges, DiskConformanceTest,
                         ::testing::Values(EdgeKind{"Real", make_real_world},
                                           EdgeKind{"Forgetful", make_forgetful_world},
                                           EdgeKind{"Simulated", make_simulated_world}),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace cairn

#include "chunkserver/worker/pinned_file.h"

#include <gtest/gtest.h>

#include "tests/chunkserver/worker/near_fixture.h"

namespace cairn {
namespace {

using test::NearFixture;

// A file of `size` bytes: zeros, with pieces of the fixture's run at some offsets.
class PinnedFileTest : public ::testing::Test {
 protected:
  PinnedFileTest() { f.write(4); }

  void place(uint64_t offset, uint64_t from, uint64_t length) {
    Extent part = f.run.part(from, from + length);
    part.offset = offset;
    extents.push_back(part);
    content.resize(std::max<size_t>(content.size(), offset + length));
    std::copy_n(f.data.begin() + static_cast<ptrdiff_t>(from), length,
                content.begin() + static_cast<ptrdiff_t>(offset));
  }
  // The page that begins at `from`: at most `at_most` extents.
  Result<PinnedPage> page(uint64_t from, size_t at_most) {
    ++pages;
    if (page_error) return *page_error;
    PinnedPage page{{}, {f.memory.chunk}, {}, content.size()};
    for (const Extent& extent : extents) {
      if (extent.end() <= from) continue;
      if (page.extents.size() == at_most) {
        page.covered_until = extent.offset;
        break;
      }
      page.extents.push_back(extent);
    }
    return page;
  }
  PinnedFile file(size_t extents_of_a_page = 100) {
    return PinnedFile("/a", content.size(), f.near, f.memory.clock,
                      [this, extents_of_a_page](uint64_t from) { return page(from, extents_of_a_page); });
  }
  void expect_same(PinnedFile& file, uint64_t from, uint64_t to) {
    std::vector<uint8_t> out(to - from, 0xcc);
    const Status read = file.read(from, out);
    ASSERT_TRUE(read.ok()) << read.error().what;
    EXPECT_TRUE(std::equal(out.begin(), out.end(), content.begin() + static_cast<ptrdiff_t>(from)))
        << from << " " << to;
  }

  NearFixture f;
  std::vector<Extent> extents;
  std::vector<uint8_t> content;
  size_t pages = 0;
  std::optional<Error> page_error;
};

TEST_F(PinnedFileTest, ExtentsAndHolesAreReadForEveryRange) {
  place(100, 7, 9000);
  place(9100, 40'000, 10);
  place(30'000, 60'000, 30'001);
  content.resize(70'000);
  for (const size_t of_a_page : {1, 2, 100}) {
    PinnedFile pinned = file(of_a_page);
    expect_same(pinned, 0, content.size());
    for (uint64_t from = 0; from < content.size(); from += 3571) {
      for (uint64_t to = from + 1; to <= content.size(); to += 8191) expect_same(pinned, from, to);
    }
  }
}

TEST_F(PinnedFileTest, NeighboursShareAPage) {
  place(0, 0, 50'000);
  PinnedFile pinned = file();
  for (uint64_t at = 0; at < 50'000; at += 1000) expect_same(pinned, at, at + 1000);
  EXPECT_EQ(pages, 1u);
  EXPECT_EQ(pinned.counts().bytes, 50'000u);
}

TEST_F(PinnedFileTest, InlineContentAndWhatIsBehindItAreRead) {
  content = {'a', 'b', 'c', 0, 0};
  PinnedFile pinned("/a", 5, f.near, f.memory.clock, [](uint64_t) -> Result<PinnedPage> {
    return PinnedPage{{}, {}, "abc", 5};
  });
  for (uint64_t from = 0; from < 5; ++from) {
    for (uint64_t to = from; to <= 5; ++to) expect_same(pinned, from, to);
  }
}

TEST_F(PinnedFileTest, WhatIsRebuiltIsCounted) {
  place(0, 0, f.data.size());
  f.memory.shards.kill(ServerId{2});
  PinnedFile pinned = file();
  expect_same(pinned, 0, content.size());
  EXPECT_EQ(pinned.counts().decoded_bytes, 4u * NearFixture::kCell);
}

TEST_F(PinnedFileTest, ARangeThatCannotBeReadIsTriedWithAFreshPage) {
  place(0, 0, 20'000);
  const ChunkInfo before = f.memory.chunk;
  f.memory.chunk.servers = {ServerId{91}, ServerId{92}, ServerId{93}, ServerId{94}, ServerId{95}, ServerId{96}};
  PinnedFile pinned("/a", content.size(), f.near, f.memory.clock, [&](uint64_t from) -> Result<PinnedPage> {
    Result<PinnedPage> found = page(from, 100);
    f.memory.chunk = before;  // has been repaired to there meanwhile
    return found;
  });
  expect_same(pinned, 0, 20'000);
  EXPECT_EQ(pages, 2u);
}

TEST_F(PinnedFileTest, ErrorsNameTheFileAndTheBytes) {
  place(0, 0, 20'000);
  for (uint32_t server = 2; server <= 4; ++server) f.memory.shards.kill(ServerId{server});
  PinnedFile pinned = file();
  std::vector<uint8_t> out(100);
  EXPECT_TRUE(pinned.read(0, out).ok()) << "on the disk here";
  const Status read = pinned.read(9000, out);
  EXPECT_EQ(read.code(), Errc::io);
  EXPECT_NE(read.error().what.find("/a: bytes 9000 .. 9100"), std::string::npos) << read.error().what;
  page_error = Error{Errc::not_found, "the job has ended"};
  EXPECT_EQ(file().read(0, out).code(), Errc::not_found);
}

TEST_F(PinnedFileTest, AMalformedPageIsAnError) {
  place(0, 0, 20'000);
  std::vector<uint8_t> out(100);
  extents[0].shape.cell_bytes = 77;
  EXPECT_EQ(file().read(0, out).code(), Errc::invalid);
  extents[0].shape.cell_bytes = NearFixture::kCell;
  PinnedFile without_chunks("/a", 20'000, f.near, f.memory.clock, [&](uint64_t) -> Result<PinnedPage> {
    return PinnedPage{extents, {}, {}, 20'000};
  });
  EXPECT_EQ(without_chunks.read(0, out).code(), Errc::invalid);
  PinnedFile stuck("/a", 20'000, f.near, f.memory.clock, [&](uint64_t from) -> Result<PinnedPage> {
    return PinnedPage{{}, {}, {}, from};
  });
  EXPECT_EQ(stuck.read(0, out).code(), Errc::invalid);
}

}  // namespace
}  // namespace cairn

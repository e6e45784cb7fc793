// Random operations on a few files, with everything that could be forgotten on the way, against files that are arrays
// of bytes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "common/base/random.h"
#include "tests/client/cluster_fixture.h"

namespace cairn {
namespace {

using test::Cluster;
using test::file_node;
using test::must;
using test::pattern;
using test::read_all;

struct File {
  InodeId inode{};
  FileHandle handle = 0;
  std::vector<uint8_t> content;
};

class RandomRun {
 public:
  RandomRun(Cluster& cluster, Random random, FilesystemOptions options)
      : cluster_(cluster), random_(random), options_(options) {
    mounted_ = cluster_.mount(options_);
    for (int i = 0; i < 3; ++i) {
      const auto made = must(mounted_->create(file_node(fmt::format("f{}-{}", random_(), i))));
      files_.push_back({made.entry.attributes.inode, made.handle, {}});
    }
  }
  void close() { must(mounted_->close()); }
  void step() {
    File& file = files_[random_.below(files_.size())];
    switch (random_.below(12)) {
      case 0:
      case 1:
      case 2:
        return write(file, random_.below(limit_));
      case 3:
        return write(file, file.content.size());
      case 4:
        return append(file);
      case 5:
        return truncate(file);
      case 6:
      case 7:
        return read(file);
      case 8:
        return must(mounted_->sync(file.inode));
      case 9:
        return zero(file);
      case 10:
        return random_.one_in(4) ? must(mounted_->sync_all()) : stream(file);
      default:
        return check(file);
    }
  }
  void reopen() {
    must(mounted_->close());
    mounted_ = cluster_.mount(options_);
    for (File& file : files_) file.handle = must(mounted_->open(file.inode, false));
  }
  void check_all() {
    for (File& file : files_) check(file);
  }

 private:
  size_t length() {
    switch (random_.below(4)) {
      case 0:
        return random_.between(1, 200);
      case 1:
        return random_.between(1, 9000);
      case 2:
        return 4096 * random_.between(1, 8);
      default:
        return random_.between(1, 150000);
    }
  }
  void write(File& file, uint64_t offset) {
    const auto data = pattern(random_(), length());
    must(mounted_->write(file.inode, offset, data));
    if (file.content.size() < offset + data.size()) file.content.resize(offset + data.size());
    std::ranges::copy(data, file.content.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  void append(File& file) {
    const auto data = pattern(random_(), length());
    ASSERT_EQ(must(mounted_->append(file.inode, data)), file.content.size());
    file.content.insert(file.content.end(), data.begin(), data.end());
  }
  void stream(File& file) {
    for (int i = 0; i < 20; ++i) {
      const auto data = pattern(random_(), 65536);
      must(mounted_->write(file.inode, file.content.size(), data));
      file.content.insert(file.content.end(), data.begin(), data.end());
    }
  }
  void truncate(File& file) {
    const uint64_t size = random_.one_in(5) ? 0 : random_.one_in(3) ? random_.below(3000) : random_.below(limit_);
    SetAttributes request;
    request.inode = file.inode;
    request.size = size;
    ASSERT_EQ(must(mounted_->set_attributes(request)).size, size);
    file.content.resize(size);
  }
  void zero(File& file) {
    const uint64_t offset = random_.below(limit_), bytes = length();
    const bool grow = random_.one_in(2);
    must(mounted_->zero_range(file.inode, offset, bytes, grow));
    if (grow && file.content.size() < offset + bytes) file.content.resize(offset + bytes);
    const uint64_t end = std::min<uint64_t>(file.content.size(), offset + bytes);
    for (uint64_t at = offset; at < end; ++at) file.content[at] = 0;
  }
  void read(File& file) {
    const uint64_t offset = random_.below(limit_);
    std::vector<uint8_t> seen(length());
    const size_t count = must(mounted_->read(file.inode, offset, seen));
    const uint64_t there = file.content.size() > offset ? file.content.size() - offset : 0;
    ASSERT_EQ(count, std::min<uint64_t>(there, seen.size()));
    ASSERT_TRUE(std::equal(seen.begin(), seen.begin() + static_cast<std::ptrdiff_t>(count),
                           file.content.begin() + static_cast<std::ptrdiff_t>(count == 0 ? 0 : offset)));
  }
  void check(File& file) {
    ASSERT_EQ(must(mounted_->get_attributes(file.inode)).size, file.content.size());
    const auto seen = read_all(*mounted_, file.inode);
    const auto [a, b] = std::mismatch(seen.begin(), seen.end(), file.content.begin(), file.content.end());
    ASSERT_TRUE(seen == file.content) << "first difference at " << (a - seen.begin());
  }

  Cluster& cluster_;
  Random random_;
  const FilesystemOptions options_;
  const uint64_t limit_ = 700000;
  std::unique_ptr<Filesystem> mounted_;
  std::vector<File> files_;
};

void run(Cluster& cluster, uint64_t first_seed, uint64_t seeds, const FilesystemOptions& options) {
  for (uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomRun random(cluster, Random(seed), options);
    for (int step = 0; step < 300; ++step) {
      random.step();
      if (testing::Test::HasFatalFailure()) return;
      if (step % 100 == 99) random.reopen();
    }
    random.check_all();
    random.reopen();
    random.check_all();
    random.close();
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(FilesystemRandomTest, AgreesWithAModelWithTheDefaultClass) {
  Cluster cluster;
  run(cluster, 1, 12, {});
}

TEST(FilesystemRandomTest, AgreesWithAModelWithTinyCellsAndImpatientFlushes) {
  Cluster cluster({.chunkservers = 4, .policy = {2, 1}, .cell_bytes = 4096});
  FilesystemOptions options;
  options.flush_after = 2ms;
  options.dirty_bytes = 2 << 20;
  options.cache_bytes = 1 << 20;
  run(cluster, 100, 12, options);
}

}  // namespace
}  // namespace cairn

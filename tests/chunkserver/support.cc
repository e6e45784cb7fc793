#include "tests/chunkserver/support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "common/base/random.h"

namespace cairn::test {

TemporaryDirectory::TemporaryDirectory() {
  std::string path = (std::filesystem::temp_directory_path() / "cairn-chunkserver-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp " + path);
  path_ = path;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;  // the test has its verdict; what is left lies in /tmp
  std::filesystem::remove_all(path_, ignored);
}

namespace {

RecordHeader header_of(const RecordShape& shape) {
  RecordHeader header;
  header.shape = {.code = {4, 2}, .cell_bytes = shape.cell_bytes, .present = 15};
  header.shape.header_bytes = header_bytes_for(shape.owners, shape.cell_bytes);
  header.data_bytes = shape.data_bytes;
  return header;
}

}  // namespace

uint64_t stride_of(const RecordShape& shape) { return header_of(shape).shape.stride(); }

std::vector<uint8_t> make_record(ShardKey key, uint64_t place, RecordShape shape, uint64_t content,
                                 Incarnation incarnation) {
  RecordHeader header = header_of(shape);
  header.incarnation = incarnation;
  header.chunk = key.chunk;
  header.shard = key.shard;
  header.place = place;
  header.writer_epoch = Epoch{1};
  for (uint32_t i = 0; i < shape.owners; ++i) {
    header.owners.push_back({.inode = InodeId{2 + i}, .offset = i * 16ull, .position = i * 16, .length = 16});
  }
  uint64_t blocks = (shape.data_bytes + kBlockBytes - 1) / kBlockBytes;
  std::vector<uint8_t> record(header.shape.header_bytes + blocks * kBlockBytes);
  std::span<uint8_t> cell = std::span(record).subspan(header.shape.header_bytes, shape.data_bytes);
  Random random(content);
  for (size_t i = 0; i + 8 <= cell.size(); i += 8) {
    uint64_t word = random();
    std::memcpy(cell.data() + i, &word, 8);
  }
  make_tags(header, cell);
  encode_header(header, std::span(record).first(header.shape.header_bytes));
  return record;
}

class FaultyFile : public File {
 public:
  FaultyFile(FaultyDisk& disk, std::unique_ptr<File> inner) : disk_(disk), inner_(std::move(inner)) {
    int64_t open = ++disk_.open_files;
    int64_t most = disk_.most_open_files;
    while (open > most && !disk_.most_open_files.compare_exchange_weak(most, open)) {
    }
  }
  ~FaultyFile() override { --disk_.open_files; }
  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> into) override { return inner_->read_at(offset, into); }
  Status write_at(uint64_t offset, std::span<const iovec> pieces) override {
    if (!disk_.fail_writes) return inner_->write_at(offset, pieces);
    iovec half{pieces[0].iov_base, pieces[0].iov_len / 2};
    TRY(inner_->write_at(offset, {&half, 1}));
    return {Errc::no_space, "write: the disk is full, says the test"};
  }
  Status sync_data() override {
    ++disk_.file_syncs;
    disk_.pass_sync_gate();
    if (disk_.fail_syncs) return {Errc::io, "fdatasync fails, says the test"};
    return disk_.skip_syncs ? Status{} : inner_->sync_data();
  }
  Status truncate(uint64_t size) override { return inner_->truncate(size); }
  Status preallocate(uint64_t offset, uint64_t length) override { return inner_->preallocate(offset, length); }
  Status punch(uint64_t offset, uint64_t length) override { return inner_->punch(offset, length); }
  Result<uint64_t> size() override { return inner_->size(); }
  Result<uint64_t> allocated() override { return inner_->allocated(); }
  Result<uint64_t> next_data(uint64_t offset) override { return inner_->next_data(offset); }
  Result<bool> named() override { return inner_->named(); }
  int descriptor() const override { return inner_->descriptor(); }

 private:
  FaultyDisk& disk_;
  std::unique_ptr<File> inner_;
};

void FaultyDisk::hold_syncs() {
  Lock lock(mutex_);
  held_ = true;
}

void FaultyDisk::release_syncs() {
  Lock lock(mutex_);
  held_ = false;
  changed_.notify_all();
}

void FaultyDisk::wait_for_held_syncs(size_t count) {
  Lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_ >= count; });
}

void FaultyDisk::pass_sync_gate() {
  Lock lock(mutex_);
  ++waiting_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return !held_; });
  --waiting_;
}

Result<std::unique_ptr<File>> FaultyDisk::open(const std::string& path, OpenMode mode) {
  if (fail_creates && mode == OpenMode::create_new) return {Errc::no_space, "create: the disk is full, says the test"};
  ASSIGN(std::unique_ptr<File> file, inner_.open(path, mode));
  return std::unique_ptr<File>(std::make_unique<FaultyFile>(*this, std::move(file)));
}

Status FaultyDisk::sync_directory(const std::string& path) {
  ++directory_syncs;
  if (fail_directory_syncs) return {Errc::io, "fsync of a directory fails, says the test"};
  return skip_syncs ? Status{} : inner_.sync_directory(path);
}

Result<DiskSpace> FaultyDisk::space(const std::string& path) {
  ASSIGN(DiskSpace space, inner_.space(path));
  if (free_bytes != UINT64_MAX) space.free_bytes = free_bytes;
  return space;
}

std::vector<std::string> shard_files(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory + "/shards")) {
    if (entry.is_regular_file()) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::unique_ptr<ShardStore> open_store(Disk& disk, const std::string& directory, ShardStoreOptions options) {
  auto store = std::make_unique<ShardStore>(disk, real_clock(), directory, options);
  auto opened = store->open();
  EXPECT_TRUE(opened.ok()) << opened.error().what;
  return store;
}

}  // namespace cairn::test

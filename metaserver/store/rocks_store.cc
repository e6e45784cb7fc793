#include "metaserver/store/rocks_store.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_batch.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdarg>
#include <cstdio>

#include "common/base/thread.h"

namespace cairn {
namespace {

Error error_of(const char* operation, const rocksdb::Status& status) {
  const Errc code = status.IsCorruption() ? Errc::corrupt : status.IsNoSpace() ? Errc::no_space : Errc::io;
  return {code, fmt::format("metadata store: {}: {}", operation, status.ToString())};
}
Status status_of(const char* operation, const rocksdb::Status& status) {
  if (status.ok()) return {};
  return error_of(operation, status);
}
rocksdb::Slice slice_of(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view_of(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Erased rows stay in the way of scans until a compaction: files with many of them are compacted early, and a memtable
// with many is written to a file.
constexpr size_t kErasedWindow = 4096;
constexpr size_t kErasedInWindow = 1024;
constexpr uint64_t kErasedInMemtable = 20'000;

// RocksDB's warnings, in our log. Its own file LOG must not be: with the assertions that Debian's library has, writing
// to it once more after a full disk refused it ends the process.
class WarningsOnly : public rocksdb::Logger {
 public:
  WarningsOnly() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    std::array<char, 1024> line{};
    (void)std::vsnprintf(line.data(), line.size(), format, arguments);
    spdlog::warn("metadata store: {}", line.data());
  }
};

// Recovery from a full disk is ours (resume()). RocksDB's own waits for as much free space as all memtables may take,
// which a small disk never has, and it keeps everybody else from trying.
class NoOwnRecovery : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

rocksdb::Options options_of(const RocksOptions& options, const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;  // so that they count in the cache's bound
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.block_size = 8 << 10;
  table.format_version = 5;
  rocksdb::Options rocks;
  rocks.create_if_missing = true;
  rocks.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  rocks.write_buffer_size = options.memtable_bytes;
  rocks.max_write_buffer_number = 2;
  rocks.max_background_jobs = 2;
  rocks.paranoid_checks = true;
  rocks.paranoid_file_checks = true;         // a file that was just written is read once before it counts
  rocks.avoid_flush_during_shutdown = true;  // stopping flushes by itself; a destructor is like a crash
  rocks.avoid_flush_during_recovery = true;
  rocks.max_open_files = 256;  // each costs memory for its reader
  rocks.info_log = std::make_shared<WarningsOnly>();
  rocks.listeners.push_back(std::make_shared<NoOwnRecovery>());
  rocks.compression = rocksdb::kNoCompression;  // small rows of mostly numbers; reads stay free of inflating
  rocks.level_compaction_dynamic_level_bytes = true;
  rocks.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(kErasedWindow, kErasedInWindow));
  return rocks;
}

}  // namespace

struct RocksStore::State {
  std::shared_ptr<rocksdb::Cache> cache;
  std::unique_ptr<rocksdb::DB> db;
  uint64_t erased = 0;                       // since the last flush that write() began; the writer's
  mutable Mutex mutex;                       // guards current
  std::shared_ptr<const StoreView> current;  // of the newest batch; made once per batch, not once per read
};

namespace {

// A snapshot. Keeps the database open for as long as it lives.
class RocksView : public StoreView {
 public:
  explicit RocksView(std::shared_ptr<rocksdb::DB> db) : db_(std::move(db)) {
    read_.snapshot = db_->GetSnapshot();
    read_.verify_checksums = true;
  }
  ~RocksView() override { db_->ReleaseSnapshot(read_.snapshot); }
  RocksView(const RocksView&) = delete;
  RocksView& operator=(const RocksView&) = delete;

  Result<std::optional<std::string>> get(std::string_view key) const override {
    std::string value;
    const rocksdb::Status status = db_->Get(read_, slice_of(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return error_of("get", status);
    return std::optional<std::string>(std::move(value));
  }

  Status scan(std::string_view from, std::string_view to, const Visit& visit) const override {
    rocksdb::ReadOptions read = read_;
    const rocksdb::Slice upper = slice_of(to);
    if (!to.empty()) read.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> row(db_->NewIterator(read));
    for (row->Seek(slice_of(from)); row->Valid(); row->Next()) {
      if (!visit(view_of(row->key()), view_of(row->value()))) return {};
    }
    return status_of("scan", row->status());
  }

 private:
  std::shared_ptr<rocksdb::DB> db_;
  rocksdb::ReadOptions read_;
};

}  // namespace

RocksStore::RocksStore(std::shared_ptr<State> state) : state_(std::move(state)) {}
RocksStore::~RocksStore() {
  std::shared_ptr<const StoreView> last;
  const Lock lock(state_->mutex);
  last.swap(state_->current);
}

Result<std::unique_ptr<RocksStore>> RocksStore::open(const RocksOptions& options) {
  auto state = std::make_shared<State>();
  state->cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options_of(options, state->cache), options.directory, &db);
  if (!status.ok()) {
    Error error = error_of("open", status);
    error.what += fmt::format(" (in {})", options.directory);
    return error;
  }
  state->db.reset(db);
  state->current = std::make_shared<RocksView>(std::shared_ptr<rocksdb::DB>(state, db));
  return std::unique_ptr<RocksStore>(new RocksStore(std::move(state)));
}

std::shared_ptr<const StoreView> RocksStore::view() const {
  const Lock lock(state_->mutex);
  return state_->current;
}

Status RocksStore::write(const std::vector<StoreWrite>& batch) {
  rocksdb::WriteBatch writes;
  for (const StoreWrite& write : batch) {
    const rocksdb::Status added =
        write.value ? writes.Put(slice_of(write.key), slice_of(*write.value)) : writes.Delete(slice_of(write.key));
    if (!added.ok()) return error_of("batch", added);
    if (!write.value) ++state_->erased;
  }
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  const rocksdb::Status written = state_->db->Write(options, &writes);
  if (!written.ok()) return error_of("write", written);
  if (state_->erased >= kErasedInMemtable) {
    state_->erased = 0;
    rocksdb::FlushOptions in_background;
    in_background.wait = false;
    in_background.allow_write_stall = true;
    // The batch is in: a flush that cannot begin is no failure of it, and whoever flushes next is told why.
    if (const rocksdb::Status begun = state_->db->Flush(in_background); !begun.ok())
      spdlog::warn("{}", error_of("flush", begun).what);
  }
  // Aliasing: the view holds the whole state, so that the database outlives it. The cycle through `current` is cut by
  // the destructor.
  std::shared_ptr<const StoreView> next =
      std::make_shared<RocksView>(std::shared_ptr<rocksdb::DB>(state_, state_->db.get()));
  const Lock lock(state_->mutex);
  state_->current.swap(next);
  return {};
}

Status RocksStore::flush() {
  TRY(resume());  // an earlier failure in the background may have stopped flushes and compactions
  rocksdb::FlushOptions options;
  options.wait = true;
  return status_of("flush", state_->db->Flush(options));
}

// Flushes what is in memory, if anything had failed. Busy: another thread is at it.
Status RocksStore::resume() {
  const rocksdb::Status resumed = state_->db->Resume();
  if (resumed.IsBusy()) return {Errc::no_space, "metadata store: it is being resumed"};
  return status_of("resume", resumed);
}

uint64_t RocksStore::memory_bytes() const {
  uint64_t memtables = 0;
  state_->db->GetIntProperty(rocksdb::DB::Properties::kSizeAllMemTables, &memtables);
  return memtables + state_->cache->GetUsage();
}

uint64_t RocksStore::disk_bytes() const {
  uint64_t bytes = 0;
  state_->db->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &bytes);
  return bytes;
}

}  // namespace cairn

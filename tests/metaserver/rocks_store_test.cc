#include "metaserver/store/rocks_store.h"

#include <gmock/gmock.h>

#include "tests/metaserver/state/ordered_store_suite.h"
#include "tests/metaserver/temp_directory.h"

namespace cairn {
namespace {

std::unique_ptr<RocksStore> open_store(const std::string& directory, uint64_t memtable_bytes = 32u << 20) {
  auto store = RocksStore::open({.directory = directory, .memtable_bytes = memtable_bytes});
  EXPECT_TRUE(store.ok()) << (store.ok() ? "" : store.error().what);
  return store.ok() ? std::move(*store) : nullptr;
}

struct RocksFixture final : StoreFixture {
  RocksFixture() : rocks(open_store(directory.path())) {}
  OrderedStore& store() override { return *rocks; }
  void reopen() override {
    rocks.reset();
    rocks = open_store(directory.path());
  }
  TempDirectory directory;
  std::unique_ptr<RocksStore> rocks;
};
INSTANTIATE_TEST_SUITE_P(Rocks, OrderedStoreTest, testing::Values([] { return std::make_unique<RocksFixture>(); }));

// The memtable is small, so RocksDB flushes when it likes: what is found afterwards is some prefix of the writes, never
// a mixture.
TEST(RocksStoreTest, WithoutAFlushACrashLeavesAPrefixOfTheWrites) {
  TempDirectory directory;
  auto store = open_store(directory.path(), 128 << 10);
  const std::string filler(1000, 'x');
  for (int i = 1; i <= 2000; ++i) {
    const std::string number = std::to_string(i);
    ASSERT_TRUE(
        store->write({{"applied", number}, {"a" + number, filler}, {"b" + std::to_string(i % 7), number}}).ok());
    if (i == 500) {
      ASSERT_TRUE(store->flush().ok());
    }
  }
  store.reset();  // does not flush
  store = open_store(directory.path(), 128 << 10);
  const auto view = store->view();
  const int applied = std::stoi(**view->get("applied"));
  EXPECT_GE(applied, 500);
  for (int i = 1; i <= 2000; ++i) EXPECT_EQ((*view->get("a" + std::to_string(i))).has_value(), i <= applied) << i;
}

TEST(RocksStoreTest, AViewOutlivesItsStore) {
  TempDirectory directory;
  auto store = open_store(directory.path());
  ASSERT_TRUE(store->write({{"k", "v"}}).ok());
  const auto view = store->view();
  ASSERT_TRUE(store->write({{"k", "w"}}).ok());
  store.reset();
  EXPECT_EQ(**view->get("k"), "v");
}

TEST(RocksStoreTest, ASecondProcessIsRefused) {
  TempDirectory directory;
  const auto store = open_store(directory.path());
  const auto second = RocksStore::open({.directory = directory.path()});
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().what, testing::HasSubstr(directory.path()));
}

TEST(RocksStoreTest, DamageOfAFileIsAnError) {
  TempDirectory directory;
  auto store = open_store(directory.path());
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(store->write({{"key" + std::to_string(i), std::string(100, 'v')}}).ok());
  ASSERT_TRUE(store->flush().ok());
  store.reset();
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    if (entry.path().extension() != ".sst") continue;
    std::FILE* file = std::fopen(entry.path().c_str(), "r+b");
    std::fseek(file, 5000, SEEK_SET);
    std::fputs("damage", file);
    std::fclose(file);
  }
  const auto reopened = RocksStore::open({.directory = directory.path()});
  if (!reopened.ok()) return;
  const Status scanned = (*reopened)->view()->scan("", "", [](std::string_view, std::string_view) { return true; });
  EXPECT_EQ(scanned.code(), Errc::corrupt);
}

}  // namespace
}  // namespace cairn

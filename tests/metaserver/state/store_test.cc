// The store in memory and the transaction on top of a store.
#include <random>

#include "metaserver/state/transaction.h"
#include "metaserver/store/memory_store.h"
#include "ordered_store_suite.h"

namespace cairn {
namespace {

struct MemoryFixture final : StoreFixture {
  OrderedStore& store() override { return memory; }
  void reopen() override { memory.crash(0); }  // after a flush nothing is lost
  MemoryStore memory;
};
INSTANTIATE_TEST_SUITE_P(Memory, OrderedStoreTest, testing::Values([] { return std::make_unique<MemoryFixture>(); }));

using Rows = std::map<std::string, std::string>;

Rows rows(const StoreView& view, std::string_view from = {}, std::string_view to = {}) {
  Rows found;
  EXPECT_TRUE(
      view.scan(from, to, [&](std::string_view key, std::string_view value) { return found.emplace(key, value), true; })
          .ok());
  return found;
}

TEST(MemoryStoreTest, ACrashGoesBackToSomeWriteSinceTheLastFlush) {
  std::set<uint64_t> survivors;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    MemoryStore store;
    std::vector<Rows> after;  // each write
    for (int i = 0; i < 6; ++i) {
      ASSERT_TRUE(store
                      .write({{"n", std::to_string(i)},
                              {"k" + std::to_string(i), "x"},
                              {"k" + std::to_string(i - 2), std::nullopt}})
                      .ok());
      after.push_back(rows(*store.view()));
      if (i == 2) {
        ASSERT_TRUE(store.flush().ok());
      }
    }
    store.crash(seed);
    EXPECT_GE(store.writes(), 3u);
    survivors.insert(store.writes());
    EXPECT_EQ(rows(*store.view()), after[store.writes() - 1]);
  }
  EXPECT_EQ(survivors, (std::set<uint64_t>{3, 4, 5, 6}));
}

TEST(TransactionTest, ReadsAndScansSeeTheBatchOverTheStore) {
  MemoryStore store;
  ASSERT_TRUE(store.write({{"a", "1"}, {"c", "3"}, {"e", "5"}}).ok());
  Transaction transaction(store.view());
  transaction.put("b", "2");
  transaction.put("c", "33");
  transaction.erase("e");
  transaction.erase("never there");
  transaction.put("f", "6");
  EXPECT_EQ(rows(transaction), (Rows{{"a", "1"}, {"b", "2"}, {"c", "33"}, {"f", "6"}}));
  EXPECT_EQ(rows(transaction, "b", "f"), (Rows{{"b", "2"}, {"c", "33"}}));
  EXPECT_EQ(*transaction.get("e"), std::nullopt);
  ASSERT_TRUE(store.write(transaction.take()).ok());
  EXPECT_EQ(rows(*store.view()), (Rows{{"a", "1"}, {"b", "2"}, {"c", "33"}, {"f", "6"}}));
}

TEST(TransactionTest, RandomChangesSavepointsAndStopsEqualAMap) {
  std::mt19937_64 random(3);
  MemoryStore store;
  Rows model;
  for (int round = 0; round < 200; ++round) {
    Transaction transaction(store.view());
    for (uint64_t command = random() % 5; command > 0; --command) {
      transaction.savepoint();
      const Rows before = model;
      for (uint64_t i = random() % 10; i > 0; --i) {
        const std::string key(1, static_cast<char>('a' + random() % 20));
        if (random() % 3 == 0) {
          transaction.erase(key);
          model.erase(key);
        } else {
          model[key] = std::to_string(random() % 100);
          transaction.put(key, model[key]);
        }
      }
      if (random() % 3 == 0) {
        transaction.rollback();
        model = before;
      }
      ASSERT_EQ(rows(transaction), model);
      const std::string from(1, static_cast<char>('a' + random() % 20)), to(1, static_cast<char>('a' + random() % 20));
      std::vector<std::string> expected, seen;
      const size_t limit = 1 + random() % 5;
      for (const auto& [key, value] : model) {
        if (key >= from && key < to && expected.size() < limit) expected.push_back(key);
      }
      ASSERT_TRUE(transaction
                      .scan(from, to,
                            [&](std::string_view key, std::string_view) {
                              seen.emplace_back(key);
                              return seen.size() < limit;
                            })
                      .ok());
      ASSERT_EQ(seen, expected);
    }
    ASSERT_TRUE(store.write(transaction.take()).ok());
    ASSERT_EQ(rows(*store.view()), model);
  }
}

}  // namespace
}  // namespace cairn

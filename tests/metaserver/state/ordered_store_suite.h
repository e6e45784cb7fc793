// What every OrderedStore must do, as one suite: instantiate it with a factory.
//
//   INSTANTIATE_TEST_SUITE_P(Memory, OrderedStoreTest, testing::Values([] { return memory_fixture(); }));
//
// A translation unit that includes it must define the tests once: they are in a header so that another test program can
// run them too.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "metaserver/store/ordered_store.h"

namespace cairn {

// A store under test, empty at first. reopen: closes it cleanly and opens it again.
struct StoreFixture {
  virtual ~StoreFixture() = default;
  virtual OrderedStore& store() = 0;
  virtual void reopen() = 0;
};

class OrderedStoreTest : public testing::TestWithParam<std::function<std::unique_ptr<StoreFixture>()>> {
 protected:
  using Rows = std::map<std::string, std::string>;

  void SetUp() override { fixture_ = GetParam()(); }
  OrderedStore& store() { return fixture_->store(); }
  void write(const std::vector<StoreWrite>& batch) {
    const Status status = store().write(batch);
    ASSERT_TRUE(status.ok()) << status.error().what;
  }
  static Rows rows(const StoreView& view, std::string_view from = {}, std::string_view to = {}) {
    Rows found;
    const Status status = view.scan(from, to, [&](std::string_view key, std::string_view value) {
      EXPECT_TRUE(found.empty() || found.rbegin()->first < key) << "not ascending";
      found.emplace(key, value);
      return true;
    });
    EXPECT_TRUE(status.ok());
    return found;
  }
  static std::optional<std::string> get(const StoreView& view, std::string_view key) {
    const auto value = view.get(key);
    EXPECT_TRUE(value.ok());
    return value.ok() ? *value : std::nullopt;
  }

  std::unique_ptr<StoreFixture> fixture_;
};

TEST_P(OrderedStoreTest, AnEmptyStoreHasNothing) {
  EXPECT_EQ(get(*store().view(), "a"), std::nullopt);
  EXPECT_TRUE(rows(*store().view()).empty());
}

TEST_P(OrderedStoreTest, ABatchIsVisibleAndItsLaterEntryWins) {
  write({{"a", "1"}, {"b", "2"}, {"a", "3"}, {"c", "4"}, {"c", std::nullopt}});
  EXPECT_EQ(rows(*store().view()), (Rows{{"a", "3"}, {"b", "2"}}));
  EXPECT_EQ(get(*store().view(), "c"), std::nullopt);
}

TEST_P(OrderedStoreTest, AnEmptyValueIsNotAbsent) {
  write({{"a", ""}});
  EXPECT_EQ(get(*store().view(), "a"), "");
}

TEST_P(OrderedStoreTest, KeysSortAsUnsignedBytesAndMayHoldAny) {
  const std::string zero("a\0b", 3), high("a\xff", 2), low("a\x01", 2);
  write({{high, "3"}, {zero, "1"}, {low, "2"}, {"a", "0"}});
  std::vector<std::string> order;
  for (const auto& [key, value] : rows(*store().view())) order.push_back(value);
  EXPECT_EQ(order, (std::vector<std::string>{"0", "1", "2", "3"}));
}

TEST_P(OrderedStoreTest, AScanTakesItsRangeAndStopsWhenTold) {
  write({{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}});
  EXPECT_EQ(rows(*store().view(), "b", "d"), (Rows{{"b", "2"}, {"c", "3"}}));
  EXPECT_EQ(rows(*store().view(), "bb", ""), (Rows{{"c", "3"}, {"d", "4"}}));
  EXPECT_TRUE(rows(*store().view(), "d", "b").empty());
  int seen = 0;
  EXPECT_TRUE(store().view()->scan("", "", [&](std::string_view, std::string_view) { return ++seen < 2; }).ok());
  EXPECT_EQ(seen, 2);
}

TEST_P(OrderedStoreTest, AViewKeepsWhatItSawWhileTheWriterGoesOn) {
  write({{"a", "old"}, {"b", "old"}});
  const auto before = store().view();
  write({{"a", "new"}, {"b", std::nullopt}, {"c", "new"}});
  EXPECT_TRUE(store().flush().ok());
  EXPECT_EQ(rows(*before), (Rows{{"a", "old"}, {"b", "old"}}));
  EXPECT_EQ(rows(*store().view()), (Rows{{"a", "new"}, {"c", "new"}}));
}

TEST_P(OrderedStoreTest, TheWriterMayWriteInTheMiddleOfAScan) {
  Rows expected;
  for (int i = 100; i < 200; ++i) expected[std::to_string(i)] = "x";
  std::vector<StoreWrite> batch;
  for (const auto& [key, value] : expected) batch.push_back({key, value});
  write(batch);
  Rows seen;
  EXPECT_TRUE(store()
                  .view()
                  ->scan("", "",
                         [&](std::string_view key, std::string_view value) {
                           seen.emplace(key, value);
                           EXPECT_TRUE(store().write({{std::string(key) + "+", "new"}, {"199", std::nullopt}}).ok());
                           return true;
                         })
                  .ok());
  EXPECT_EQ(seen, expected);
}

TEST_P(OrderedStoreTest, WhatWasFlushedIsThereAfterReopening) {
  write({{"a", "1"}, {"b", "2"}});
  write({{"b", std::nullopt}, {"c", std::string(100'000, 'x')}});
  ASSERT_TRUE(store().flush().ok());
  fixture_->reopen();
  EXPECT_EQ(rows(*store().view()), (Rows{{"a", "1"}, {"c", std::string(100'000, 'x')}}));
}

TEST_P(OrderedStoreTest, RandomWritesEqualAMap) {
  std::mt19937_64 random(7);
  Rows model;
  for (int round = 0; round < 300; ++round) {
    std::vector<StoreWrite> batch;
    for (uint64_t i = random() % 8; i > 0; --i) {
      const std::string key = "key" + std::to_string(random() % 40);
      if (random() % 3 == 0) {
        batch.push_back({key, std::nullopt});
        model.erase(key);
      } else {
        batch.push_back({key, std::to_string(random())});
        model[key] = *batch.back().value;
      }
    }
    write(batch);
    if (random() % 20 == 0) {
      ASSERT_TRUE(store().flush().ok());
    }
    if (random() % 60 == 0) {
      ASSERT_TRUE(store().flush().ok());
      fixture_->reopen();
    }
    ASSERT_EQ(rows(*store().view()), model);
  }
}

}  // namespace cairn

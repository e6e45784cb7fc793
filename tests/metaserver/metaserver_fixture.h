// A whole metaserver in this process, over loopback, with its real log and RocksDB in a directory of its own.
//
// It may crash and start again: its directory and port stay. One thread.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>

#include "common/rpc/meta_client.h"
#include "metaserver/metaserver.h"
#include "metaserver/store/rocks_store.h"
#include "tests/metaserver/temp_directory.h"

namespace cairn::test {

class MetaserverFixture : public testing::Test {
 protected:
  MetaserverFixture() { options_.tick = 20ms; }
  void SetUp() override { start(); }
  void TearDown() override { crash(); }

  // With options_ as they are.
  void start() {
    auto store = RocksStore::open({.directory = directory_.path() + "/store"});
    ASSERT_TRUE(store.ok()) << store.error().what;
    store_ = std::move(*store);
    options_.listen = address_;
    options_.log_directory = directory_.path() + "/log";
    options_.seed = 42 + starts_++;
    server_ = std::make_unique<Metaserver>(real_network(), real_clock(), real_disk(), *store_, options_);
    const Status started = server_->start();
    ASSERT_TRUE(started.ok()) << started.error().what;
    address_ = server_->address();
  }
  // Nothing is flushed: what the memtable held is gone.
  void crash() {
    server_.reset();
    store_.reset();
  }
  std::unique_ptr<MetaClient> client(bool mount = false) {
    auto one = std::make_unique<MetaClient>(real_network(), real_clock(), address_);
    const auto grant = one->open_session({.name = "test", .host = "here", .pid = 1, .mount = mount, .nonce = ++nonce_});
    EXPECT_TRUE(grant.ok()) << (grant.ok() ? "" : grant.error().what);
    return one;
  }
  Heartbeat report(uint32_t number) const {
    return {.uuid = fmt::format("uuid-{}", number),
            .address = {"127.0.0.1", static_cast<uint16_t>(1000 + number)},
            .boot = BootId{number},
            .labels = {"site", "rack", fmt::format("host{}", number), ""},
            .total_bytes = uint64_t{100} << 30,
            .free_bytes = uint64_t{60} << 30,
            .incarnation = {},
            .shards = 0,
            .bad_records = 0};
  }
  void heartbeats(MetaClient& meta, uint32_t servers) {
    for (uint32_t i = 1; i <= servers; ++i) {
      const auto answer = meta.heartbeat(report(i));
      ASSERT_TRUE(answer.ok()) << answer.error().what;
      EXPECT_EQ(raw(answer->server), i);
      EXPECT_EQ(answer->incarnation, server_->incarnation());
    }
  }

  TempDirectory directory_;
  MetaserverOptions options_;
  Address address_{"127.0.0.1", 0};
  uint64_t starts_ = 0, nonce_ = 1000;
  std::unique_ptr<RocksStore> store_;
  std::unique_ptr<Metaserver> server_;
};

}  // namespace cairn::test

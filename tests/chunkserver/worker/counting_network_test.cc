#include "chunkserver/worker/counting_network.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/base/thread.h"

namespace cairn {
namespace {

TEST(CountingNetworkTest, WhatPassesItsStreamsIsCounted) {
  const Instant deadline = real_clock().now() + 30s;
  auto listener = real_network().listen({"127.0.0.1", 0});
  ASSERT_TRUE(listener.ok());
  Thread peer("peer", [&] {
    auto stream = (*listener)->accept();
    std::vector<uint8_t> bytes(1000);
    if (stream.ok() && (*stream)->read_exact(bytes, deadline).ok()) {
      const iovec piece{bytes.data(), 700};
      (void)(*stream)->write_all({&piece, 1}, deadline);
    }
  });
  CountingNetwork network(real_network());
  auto stream = network.connect((*listener)->address(), deadline);
  ASSERT_TRUE(stream.ok());
  std::vector<uint8_t> bytes(1000);
  const iovec pieces[2] = {{bytes.data(), 400}, {bytes.data(), 600}};
  ASSERT_TRUE((*stream)->write_all(pieces, deadline).ok());
  Stream* const waited[] = {stream->get()};
  EXPECT_EQ(*network.wait_readable(waited, deadline), 0u);
  ASSERT_TRUE((*stream)->read_exact(std::span(bytes).first(300), deadline).ok());
  size_t rest = 0;
  while (rest < 400) rest += *(*stream)->read_some(bytes, deadline);
  EXPECT_EQ(network.sent(), 1000u);
  EXPECT_EQ(network.received(), 700u);
  peer.join();
}

}  // namespace
}  // namespace cairn

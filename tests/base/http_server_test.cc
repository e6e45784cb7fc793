#include "common/base/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/bytes.h"
#include "common/base/metrics.h"

namespace cairn {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() : server_(real_network(), real_clock(), standard_pages(metrics_, [this] { return trouble_; })) {
    metrics_.counter("cairn_things_total", "Things.").add(5);
    EXPECT_TRUE(server_.start({"127.0.0.1", 0}).ok());
  }
  std::string ask(const std::string& request) {
    const Instant deadline = real_clock().now() + 10s;
    auto stream = real_network().connect(server_.address(), deadline);
    if (!stream.ok()) return stream.error().what;
    const iovec piece{const_cast<char*>(request.data()), request.size()};
    if (const Status sent = (*stream)->write_all({&piece, 1}, deadline); !sent.ok()) return sent.error().what;
    std::string reply;
    uint8_t bytes[512];
    for (;;) {
      const auto n = (*stream)->read_some(bytes, deadline);
      if (!n.ok() || *n == 0) return reply;
      reply += text_of({bytes, *n});
    }
  }

  Metrics metrics_;
  std::string trouble_;
  HttpServer server_;
};

TEST_F(HttpServerTest, MetricsAndHealthAreServed) {
  EXPECT_THAT(ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("\ncairn_things_total 5\n")));
  EXPECT_THAT(ask("GET /healthz?verbose HTTP/1.0\r\n\r\n"), EndsWith("\r\n\r\nok\n"));
}

TEST_F(HttpServerTest, TroubleIs503WithItsReason) {
  trouble_ = "disk 0 has failed";
  EXPECT_THAT(ask("GET /healthz HTTP/1.1\r\n\r\n"), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("disk 0 has failed")));
}

TEST_F(HttpServerTest, WhatIsNotAGetOfAKnownPathIsRefused) {
  EXPECT_THAT(ask("POST /metrics HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(ask("GET /etc/passwd HTTP/1.1\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("/healthz /metrics")));
  EXPECT_THAT(ask("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask("\r\n\r\n"), StartsWith("HTTP/1.1 400"));
}

TEST_F(HttpServerTest, AnEndlessRequestIsCutOff) {
  // The server may close while it is still being sent to, so a reset is as good as the refusal.
  const std::string reply = ask("GET /metrics HTTP/1.1\r\n" + std::string(10000, 'x'));
  EXPECT_THAT(reply, ::testing::Not(HasSubstr("200 OK")));
  EXPECT_THAT(ask("GET /healthz HTTP/1.1\r\n\r\n"), EndsWith("ok\n")) << "and the next one is served";
}

TEST_F(HttpServerTest, StoppingInterruptsARequestThatIsStillComing) {
  auto stream = real_network().connect(server_.address(), real_clock().now() + 10s);
  ASSERT_TRUE(stream.ok());
  server_.stop();
  server_.stop();
}

}  // namespace
}  // namespace cairn

// What every Network does, real or simulated.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "common/base/bytes.h"
#include "common/base/random.h"
#include "common/base/thread.h"
#include "tests/sim/edge_worlds.h"

namespace cairn {
namespace {

class NetworkConformanceTest : public ::testing::TestWithParam<EdgeKind> {
 protected:
  // Two connected streams: one that was asked for here, one that was accepted there.
  struct Pair {
    std::unique_ptr<Stream> near;
    std::unique_ptr<Stream> far;
  };

  NetworkConformanceTest() : world_(GetParam().make()) {}

  Instant soon() const { return world_->clock().now() + 20s; }      // for what should not take time
  Instant shortly() const { return world_->clock().now() + 20ms; }  // for what should time out
  std::unique_ptr<Listener> listen() {
    auto listener = world_->there().listen(world_->listen_there());
    EXPECT_TRUE(listener.ok());
    return std::move(*listener);
  }
  Pair connect(Listener& listener) {
    auto near = world_->here().connect(listener.address(), soon());
    EXPECT_TRUE(near.ok());
    auto far = listener.accept();
    EXPECT_TRUE(far.ok());
    return {std::move(*near), std::move(*far)};
  }
  Pair connect() { return connect(*listen()); }
  static Status send(Stream& stream, std::string_view text, Instant deadline) {
    const iovec piece{const_cast<char*>(text.data()), text.size()};
    return stream.write_all({&piece, 1}, deadline);
  }
  static std::string receive(Stream& stream, size_t length, Instant deadline) {
    std::string text(length, '?');
    const Status read = stream.read_exact({reinterpret_cast<uint8_t*>(text.data()), length}, deadline);
    return read.ok() ? text : read.error().what;
  }
  static std::string noise(size_t length) {
    Random random(length);
    std::string text(length, '\0');
    for (char& c : text) c = static_cast<char>(random());
    return text;
  }

  std::unique_ptr<EdgeWorld> world_;
};

TEST_P(NetworkConformanceTest, BytesGoBothWays) {
  world_->run([&] {
    Pair pair = connect();
    EXPECT_TRUE(send(*pair.near, "ping", soon()).ok());
    EXPECT_EQ(receive(*pair.far, 4, soon()), "ping");
    EXPECT_TRUE(send(*pair.far, "pong", Instant::never()).ok());
    EXPECT_EQ(receive(*pair.near, 4, Instant::never()), "pong");
    EXPECT_FALSE(pair.near->peer().empty());
  });
}

TEST_P(NetworkConformanceTest, MoreThanAnyBufferArrivesInOrder) {
  world_->run([&] {
    for (const bool bounded : {true, false}) {
      Pair pair = connect();
      const std::string sent = noise(8 << 20);
      Thread writer("writer", [&] {
        std::vector<iovec> pieces;  // of uneven sizes, some empty
        for (size_t at = 0, size = 0; at < sent.size(); at += size, size = (size * 7 + 13) % 300'000) {
          size = std::min(size, sent.size() - at);
          pieces.push_back({const_cast<char*>(sent.data()) + at, size});
        }
        EXPECT_TRUE(pair.near->write_all(pieces, bounded ? soon() : Instant::never()).ok());
      });
      EXPECT_TRUE(receive(*pair.far, sent.size(), bounded ? soon() : Instant::never()) == sent);
    }
  });
}

TEST_P(NetworkConformanceTest, AReadEndsAtItsDeadline) {
  world_->run([&] {
    Pair pair = connect();
    uint8_t byte = 0;
    // Near and far deadlines are kept in different ways (tcp_stream.cc).
    for (const Duration patience : {Duration{20ms}, Duration{1020ms}}) {
      const Instant deadline = world_->clock().now() + patience;
      EXPECT_EQ(pair.near->read_some({&byte, 1}, deadline).code(), Errc::timed_out);
      EXPECT_EQ(pair.near->read_exact({&byte, 1}, deadline).code(), Errc::timed_out) << "a passed one";
      EXPECT_GE(world_->clock().now(), deadline);
      EXPECT_LT(world_->clock().now(), deadline + 500ms);
    }
  });
}

TEST_P(NetworkConformanceTest, AWriteThatNobodyReadsEndsAtItsDeadline) {
  world_->run([&] {
    Pair pair = connect();
    EXPECT_EQ(send(*pair.near, std::string(64 << 20, 'x'), shortly()).code(), Errc::timed_out);
  });
}

TEST_P(NetworkConformanceTest, NobodyListeningIsUnavailable) {
  world_->run([&] {
    const Address nobody = listen()->address();  // closed at once
    EXPECT_EQ(world_->here().connect(nobody, soon()).code(), Errc::unavailable);
    EXPECT_EQ(world_->here().connect({"no-such-host.invalid", 1}, soon()).code(), Errc::unavailable);
  });
}

TEST_P(NetworkConformanceTest, APortIsGivenAndATakenOneRefused) {
  world_->run([&] {
    auto first = listen();
    EXPECT_NE(first->address().port, 0);
    EXPECT_FALSE(world_->there().listen(first->address()).ok());
  });
}

TEST_P(NetworkConformanceTest, TheEndIsSeenBehindTheLastByte) {
  world_->run([&] {
    Pair pair = connect();
    ASSERT_TRUE(send(*pair.near, "bye", soon()).ok());
    pair.near.reset();
    EXPECT_EQ(receive(*pair.far, 3, soon()), "bye");
    uint8_t byte = 0;
    EXPECT_EQ(*pair.far->read_some({&byte, 1}, soon()), 0u);
    EXPECT_EQ(pair.far->read_exact({&byte, 1}, soon()).code(), Errc::unavailable) << "in the middle of a message";
  });
}

TEST_P(NetworkConformanceTest, WritingToOneWhoIsGoneBecomesUnavailable) {
  world_->run([&] {
    Pair pair = connect();
    pair.far.reset();
    Status sent;
    for (int i = 0; i < 100'000 && sent.ok(); ++i) sent = send(*pair.near, noise(1000), soon());
    ASSERT_FALSE(sent.ok());
    EXPECT_EQ(sent.code(), Errc::unavailable);
  });
}

TEST_P(NetworkConformanceTest, ShuttingDownWakesABlockedReader) {
  world_->run([&] {
    Pair pair = connect();
    for (const bool bounded : {true, false}) {
      Pair other = connect();
      Thread reader("reader", [&] {
        uint8_t byte = 0;
        EXPECT_EQ(other.near->read_some({&byte, 1}, bounded ? soon() : Instant::never()).code(), Errc::unavailable);
      });
      other.near->shut_down();
      reader.join();
      EXPECT_EQ(send(*other.near, "x", soon()).code(), Errc::unavailable);
    }
  });
}

TEST_P(NetworkConformanceTest, ShuttingDownWakesABlockedWriter) {
  world_->run([&] {
    Pair pair = connect();
    std::atomic<bool> writing = false;
    Thread writer("writer", [&] {
      writing = true;
      EXPECT_EQ(send(*pair.near, std::string(64 << 20, 'x'), Instant::never()).code(), Errc::unavailable);
    });
    uint8_t byte = 0;
    EXPECT_TRUE(pair.far->read_exact({&byte, 1}, soon()).ok()) << "the writer has begun";
    pair.near->shut_down();
  });
}

TEST_P(NetworkConformanceTest, ShuttingDownAListenerWakesAccept) {
  world_->run([&] {
    auto listener = listen();
    Thread acceptor("acceptor", [&] {
      EXPECT_EQ(listener->accept().code(), Errc::unavailable);
      EXPECT_EQ(listener->accept().code(), Errc::unavailable) << "for good";
    });
    listener->shut_down();
  });
}

TEST_P(NetworkConformanceTest, AFileIsSentAndWhatIsBehindItsEndAsZeros) {
  world_->run([&] {
    auto file = world_->disk().open(world_->root() + "/file", OpenMode::create);
    ASSERT_TRUE(file.ok());
    const std::string text = noise(300'000);
    const iovec piece{const_cast<char*>(text.data()), text.size()};
    ASSERT_TRUE((*file)->write_at(8192, {&piece, 1}).ok());
    const std::string whole = std::string(8192, '\0') + text;
    for (const bool bounded : {true, false}) {
      Pair pair = connect();
      Thread sender("sender", [&] {
        const Instant deadline = bounded ? soon() : Instant::never();
        EXPECT_TRUE(pair.near->send_file(**file, 4096, 4096 + 100'000, deadline).ok());
        EXPECT_TRUE(pair.near->send_file(**file, 300'000, 200'000, deadline).ok()) << "partly behind the end";
        EXPECT_TRUE(pair.near->send_file(**file, 1 << 20, 10, deadline).ok()) << "wholly";
        EXPECT_TRUE(send(*pair.near, "end", deadline).ok());
      });
      EXPECT_TRUE(receive(*pair.far, 104'096, soon()) == whole.substr(4096, 104'096));
      std::string tail = whole.substr(300'000);
      tail.resize(200'010);
      EXPECT_TRUE(receive(*pair.far, 200'010, soon()) == tail);
      EXPECT_EQ(receive(*pair.far, 3, soon()), "end");
    }
  });
}

TEST_P(NetworkConformanceTest, ASendOfAFileThatNobodyReadsEndsAtItsDeadline) {
  world_->run([&] {
    auto file = world_->disk().open(world_->root() + "/file", OpenMode::create);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->truncate(64 << 20).ok());
    Pair pair = connect();
    EXPECT_EQ(pair.near->send_file(**file, 0, 64 << 20, shortly()).code(), Errc::timed_out);
  });
}

TEST_P(NetworkConformanceTest, OfSeveralStreamsTheReadableOneIsNamed) {
  world_->run([&] {
    auto listener = listen();
    std::vector<Pair> pairs;
    std::vector<Stream*> streams;
    for (int i = 0; i < 5; ++i) {
      pairs.push_back(connect(*listener));
      streams.push_back(pairs.back().near.get());
    }
    EXPECT_EQ(world_->here().wait_readable(streams, shortly()).code(), Errc::timed_out);
    Thread sender("sender", [&] { EXPECT_TRUE(send(*pairs[3].far, "x", soon()).ok()); });
    const auto ready = world_->here().wait_readable(streams, soon());
    ASSERT_TRUE(ready.ok());
    EXPECT_EQ(*ready, 3u);
    EXPECT_EQ(*world_->here().wait_readable(streams, soon()), 3u) << "until it is read";
    EXPECT_EQ(receive(*streams[3], 1, soon()), "x");
    pairs[1].far.reset();
    EXPECT_EQ(*world_->here().wait_readable(streams, soon()), 1u) << "an end is readable";
  });
}

INSTANTIATE_TEST_SUITE_P(Edges, NetworkConformanceTest,
                         ::testing::Values(EdgeKind{"Real", make_real_world},
                                           EdgeKind{"Forgetful", make_forgetful_world},
                                           EdgeKind{"Simulated", make_simulated_world}),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace cairn

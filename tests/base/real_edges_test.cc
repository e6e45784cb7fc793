// What only the real edges have: descriptors, signals, names. What they share with the simulated ones is in
// tests/sim/*_conformance_test.cc.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "common/base/disk.h"
#include "common/base/log.h"
#include "common/base/network.h"

namespace cairn {
namespace {

bool closes_on_exec(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

TEST(RealEdgesTest, DescriptorsAreNotInheritedByChildren) {
  std::string path = (std::filesystem::temp_directory_path() / "cairn_real_XXXXXX").string();
  const int made = ::mkstemp(path.data());
  ASSERT_GE(made, 0);
  ::close(made);
  auto file = real_disk().open(path, OpenMode::read_write);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(closes_on_exec((*file)->descriptor()));
  EXPECT_TRUE(real_disk().remove(path).ok());

  auto listener = real_network().listen({"127.0.0.1", 0});
  ASSERT_TRUE(listener.ok());
  auto near = real_network().connect((*listener)->address(), real_clock().now() + 10s);
  auto far = (*listener)->accept();
  ASSERT_TRUE(near.ok() && far.ok());
  EXPECT_TRUE(closes_on_exec((*near)->descriptor()));
  EXPECT_TRUE(closes_on_exec((*far)->descriptor()));
}

TEST(RealEdgesTest, HostsMayBeNamesOrNumbers) {
  auto listener = real_network().listen({"localhost", 0});
  ASSERT_TRUE(listener.ok()) << listener.error().what;
  for (const char* host : {"localhost", "127.0.0.1", "::1"}) {
    const Address address{host, (*listener)->address().port};
    const auto stream = real_network().connect(address, real_clock().now() + 10s);
    if (std::string(host) == "localhost") {
      ASSERT_TRUE(stream.ok()) << stream.error().what;
      EXPECT_EQ((*stream)->peer(), address.text());
    } else if (!stream.ok()) {
      EXPECT_EQ(stream.code(), Errc::unavailable) << "localhost is one of the two";
    }
  }
}

TEST(RealEdgesTest, AWriteToABrokenConnectionRaisesNoSignal) {
  (void)real_network();
  struct sigaction action {};
  ASSERT_EQ(::sigaction(SIGPIPE, nullptr, &action), 0);
  EXPECT_EQ(action.sa_handler, SIG_IGN) << "sendfile cannot be told not to raise it";
}

TEST(RealEdgesTest, ADeadlineThatHasPassedStillConnectsNobody) {
  const auto stream = real_network().connect({"192.0.2.1", 9}, real_clock().now() + 10ms);  // TEST-NET: nobody
  ASSERT_FALSE(stream.ok());
  EXPECT_THAT(stream.code(), ::testing::AnyOf(Errc::timed_out, Errc::unavailable));
}

TEST(LogTest, AnUnknownLevelNamesTheKnownOnes) {
  EXPECT_TRUE(set_up_logging("base_test", "warn").ok());
  const Status refused = set_up_logging("base_test", "loud");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Errc::invalid);
  EXPECT_THAT(refused.error().what, ::testing::AllOf(::testing::HasSubstr("loud"), ::testing::HasSubstr("debug")));
}

}  // namespace
}  // namespace cairn

#include "common/base/daemon.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(DaemonTest, ConnectionsAreAsManyAsWantedWhereDescriptorsSuffice) {
  EXPECT_EQ(connections_that_fit({.connections_wanted = 4096}, 20'000).value(), 4096u);
}

TEST(DaemonTest, ConnectionsAndFilesOfAllServersFitTogether) {
  const DescriptorPlan plan{.servers = 3, .files_each = 512, .for_each_connection = 2, .connections_wanted = 4096};
  for (const uint64_t descriptors : {2000u, 4096u, 10'000u, 25'000u, 30'000u}) {
    const auto connections = connections_that_fit(plan, descriptors);
    ASSERT_TRUE(connections.ok()) << descriptors;
    EXPECT_LE(3 * (512 + 2 * uint64_t{*connections}), descriptors);
    EXPECT_LE(*connections, 4096u);
  }
  EXPECT_EQ(connections_that_fit(plan, 30'000).value(), 4096u);
  EXPECT_GT(connections_that_fit(plan, 25'000).value(), 3500u);
}

TEST(DaemonTest, TooFewDescriptorsToBeOfUseAreAnErrorThatSaysHowManyWouldDo) {
  const auto few = connections_that_fit({.files_each = 1000, .connections_wanted = 4096}, 1024);
  ASSERT_EQ(few.code(), Errc::invalid);
  EXPECT_NE(few.error().what.find("1080"), std::string::npos) << few.error().what;
  EXPECT_EQ(connections_that_fit({.files_each = 1000, .connections_wanted = 4096}, 1080).value(), 16u);
}

}  // namespace
}  // namespace cairn

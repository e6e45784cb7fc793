#include "tools/cairn/verdict.h"

#include <gmock/gmock.h>

#include "tools/cairn/status_json.h"

namespace cairn::tools {
namespace {

using testing::HasSubstr;

ClusterStatus six_servers() {
  ClusterStatus status;
  status.survivable_losses = 2;
  for (uint32_t i = 1; i <= 6; ++i) {
    ServerInfo server;
    server.server = ServerId{i};
    server.address = {"10.0.0." + std::to_string(i), 7000};
    server.labels.host = "h" + std::to_string(i);
    server.health = Health::up;
    status.servers.push_back(server);
  }
  status.classes.push_back({kDefaultClass, "default", {4, 2}, 262144, "host"});
  return status;
}

TEST(VerdictTest, AllUpIsHealthyWithNothingToDo) {
  const Verdict verdict = verdict_of(six_servers());
  EXPECT_EQ(verdict.condition, Condition::healthy);
  EXPECT_EQ(verdict.advice, "");
  EXPECT_THAT(verdict.what, HasSubstr("2 more servers may be lost"));
}

TEST(VerdictTest, MissingShardsAreNeverGreen) {
  ClusterStatus status = six_servers();
  status.missing_shards = 3;
  EXPECT_EQ(verdict_of(status).condition, Condition::degraded);
}

TEST(VerdictTest, ASilentServerIsNamedAlthoughNothingDependsOnIt) {
  ClusterStatus status = six_servers();
  status.servers[4].health = Health::suspect;
  const Verdict verdict = verdict_of(status);
  EXPECT_EQ(verdict.condition, Condition::degraded);
  EXPECT_THAT(verdict.what, HasSubstr("5 (10.0.0.5:7000)"));
  EXPECT_NE(verdict.advice, "");
}

TEST(VerdictTest, UnreadableDataIsSaidBeforeAllElse) {
  ClusterStatus status = six_servers();
  status.missing_shards = 9;
  status.unreadable_chunks = 1;
  status.survivable_losses = -1;
  for (int i = 0; i < 3; ++i) status.servers[i].health = Health::down;
  const Verdict verdict = verdict_of(status);
  EXPECT_EQ(verdict.condition, Condition::unavailable);
  EXPECT_THAT(verdict.what, HasSubstr("1 chunk cannot be read now"));
}

TEST(VerdictTest, TooFewHostsForTheParityMeansNoNewData) {
  ClusterStatus status = six_servers();
  for (ServerInfo& server : status.servers) server.labels.host = server.server < ServerId{4} ? "a" : "b";
  const Verdict verdict = verdict_of(status);
  EXPECT_EQ(verdict.condition, Condition::unavailable);
  EXPECT_THAT(verdict.what, HasSubstr("needs 3"));
  status.servers.clear();
  EXPECT_EQ(verdict_of(status).condition, Condition::unavailable);
}

TEST(VerdictTest, ShortenedChunksAreLowerEfficiencyAndNotRisk) {
  ClusterStatus status = six_servers();
  status.shortened_chunks = 4;
  EXPECT_EQ(verdict_of(status).condition, Condition::healthy);
  EXPECT_THAT(verdict_of(status).what, HasSubstr("4 chunks"));
}

TEST(VerdictTest, JsonHasTheNamesThatScriptsRead) {
  ClusterStatus status = six_servers();
  status.missing_shards = 5;
  const auto json = to_json(status, {"10.0.0.9", 7001});
  EXPECT_EQ(json.at("missing_shards"), 5);
  EXPECT_EQ(json.at("metaserver"), "10.0.0.9:7001");
  EXPECT_EQ(json.at("verdict"), "degraded");
  EXPECT_EQ(json.at("servers").size(), 6u);
  EXPECT_EQ(json.at("servers")[0].at("health"), "up");
}

}  // namespace
}  // namespace cairn::tools

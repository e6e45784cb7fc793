#include "tools/cairn/dev_state.h"

#include <gmock/gmock.h>

namespace cairn::tools {
namespace {

DevState example() {
  DevState state;
  state.policy = "ec(2,1)";
  state.cell = "64K";
  state.mountpoint = "/mnt/with blank";
  state.metaserver = {4001, {11, 222, "boot-a"}};
  state.chunkservers = {{4002, {12, 223, "boot-a"}}, {0, {}}};
  return state;
}

TEST(DevStateTest, ComesBackAsItWasWritten) {
  const Result<DevState> back = decode_dev_state(encode(example()));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(encode(*back), encode(example()));
  EXPECT_EQ(back->metaserver.process.start_ticks, 222u);
  EXPECT_EQ(back->chunkservers.size(), 2u);
}

TEST(DevStateTest, EveryTruncationIsAnError) {
  const std::string text = encode(example());
  for (size_t length = 0; length + 2 < text.size(); ++length) {
    const Result<DevState> back = decode_dev_state(text.substr(0, length));
    ASSERT_FALSE(back.ok()) << length;
    EXPECT_EQ(back.code(), Errc::invalid);
  }
}

TEST(DevStateTest, WrongTypesAndOtherVersionsAreErrors) {
  for (const char* text : {"[]", "{}", "null", "{\"version\": 2}", "{\"version\": \"1\"}"}) {
    EXPECT_FALSE(decode_dev_state(text).ok()) << text;
  }
}

}  // namespace
}  // namespace cairn::tools

#include "chunkserver/identity.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/chunkserver/support.h"

namespace cairn {
namespace {

TEST(IdentityTest, IsMadeOnceAndReadBack) {
  test::TemporaryDirectory directory;
  std::string uuid;
  {
    auto made = IdentityFile::open(real_disk(), directory.path(), 7);
    ASSERT_TRUE(made.ok()) << made.error().what;
    uuid = (*made)->get().uuid;
    EXPECT_EQ(uuid.size(), 36u);
    EXPECT_EQ(uuid[14], '4');
    EXPECT_EQ((*made)->check(Incarnation{1}).code(), Errc::unavailable);
    ASSERT_TRUE((*made)->adopt(Incarnation{0xabc}, ServerId{5}).ok());
  }
  auto again = IdentityFile::open(real_disk(), directory.path(), 8);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)->get().uuid, uuid);
  EXPECT_EQ((*again)->get().incarnation, Incarnation{0xabc});
  EXPECT_EQ((*again)->get().server, ServerId{5});
}

TEST(IdentityTest, TheTextOfFormatOneStays) {
  Identity identity{"1b4e28ba-2fa1-41d2-883f-0016d3cca427", Incarnation{0x5c77c972a01b2c3d}, ServerId{7}};
  std::string text =
      "# The identity of this data directory of a cairn-chunkserver. Do not edit or copy it.\n"
      "format = 1\nuuid = \"1b4e28ba-2fa1-41d2-883f-0016d3cca427\"\nincarnation = \"5c77c972a01b2c3d\"\nserver = 7\n";
  EXPECT_EQ(encode_identity(identity), text);
  auto decoded = decode_identity(text);
  ASSERT_TRUE(decoded.ok()) << decoded.error().what;
  EXPECT_EQ(decoded->uuid, identity.uuid);
  EXPECT_EQ(decoded->incarnation, identity.incarnation);
  EXPECT_EQ(decoded->server, identity.server);
}

TEST(IdentityTest, ANumberThatIsNoIntegerIsRefused) {
  for (const char* number : {"5e+88", "1.0", "inf", "\"1\"", "true"}) {
    std::string text = encode_identity({make_uuid(1), Incarnation{1}, ServerId{1}});
    text.replace(text.find("server = 1"), std::string::npos, std::string("server = ") + number);
    EXPECT_EQ(decode_identity(text).code(), Errc::invalid) << number;
  }
}

TEST(IdentityTest, RefusesAnotherClusterAndAnotherServersCallsNamingBoth) {
  test::TemporaryDirectory directory;
  auto identity = IdentityFile::open(real_disk(), directory.path(), 7);
  ASSERT_TRUE((*identity)->adopt(Incarnation{0xabc}, ServerId{5}).ok());
  EXPECT_TRUE((*identity)->check(Incarnation{0xabc}).ok());
  EXPECT_TRUE((*identity)->check(Incarnation{0xabc}, ServerId{5}).ok());
  EXPECT_EQ((*identity)->check(Incarnation{0xabc}, ServerId{6}).code(), Errc::stale_boot);
  Status other = (*identity)->check(Incarnation{0xdef});
  EXPECT_EQ(other.code(), Errc::stale_epoch);
  EXPECT_NE(other.error().what.find("abc"), std::string::npos);
  EXPECT_NE(other.error().what.find("def"), std::string::npos);
  EXPECT_EQ((*identity)->adopt(Incarnation{0xdef}, ServerId{5}).code(), Errc::stale_epoch);
  EXPECT_EQ((*identity)->get().incarnation, Incarnation{0xabc});
}

TEST(IdentityTest, AMissingIdentityBesideShardsIsNotReplaced) {
  test::TemporaryDirectory directory;
  std::filesystem::create_directories(directory.path() + "/shards");
  EXPECT_EQ(IdentityFile::open(real_disk(), directory.path(), 7).code(), Errc::invalid);
}

TEST(IdentityTest, CutAndFlippedTextNeverCrashesAndNeverChangesTheCluster) {
  std::string text = encode_identity({make_uuid(1), Incarnation{0xabcdef0123}, ServerId{9}});
  ASSERT_TRUE(decode_identity(text).ok());
  size_t last_field = text.find("server");
  for (size_t i = 0; i < last_field; ++i) EXPECT_FALSE(decode_identity(text.substr(0, i)).ok());
  for (size_t i = 0; i < text.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = text;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      (void)decode_identity(flipped);  // must return; a flipped digit is another valid number
    }
  }
  EXPECT_FALSE(decode_identity("").ok());
  EXPECT_FALSE(decode_identity("format = 2\nuuid = \"" + make_uuid(1) + "\"\nincarnation = \"1\"\nserver = 1\n").ok());
}

TEST(IdentityTest, WhatIsAcceptedCanBeWrittenAgain) {
  const std::string uuid = "1b4e28ba-2fa1-41d2-883f-0016d3cca4\\\"7";  // 36 characters, with a quote among them
  EXPECT_FALSE(decode_identity("format = 1\nuuid = \"" + uuid + "\"\nincarnation = \"1\"\nserver = 1\n").ok());
}

TEST(IdentityTest, AnUnreadableFileStopsTheStart) {
  test::TemporaryDirectory directory;
  std::ofstream(directory.path() + "/identity.toml") << "uuid = [";
  auto opened = IdentityFile::open(real_disk(), directory.path(), 7);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.code(), Errc::invalid);
  EXPECT_NE(opened.error().what.find("identity.toml"), std::string::npos);
}

}  // namespace
}  // namespace cairn

#include "chunkserver/shard_name.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(ShardNameTest, NamesAreAsDocumentedAndReadBack) {
  ShardKey key{ChunkId{0x125f}, 3};
  EXPECT_EQ(folder_name(key.folder()), "5f");
  EXPECT_EQ(file_name({key, ShardState::open, 0}), "000000000000125f-03.open");
  EXPECT_EQ(file_name({key, ShardState::failed, 0}), "000000000000125f-03.failed");
  EXPECT_EQ(file_name({key, ShardState::sealed, 0x410000}), "000000000000125f-03-410000.sealed");
  for (ShardName name :
       {ShardName{key, ShardState::open, 0}, ShardName{key, ShardState::failed, 0},
        ShardName{key, ShardState::sealed, 0}, ShardName{{ChunkId{UINT64_MAX}, 39}, ShardState::sealed, 1u << 30}}) {
    EXPECT_EQ(parse_file_name(file_name(name)), name);
  }
}

TEST(ShardNameTest, WhateverIsNotExactlyANameIsRefused) {
  for (const char* text :
       {"", "x", "identity.toml", "000000000000125f-03", "000000000000125f-03.", "000000000000125f-03.ope",
        "000000000000125f-03.opened", "000000000000125f-03.sealed", "000000000000125f-03-.sealed",
        "000000000000125f-03-0410000.sealed", "000000000000125F-03.open", "000000000000125f-3.open",
        "000000000000125f_03.open", "000000000000125f-03-zz.sealed", "000000000000125f-03-10.open",
        "000000000000125f-03-11111111111111111.sealed", "00000000000125f-003.open", "+00000000000125f-03.open",
        "000000000000125f-03.open "}) {
    EXPECT_FALSE(parse_file_name(text)) << text;
  }
}

TEST(ShardNameTest, ACutOrFlippedNameNeverReadsAsTheSameShard) {
  ShardName name{{ChunkId{0xabcdef}, 5}, ShardState::sealed, 0x1000};
  std::string text = file_name(name);
  for (size_t i = 0; i < text.size(); ++i) {
    EXPECT_NE(parse_file_name(text.substr(0, i)), name);
    std::string flipped = text;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    EXPECT_NE(parse_file_name(flipped), name);
  }
}

}  // namespace
}  // namespace cairn

// A data directory's names and its identity file.
#include "chunkserver/identity.h"

#include "chunkserver/shard_name.h"
#include "common/base/bytes.h"
#include "tests/fuzz/fuzz.h"

namespace cairn::fuzz {
namespace {

void one(Bytes bytes) {
  const std::string text(text_of(bytes));
  if (const auto name = parse_file_name(text)) require(file_name(*name) == text, "a name is written as it was read");

  const auto identity = decode_identity(text);
  if (!identity.ok()) return require(identity.code() == Errc::invalid, "a wrong identity is invalid");
  const auto again = decode_identity(encode_identity(*identity));
  require(again.ok(), "an identity that was accepted can be written and read again");
  require(
      again->uuid == identity->uuid && again->incarnation == identity->incarnation && again->server == identity->server,
      "an identity is read as it was written");
}

std::vector<std::string> seeds() {
  return {encode_identity({make_uuid(1), Incarnation{0x5c77c972a01b2c3d}, ServerId{7}}),
          encode_identity({make_uuid(2), {}, {}}),
          "format = 1\nuuid = '1b4e28ba-2fa1-41d2-883f-0016d3cca427'\nincarnation = \"0\"\nserver = 0x10\n",
          "format = 1\nuuid = \"1b4e28ba-2fa1-41d2-883f-0016d3cca4\\\"7\"\nincarnation = \"ff\"\nserver = 1\n",
          "format = 5e+88\nuuid = \"1b4e28ba-2fa1-41d2-883f-0016d3cca427\"\nincarnation = \"0\"\nserver = 1\n",
          file_name({{ChunkId{0x125f}, 3}, ShardState::open, 0}),
          file_name({{ChunkId{0x125f}, 3}, ShardState::failed, 0}),
          file_name({{ChunkId{0x125f}, 3}, ShardState::sealed, 0x410000})};
}

const Registered registered{{"identity", one, seeds}};

}  // namespace
}  // namespace cairn::fuzz

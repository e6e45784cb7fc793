// Extents of a message or a row: what valid() lets through can be computed with.
#include "common/base/bytes.h"
#include "common/rpc/wire.h"
#include "tests/fuzz/fuzz.h"

namespace cairn::fuzz {
namespace {

constexpr uint64_t kMaxPieces = 100'000;  // of one extent: kMaxShardBytes in cells of 4096, and more than that

Extent any_extent(Input& input) {
  Extent extent;
  extent.shape.code = {static_cast<uint8_t>(input.mostly(1 + input.below(32))),
                       static_cast<uint8_t>(input.mostly(input.below(9)))};
  extent.shape.cell_bytes = input.mostly(kBlockBytes << input.below(9));
  extent.shape.header_bytes = input.mostly(kBlockBytes * (1 + input.below(5)));
  const bool possible = extent.shape.code.d >= 1 && extent.shape.code.d <= kMaxDataShards;
  extent.shape.present = input.flip() || !possible ? static_cast<uint32_t>(input.number()) : extent.shape.all_present();
  extent.chunk = ChunkId{input.mostly<uint64_t>(1)};
  extent.place = input.mostly(uint64_t{kBlockBytes} * input.u16());
  extent.position = input.flip() ? input.number() : 0;
  extent.length = input.number();
  extent.offset = input.number();
  return extent;
}

void check_pieces(const Extent& extent) {
  const auto ranges = cells_of(extent);
  require(ranges.size() <= kMaxPieces * kMaxDataShards, "an extent has a bounded number of pieces");
  uint64_t length = 0;
  for (const CellRange& range : ranges) {
    require(range.cell < extent.shape.code.d && range.length > 0, "a piece lies in a data cell");
    require(uint64_t{range.offset} + range.length <= extent.shape.cell_bytes, "and within it");
    require((extent.shape.present >> range.cell & 1) != 0, "and that cell is stored");
    require(range.place >= extent.place && range.place + extent.shape.stride() <= kMaxShardBytes, "within the shard");
    length += range.length;
  }
  require(length == extent.length, "the pieces are the whole extent");
}

void check_cut(const Extent& extent, uint64_t at) {
  if (at <= extent.offset || at >= extent.end()) return;
  const Extent left = extent.part(extent.offset, at);
  const Extent right = extent.part(at, extent.end());
  require(valid(left) && valid(right), "parts of a valid extent are valid");
  require(left.joins(right), "and join again");
}

void one(Bytes bytes) {
  Input input(bytes);
  const Extent extent = any_extent(input);
  const auto back = from_wire(to_wire(extent));
  if (!valid(extent)) return require(!back.ok(), "an impossible extent does not come in");
  require(back.ok() && *back == extent, "an extent survives the way out and back");
  if (extent.length / extent.shape.cell_bytes < 4096) check_pieces(extent);
  check_cut(extent, extent.offset + input.number() % extent.length);
}

std::vector<std::string> seeds() {
  using namespace std::string_literals;
  return {"\x03\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x00\x40\x01\x20"s,
          "\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01\x00\x00\x10\x00\x01\x05\x8c\x00\x20"s, std::string(24, '\x00')};
}

const Registered registered{{"geometry", one, seeds}};

}  // namespace
}  // namespace cairn::fuzz

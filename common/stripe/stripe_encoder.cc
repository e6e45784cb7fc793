#include "common/stripe/stripe_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

namespace cairn {

namespace {

// Parity and tags are made slice by slice, so that the bytes are in cache when they are looked at again.
constexpr uint32_t kSlice = 32u << 10;

uint64_t total_bytes(std::span<const iovec> pieces) {
  uint64_t total = 0;
  for (const iovec& piece : pieces) total += piece.iov_len;
  return total;
}

uint32_t round_down(uint32_t bytes) { return bytes / kBlockBytes * kBlockBytes; }
uint32_t round_up(uint32_t bytes) { return round_down(bytes + kBlockBytes - 1); }

void ensure(Buffer& buffer, size_t size) {
  if (buffer.size() < size) buffer = Buffer(size);
}

iovec piece_of(const uint8_t* data, size_t bytes) {
  return {const_cast<uint8_t*>(data), bytes};
}  // sent, never written

}  // namespace

Result<StripeShape> shape_of(const StripeData& stripe, Code code) {
  StripeShape shape{code, stripe.cell_bytes, kBlockBytes, 1};
  if (!valid(shape))
    return Error{Errc::invalid, fmt::format("a stripe of code ({},{}) with cells of {} bytes is not possible", code.d,
                                            code.m, stripe.cell_bytes)};
  const uint64_t bytes = total_bytes(stripe.pieces);
  if (stripe.first_cell >= code.d || bytes == 0 || bytes > uint64_t{code.d - stripe.first_cell} * stripe.cell_bytes) {
    return Error{Errc::invalid, fmt::format("{} bytes do not fit a stripe of {} cells of {} bytes from cell {}", bytes,
                                            code.d, stripe.cell_bytes, stripe.first_cell)};
  }
  if (stripe.owners.size() > kMaxOwners)
    return Error{Errc::invalid, fmt::format("a stripe cannot have {} owners", stripe.owners.size())};
  for (const Owner& owner : stripe.owners) {
    const uint64_t first = uint64_t{stripe.first_cell} * stripe.cell_bytes;
    if (owner.length == 0 || owner.position < first || uint64_t{owner.position} + owner.length > first + bytes ||
        owner.offset > INT64_MAX - uint64_t{owner.length}) {
      return Error{Errc::invalid, "an owner's range is not within its stripe's data"};
    }
  }
  const auto cells = static_cast<uint32_t>((bytes + stripe.cell_bytes - 1) / stripe.cell_bytes);
  shape.present = static_cast<uint32_t>(((uint64_t{1} << cells) - 1) << stripe.first_cell);
  shape.header_bytes = header_bytes_for(static_cast<uint32_t>(stripe.owners.size()), stripe.cell_bytes);
  return shape;
}

StripeEncoder::StripeEncoder(Code code)
    : code_(ErasureCode::of(code)),
      cells_(code.shards()),
      gathered_(code.d),
      last_block_(kBlockBytes),
      records_of_(code.shards()) {}

std::span<const StripeEncoder::Record> StripeEncoder::encode(const Identity& identity, const StripeShape& shape,
                                                             const StripeData& stripe) {
  assert(shape.code == code_->code());
  ensure(headers_, size_t{shape.code.shards()} * shape.header_bytes);
  ensure(parity_, size_t{shape.code.m} * shape.cell_bytes);
  lay_out_cells(shape, stripe);
  for (uint32_t shard = 0; shard < shape.code.shards(); ++shard) {
    RecordHeader& header = records_of_[shard];
    header = {};
    header.incarnation = identity.incarnation;
    header.chunk = identity.chunk;
    header.place = identity.place;
    header.shard = static_cast<uint8_t>(shard);
    header.shape = shape;
    header.data_bytes = cells_[shard].bytes;
    header.writer_epoch = identity.writer_epoch;
    header.owners = stripe.owners;
  }
  make_parity_and_tags(shape);
  records_.clear();
  for (uint32_t shard = 0; shard < shape.code.shards(); ++shard) {
    if (cells_[shard].data != nullptr) add_record(shape, shard);
  }
  return records_;
}

void StripeEncoder::lay_out_cells(const StripeShape& shape, const StripeData& stripe) {
  const Code code = shape.code;
  std::fill(cells_.begin(), cells_.end(), Cell{});
  uint64_t left = total_bytes(stripe.pieces);
  uint32_t longest = 0;
  size_t piece = 0, offset = 0;  // where the next cell begins
  for (uint32_t cell = stripe.first_cell; left > 0; ++cell) {
    const auto bytes = static_cast<uint32_t>(std::min<uint64_t>(left, shape.cell_bytes));
    while (offset == stripe.pieces[piece].iov_len) ++piece, offset = 0;
    const iovec& first = stripe.pieces[piece];
    const bool whole = first.iov_len - offset >= bytes;
    cells_[cell] = {whole ? static_cast<const uint8_t*>(first.iov_base) + offset
                          : gather(cell, shape.cell_bytes, stripe.pieces, piece, offset, bytes),
                    bytes};
    offset += bytes;
    while (piece < stripe.pieces.size() && offset > stripe.pieces[piece].iov_len)
      offset -= stripe.pieces[piece++].iov_len;
    longest = std::max(longest, bytes);
    left -= bytes;
    last_ = cell;
  }
  if (partial()) {
    const Cell& last = cells_[last_];
    const uint32_t whole_blocks = round_down(last.bytes);
    std::memset(last_block_.data(), 0, kBlockBytes);
    std::memcpy(last_block_.data(), last.data + whole_blocks, last.bytes - whole_blocks);
  }
  for (uint32_t parity = 0; parity < code.m; ++parity) {
    cells_[code.d + parity] = {parity_.data() + size_t{parity} * shape.cell_bytes, longest};
  }
}

const uint8_t* StripeEncoder::gather(uint32_t cell, uint32_t cell_bytes, std::span<const iovec> pieces, size_t piece,
                                     size_t offset, uint32_t bytes) {
  ensure(gathered_[cell], cell_bytes);
  uint8_t* to = gathered_[cell].data();
  while (bytes > 0) {
    const auto length = static_cast<uint32_t>(std::min<size_t>(bytes, pieces[piece].iov_len - offset));
    if (length > 0) std::memcpy(to, static_cast<const uint8_t*>(pieces[piece].iov_base) + offset, length);
    to += length;
    bytes -= length;
    ++piece;
    offset = 0;
  }
  return gathered_[cell].data();
}

void StripeEncoder::make_parity_and_tags(const StripeShape& shape) {
  const Code code = shape.code;
  uint32_t longest = 0;
  for (const Cell& cell : cells_) longest = std::max(longest, cell.bytes);
  std::array<const uint8_t*, kMaxDataShards> data;
  std::array<uint8_t*, kMaxParityShards> parity;
  for (uint32_t from = 0, to = 0; from < round_up(longest); from = to) {
    // A slice ends where the last cell's whole blocks end, and the padded block is a slice of its own.
    to = std::min(from + kSlice, round_up(longest));
    const uint32_t boundary = round_down(cells_[last_].bytes);
    if (from < boundary) to = std::min(to, boundary);
    if (from == boundary && partial()) to = boundary + kBlockBytes;
    for (uint32_t i = 0; i < code.d; ++i) {
      const Cell& cell = cells_[i];
      data[i] = cell.data == nullptr || from >= cell.bytes ? nullptr
                : i == last_ && from >= boundary           ? last_block_.data()
                                                           : cell.data + from;
    }
    for (uint32_t i = 0; i < code.m; ++i) parity[i] = parity_.data() + size_t{i} * shape.cell_bytes + from;
    code_->encode({data.data(), code.d}, {parity.data(), code.m}, to - from);
    for (uint32_t shard = 0; shard < code.shards(); ++shard) {
      const Cell& cell = cells_[shard];
      if (cell.data != nullptr && from < cell.bytes) {
        append_tags(records_of_[shard], {cell.data + from, std::min(to, cell.bytes) - from});
      }
    }
  }
}

void StripeEncoder::add_record(const StripeShape& shape, uint32_t shard) {
  const Cell& cell = cells_[shard];
  const std::span<uint8_t> header = headers_.span().subspan(size_t{shard} * shape.header_bytes, shape.header_bytes);
  encode_header(records_of_[shard], header);
  Record record{
      static_cast<uint8_t>(shard), shape.header_bytes + round_up(cell.bytes), {piece_of(header.data(), header.size())}};
  if (shard == last_ && partial()) {
    if (round_down(cell.bytes) > 0) record.pieces.push_back(piece_of(cell.data, round_down(cell.bytes)));
    record.pieces.push_back(piece_of(last_block_.data(), kBlockBytes));
  } else {
    record.pieces.push_back(piece_of(cell.data, round_up(cell.bytes)));  // parity: made to the end of its last block
  }
  records_.push_back(std::move(record));
}

}  // namespace cairn

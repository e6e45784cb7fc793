#include "common/tasks/operator.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "common/base/checksum.h"

namespace cairn::tasks {
namespace {

constexpr uint32_t kMagic = 0x50545243;  // "CRTP"
constexpr uint16_t kVersion = 1;         // of all partials: raised when any of them is encoded otherwise

uint64_t fingerprint_of(const Job& job) {
  ByteWriter out;
  out.u16(kVersion).string(job.op).u32(static_cast<uint32_t>(job.arguments.size()));
  for (const auto& [name, text] : job.arguments) out.string(name).string(text);
  for (const InputFile& file : job.files) out.string(file.name).u64(file.size).string(file.head);
  return XXH3_64bits(out.view().data(), out.size());
}

}  // namespace

Status Partial::map(const Split& split, const PieceOfFile& piece) {
  if (split.file >= files_.size() || split.begin > split.end || split.end > files_[split.file].size)
    return {Errc::invalid,
            fmt::format("split {} .. {} of file {} is outside of the job", split.begin, split.end, split.file)};
  if (split.begin == 0 && split.starts_inside_quotes)
    return {Errc::invalid, files_[split.file].name + ": a file does not begin inside quotes"};
  return split.begin == split.end ? Status{} : visit(split, piece);
}

Status Partial::visit(const Split&, const PieceOfFile&) {
  return {Errc::invalid, "this operator works on files, and maps no bytes"};
}

Status Partial::write(const TextSink& sink, bool json_lines) {
  ASSIGN(const Table table, finish());
  return sink(text_of(table, json_lines));
}

Status StreamPartial::visit(const Split& split, const PieceOfFile& piece) {
  TRY(start(split));
  for (uint64_t at = split.begin; at < split.end;) {
    ASSIGN(const std::string_view bytes, piece(at, split.end));
    if (bytes.empty())
      return {Errc::io, fmt::format("{}: offset {}: the bytes up to {} are missing; is it being changed?",
                                    files_[split.file].name, at, split.end)};
    if (bytes.size() > split.end - at)
      return {Errc::invalid,
              fmt::format("{}: more bytes than the split to {} has", files_[split.file].name, split.end)};
    feed(bytes);
    at += bytes.size();
  }
  return close();
}

Status Partial::work(const Split&, FileWork&) {
  return {Errc::invalid, "this operator maps bytes, and does no work on files"};
}

Operator::Operator(const Job& job) : files_(job.files), fingerprint_(fingerprint_of(job)) {}

std::string encode_partial(const Operator& op, const Partial& partial) {
  ByteWriter out;
  out.u32(kMagic).u16(kVersion).u64(op.fingerprint());
  partial.encode(out);
  return out.u32(crc32c(bytes_of(out.view()))).take();
}

Result<std::unique_ptr<Partial>> decode_partial(const Operator& op, std::string_view bytes) {
  constexpr size_t kTail = 4;
  if (bytes.size() < kTail || bytes.size() > kMaxPartialBytes) return {Errc::corrupt, "a partial of impossible length"};
  ByteReader tail(bytes.substr(bytes.size() - kTail));
  bytes.remove_suffix(kTail);
  if (tail.u32() != crc32c(bytes_of(bytes))) return {Errc::corrupt, "a partial is damaged: its checksum does not fit"};
  ByteReader in(bytes);
  if (in.u32() != kMagic) return {Errc::corrupt, "these bytes are no partial"};
  if (const uint16_t version = in.u16(); version != kVersion)
    return {Errc::invalid, fmt::format("a partial of version {}; this program has version {}", version, kVersion)};
  if (in.u64() != op.fingerprint()) return {Errc::invalid, "a partial of another job"};
  std::unique_ptr<Partial> partial = op.empty();
  if (!partial->decode(in) || !in.done()) return {Errc::corrupt, "a partial that no worker can have made"};
  return partial;
}

}  // namespace cairn::tasks

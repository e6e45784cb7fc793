#include "client/cache/cache_segment.h"

#include <fmt/format.h>

#include <array>

#include "common/base/bytes.h"

namespace cairn {

namespace {

iovec vector_of(std::span<const uint8_t> bytes) { return {const_cast<uint8_t*>(bytes.data()), bytes.size()}; }

}  // namespace

Result<std::shared_ptr<CacheSegment>> CacheSegment::create(Disk& disk, const std::string& path) {
  ASSIGN(std::unique_ptr<File> file, disk.open(path, OpenMode::create_new));
  return std::shared_ptr<CacheSegment>(new CacheSegment(path, std::move(file)));
}

Result<CacheSegment::Found> CacheSegment::open(Disk& disk, const std::string& path) {
  ASSIGN(std::unique_ptr<File> file, disk.open(path, OpenMode::read_only));
  Found found{std::shared_ptr<CacheSegment>(new CacheSegment(path, std::move(file))), {}};
  ASSIGN(found.segment->size_, found.segment->file_->size());
  Result<std::vector<CacheRecord>> records = found.segment->read_index(found.segment->size_);
  if (!records.ok()) records = found.segment->scan(found.segment->size_);
  if (!records.ok()) return records.error();
  found.records = std::move(records).value();
  return found;
}

Result<std::vector<CacheRecord>> CacheSegment::read_index(uint64_t file_bytes) const {
  if (file_bytes < kIndexTailBytes) return Error{Errc::corrupt, "too short for an index"};
  std::array<uint8_t, kIndexTailBytes> tail{};
  ASSIGN(const size_t got, file_->read_at(file_bytes - tail.size(), tail));
  ASSIGN(const uint64_t length, cache_index_bytes(std::span(tail).first(got)));
  if (length > file_bytes) return Error{Errc::corrupt, "an index longer than its file"};
  std::vector<uint8_t> index(length);
  ASSIGN(const size_t read, file_->read_at(file_bytes - length, index));
  return decode_cache_index(std::span<const uint8_t>(index).first(read), file_bytes - length);
}

Result<std::vector<CacheRecord>> CacheSegment::scan(uint64_t file_bytes) const {
  std::vector<CacheRecord> records;
  std::array<uint8_t, kCacheRecordBytes> header{};
  for (uint64_t at = 0; at + kCacheRecordBytes <= file_bytes;) {
    ASSIGN(const size_t got, file_->read_at(at, header));
    const Result<CacheRecord> record = decode_cache_record(std::span<const uint8_t>(header).first(got));
    if (!record.ok() || at + kCacheRecordBytes + record->length > file_bytes) break;  // a torn tail
    records.push_back(*record);
    at += kCacheRecordBytes + record->length;
  }
  return records;
}

Status CacheSegment::append(std::span<const Outgoing> batch) {
  std::string headers;
  uint64_t bytes = 0;
  for (const Outgoing& outgoing : batch) headers += encode_cache_record(outgoing.record);
  std::vector<iovec> pieces;
  for (size_t i = 0; i < batch.size(); ++i) {
    pieces.push_back(vector_of(bytes_of(headers).subspan(i * kCacheRecordBytes, kCacheRecordBytes)));
    pieces.push_back(vector_of(batch[i].piece));
    bytes += kCacheRecordBytes + batch[i].piece.size();
  }
  if (const Status written = file_->write_at(size_, pieces); !written.ok()) {
    (void)file_->truncate(size_);  // a part of them is of no use
    return written;
  }
  size_ += bytes;
  for (const Outgoing& outgoing : batch) written_.push_back(outgoing.record);
  return {};
}

Status CacheSegment::seal() {
  const std::string index = encode_cache_index(written_);
  written_ = {};
  const iovec piece = vector_of(bytes_of(index));
  TRY(file_->write_at(size_, {&piece, 1}));
  size_ += index.size();
  return {};
}

Status CacheSegment::read(const CacheRecord& record, uint64_t offset, std::span<uint8_t> out) const {
  ASSIGN(const size_t got, file_->read_at(offset, out));
  if (got == record.length && got == out.size() &&
      piece_checksum(record.incarnation, record.key, out) == record.checksum)
    return {};
  return Error{Errc::corrupt, fmt::format("{} at {}: not what was cached there", path_, offset)};
}

bool CacheSegment::named() const {
  const Result<bool> named = file_->named();
  return !named.ok() || *named;  // unknown: whoever reads or writes will see
}

}  // namespace cairn

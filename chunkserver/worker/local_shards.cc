#include "chunkserver/worker/local_shards.h"

#include <fcntl.h>

#include <algorithm>

namespace cairn {
namespace {

Status read_with_zeros(File& file, uint64_t offset, std::span<uint8_t> into) {
  if (into.empty()) return {};
  ASSIGN(const size_t got, file.read_at(offset, into));
  std::fill(into.begin() + static_cast<ptrdiff_t>(got), into.end(), uint8_t{0});
  return {};
}

// A hint: what cannot be dropped (dirty, or no real file) is read from where it is.
void drop_from_page_cache(File& file, const ReadCall& call) {
  if (file.descriptor() < 0) return;
  const uint64_t length = uint64_t{call.header_bytes} + call.cell_offset + call.cell_bytes;
  (void)::posix_fadvise(file.descriptor(), static_cast<off_t>(call.place), static_cast<off_t>(length),
                        POSIX_FADV_DONTNEED);
}

}  // namespace

Status LocalShards::read(const ReadCall& call, std::span<uint8_t> header_into, std::span<uint8_t> cell_into) {
  ASSIGN(const std::shared_ptr<File> shard, file({call.shard.chunk, call.shard.shard}));
  if (cold_) drop_from_page_cache(*shard, call);
  TRY(read_with_zeros(*shard, call.place, header_into));
  return read_with_zeros(*shard, call.place + call.header_bytes + call.cell_offset, cell_into);
}

Result<std::shared_ptr<File>> LocalShards::file(ShardKey key) {
  const auto found = std::ranges::find_if(open_, [&](const OpenFile& one) { return one.key == key; });
  if (found != open_.end()) {
    open_.splice(open_.begin(), open_, found);
    return open_.front().file;
  }
  ASSIGN(std::shared_ptr<File> opened, open(key));
  open_.push_front({key, opened});
  if (open_.size() > kOpenFiles) open_.pop_back();
  return opened;
}

Result<std::shared_ptr<File>> LocalShards::open(ShardKey key) {
  const std::string folder = shards_ + "/" + folder_name(key.folder());
  for (const ShardState state : {ShardState::open, ShardState::failed}) {
    auto opened = disk_.open(folder + "/" + file_name({key, state, 0}), OpenMode::read_only);
    if (opened.ok()) return std::shared_ptr<File>(std::move(*opened));
    if (opened.code() != Errc::not_found) return opened.error();
  }
  ASSIGN(std::unique_ptr<File> sealed, open_sealed(key, folder));
  return std::shared_ptr<File>(std::move(sealed));
}

// Last: a shard is sealed once, so one that was open a moment ago is found here.
Result<std::unique_ptr<File>> LocalShards::open_sealed(ShardKey key, const std::string& folder) {
  ASSIGN(const std::vector<std::string> names, disk_.list(folder));
  for (const std::string& text : names) {
    const auto name = parse_file_name(text);
    if (name && name->key == key && name->state == ShardState::sealed)
      return disk_.open(folder + "/" + text, OpenMode::read_only);
  }
  return {Errc::not_found, key.text() + " is not in " + folder};
}

}  // namespace cairn

#include "chunkserver/shard_store.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>
#include <queue>

#include "common/probes/rare_path.h"

namespace cairn {
namespace {

constexpr size_t kMaxNamed = 100;  // unknown files in an inventory

}  // namespace

ShardStore::ShardStore(Disk& disk, Clock& clock, std::string directory, ShardStoreOptions options)
    : disk_(disk),
      directory_(std::move(directory)),
      space_(disk, clock, directory_, options.reserve),
      files_(options.open_files) {
  for (uint32_t i = 0; i < kShardFolders; ++i) {
    folders_[i] = std::make_unique<Folder>(disk, files_, directory_ + "/" + kShardsFolder, folder_name(i));
  }
}

Result<StoreInventory> ShardStore::open() {
  std::string shards = directory_ + "/" + kShardsFolder;
  TRY(disk_.make_directories(shards));
  TRY(disk_.sync_directory(directory_));
  ASSIGN(std::vector<std::string> present, disk_.list(shards));
  StoreInventory inventory;
  for (uint32_t i = 0; i < kShardFolders; ++i) {
    if (std::binary_search(present.begin(), present.end(), folder_name(i))) TRY(load(*folders_[i], inventory));
  }
  ASSIGN(DiskSpace space, space_.usable());
  (void)space;  // asked now, so that a disk that cannot say is found at start
  return inventory;
}

Status ShardStore::load(Folder& folder, StoreInventory& inventory) {
  ASSIGN(std::vector<std::string> names, disk_.list(folder.shared.path));
  {
    Lock lock(folder.shared.mutex);
    folder.shared.change();  // what is there may have been made a moment before a crash
  }
  auto report = [&](const std::string& what) {
    ++inventory.unknown;
    if (inventory.unknown_files.size() < kMaxNamed) inventory.unknown_files.push_back(folder.shared.path + "/" + what);
  };
  for (const std::string& text : names) {  // sorted: of a shard's names the sealed one comes first, and wins
    auto name = parse_file_name(text);
    if (!name || &folder_of(name->key) != &folder || folder.shards.count(name->key) != 0) {
      report(text);
      continue;
    }
    uint64_t end = 0;
    bool unreadable = false;
    if (name->state != ShardState::sealed) {
      auto file = disk_.open(folder.shared.path + "/" + text, OpenMode::read_write);
      auto size = file.ok() ? (*file)->size() : Result<uint64_t>(file.error());
      unreadable = !size.ok();
      if (unreadable) report(text + " (" + size.error().what + ")");
      end = unreadable ? 0 : *size;
    }
    if (name->state == ShardState::sealed) {
      ++inventory.sealed;
    } else if (unreadable || name->state == ShardState::failed) {
      ++inventory.failed;
    } else {
      ++inventory.open;
    }
    auto shard = std::make_shared<ShardFile>(folder.shared, *name, end, unreadable, ++serials_);
    Lock lock(folder.shared.mutex);
    folder.shards.emplace(name->key, std::move(shard));
  }
  return {};
}

std::shared_ptr<ShardFile> ShardStore::find(ShardKey key) {
  Folder& folder = folder_of(key);
  Lock lock(folder.shared.mutex);
  auto found = folder.shards.find(key);
  return found == folder.shards.end() ? nullptr : found->second;
}

std::shared_ptr<ShardFile> ShardStore::find_or_make(ShardKey key) {
  Folder& folder = folder_of(key);
  Lock lock(folder.shared.mutex);
  auto& shard = folder.shards[key];
  if (!shard) shard = std::make_shared<ShardFile>(folder.shared, key, ++serials_);
  return shard;
}

void ShardStore::drop(const std::shared_ptr<ShardFile>& shard) {
  Folder& folder = folder_of(shard->key());
  Lock lock(folder.shared.mutex);
  auto found = folder.shards.find(shard->key());
  if (found != folder.shards.end() && found->second == shard) folder.shards.erase(found);
}

Result<uint64_t> ShardStore::append(ShardKey key, uint64_t place, Epoch writer_epoch, std::span<const uint8_t> record,
                                    bool sync) {
  if (const Status admitted = space_.admit(record.size()); !admitted.ok()) {
    reached(RarePath::full_disk);
    return admitted.error();
  }
  for (;;) {
    auto shard = find_or_make(key);
    auto end = shard->append(place, writer_epoch, record);
    if (end.ok()) {
      if (sync) TRY(shard->sync(place + record.size()));
      return end;
    }
    bool was_removed = shard->removed();
    if (was_removed || shard->abandon_if_empty()) drop(shard);
    if (!was_removed) return end.error();
    // Removed between the look-up and its turn: the append comes to a new shard, as if it had come a little later.
  }
}

Result<uint64_t> ShardStore::sync(ShardKey key, uint64_t end) {
  auto shard = find(key);
  if (!shard) return {Errc::not_found, key.text() + " is not here"};
  TRY(shard->sync(end));
  return shard->status().end;
}

Result<std::shared_ptr<File>> ShardStore::file(ShardKey key) {
  auto shard = find(key);
  if (!shard) return {Errc::not_found, key.text() + " is not here"};
  return shard->file();
}

Status ShardStore::seal(ShardKey key, uint64_t committed, Epoch fence) {
  for (;;) {
    auto shard = find_or_make(key);
    Status sealed = shard->seal(committed, fence);
    if (sealed.ok()) return sealed;
    bool was_removed = shard->removed();
    if (was_removed || shard->abandon_if_empty()) drop(shard);
    if (!was_removed) return sealed;
  }
}

Status ShardStore::adopt(ShardKey key, const std::string& path, uint64_t committed) {
  for (;;) {
    auto shard = find_or_make(key);
    Status adopted = shard->adopt(path, committed, ++serials_);
    if (adopted.ok()) return adopted;
    const bool was_removed = shard->removed();
    if (was_removed || shard->abandon_if_empty()) drop(shard);
    if (!was_removed) return adopted;
  }
}

Status ShardStore::punch(ShardKey key, uint64_t place, uint64_t length) {
  auto shard = find(key);
  if (!shard) return {Errc::not_found, key.text() + " is not here"};
  return shard->punch(place, length);
}

Status ShardStore::remove(ShardKey key) {
  ShardFolder& folder = folder_of(key).shared;
  if (auto shard = find(key)) {
    Status removed = shard->remove();
    if (shard->removed()) drop(shard);
    if (removed.ok() || removed.code() != Errc::not_found) return removed;
  }
  // Someone else has removed it, perhaps a moment ago: answered only when that is durable.
  return folder.sync_removal(folder.latest());
}

std::shared_ptr<ShardFile> ShardStore::next_in(Folder& folder, ShardKey after) {
  Lock lock(folder.shared.mutex);
  auto found = folder.shards.upper_bound(after);
  return found == folder.shards.end() ? nullptr : found->second;
}

Result<ShardRows> ShardStore::list(ChunkId after, uint32_t limit) {
  using Next = std::pair<ShardKey, std::shared_ptr<ShardFile>>;
  auto later = [](const Next& a, const Next& b) { return a.first > b.first; };
  std::priority_queue<Next, std::vector<Next>, decltype(later)> queue(later);  // the next shard of each folder
  auto push_next = [&](Folder& folder, ShardKey behind) {
    if (auto shard = next_in(folder, behind)) queue.emplace(shard->key(), std::move(shard));
  };
  for (auto& folder : folders_) push_next(*folder, {after, UINT8_MAX});
  ShardRows page;
  for (; !queue.empty(); queue.pop()) {
    auto [key, shard] = queue.top();
    if (page.rows.size() >= std::max(limit, 1u) && page.rows.back().status.key.chunk != key.chunk) return page;
    auto usage = shard->usage();
    if (usage.ok() || usage.code() != Errc::not_found) {  // not_found: removed meanwhile, or without a file yet
      ShardRow row{shard->status()};
      if (usage.ok()) {
        row.allocated = usage->allocated;
        if (row.status.state == ShardState::sealed) {
          row.status.end = usage->size;
        } else if (usage->size < row.status.end) {
          row.status.failed = true;  // replaced under the server, by an older copy perhaps
        }
      } else {
        spdlog::error("{} cannot be read: {}", key.text(), usage.error().what);
        row.status.failed = true;
      }
      page.rows.push_back(row);
    }
    push_next(folder_of(key), key);
  }
  page.complete = true;
  return page;
}

uint64_t ShardStore::shards() const {
  uint64_t count = 0;
  for (const auto& folder : folders_) {
    Lock lock(folder->shared.mutex);
    count += folder->shards.size();
  }
  return count;
}

std::vector<std::shared_ptr<ShardFile>> ShardStore::shards_in(const Folder& folder) const {
  std::vector<std::shared_ptr<ShardFile>> here;
  Lock lock(folder.shared.mutex);
  here.reserve(folder.shards.size());
  for (const auto& [key, shard] : folder.shards) here.push_back(shard);
  return here;
}

std::vector<ShardStatus> ShardStore::statuses(uint32_t folder) const {
  std::vector<ShardStatus> all;
  for (const auto& shard : shards_in(*folders_[folder])) {
    if (shard->exists()) all.push_back(shard->status());
  }
  return all;
}

Status ShardStore::sync_everything() {
  Status first;
  for (const auto& folder : folders_) {
    for (const auto& shard : shards_in(*folder)) {
      Status synced = shard->sync_all();
      if (!synced.ok() && first.ok()) first = synced;
    }
  }
  return first;
}

}  // namespace cairn

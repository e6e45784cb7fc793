#include "chunkserver/shard_file.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "common/probes/kill_point.h"
#include "common/probes/planted_bug.h"
#include "common/probes/rare_path.h"

namespace cairn {
namespace {

constexpr size_t kCompareBytes = 64u << 10;  // of a repeated append, at a time

uint64_t round_up(uint64_t bytes) { return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes; }

}  // namespace

NameChange ShardFolder::change() { return {names_, names_->advance()}; }

NameChange ShardFolder::latest() {
  Lock lock(mutex);
  return {names_, names_->written()};
}

Status ShardFolder::sync_names(const NameChange& change) {
  Status synced = change.group->wait(change.position, [this] { return disk.sync_directory(path); });
  if (synced.ok()) return synced;
  Lock lock(mutex);
  if (names_ == change.group) names_ = std::make_shared<SharedSync>(1);
  return synced;
}

Status ShardFolder::sync_removal(const NameChange& change) {
  Status synced = sync_names(change);
  return !synced.ok() && synced.code() == Errc::not_found ? Status{} : synced;
}

Status ShardFolder::make() {
  TRY(disk.make_directories(path));
  return disk.sync_directory(parent);
}

Result<std::unique_ptr<File>> ShardFolder::create(const std::string& file_path) {
  auto made = disk.open(file_path, OpenMode::create_new);
  if (made.ok() || made.code() != Errc::not_found) return made;
  TRY(make());
  return disk.open(file_path, OpenMode::create_new);
}

class ShardFile::Turn {
 public:
  explicit Turn(ShardFile& shard) : shard_(&shard) {}
  Turn(Turn&& other) noexcept : shard_(std::exchange(other.shard_, nullptr)) {}
  Turn& operator=(Turn&&) = delete;
  ~Turn() {
    if (shard_ == nullptr) return;
    Lock lock(shard_->folder_.mutex);
    shard_->turn_taken_ = false;
    shard_->folder_.turn_passed.notify_all();
  }

 private:
  ShardFile* shard_;
};

ShardFile::ShardFile(ShardFolder& folder, ShardKey key, FileCache::Serial serial)
    : folder_(folder), key_(key), serial_(serial), name_{.key = key}, sync_(std::make_shared<SharedSync>()) {}

ShardFile::ShardFile(ShardFolder& folder, ShardName name, uint64_t end, bool failed, FileCache::Serial serial)
    : folder_(folder),
      key_(name.key),
      serial_(serial),
      name_(name),
      end_(round_up(end)),
      name_change_(folder.latest()),
      exists_(true),
      failed_(failed || name.state == ShardState::failed) {
  if (!failed_ && name.state == ShardState::open) sync_ = std::make_shared<SharedSync>(end_);
}

Result<ShardFile::Turn> ShardFile::take_turn() {
  Lock lock(folder_.mutex);
  folder_.turn_passed.wait(lock, [this] { return removed_ || !turn_taken_; });
  if (removed_) return {Errc::not_found, key_.text() + " was removed"};
  turn_taken_ = true;
  return Turn(*this);
}

Result<uint64_t> ShardFile::append(uint64_t place, Epoch writer_epoch, std::span<const uint8_t> record) {
  ASSIGN(Turn turn, take_turn());
  TRY(may_append(writer_epoch));
  if (!exists_) TRY(create(name_));
  if (place < end_) {
    if (!planted(PlantedBug::reuse_place)) TRY(compare(place, record));
    reached(RarePath::repeated_append);
    return planted(PlantedBug::reuse_place) ? place + record.size() : end_;
  }
  auto found = file();
  if (!found.ok()) {
    if (found.code() == Errc::corrupt) mark_failed(found.error().what);
    return found.error();
  }
  std::shared_ptr<File> target = std::move(*found);
  iovec piece{const_cast<uint8_t*>(record.data()), record.size()};
  Status written = target->write_at(place, {&piece, 1});
  kill_point(KillPoint::record_written);
  if (!written.ok()) {
    mark_failed(written.error().what);
    return written.error();
  }
  uint64_t end = place + record.size();
  sync_->on_written(end);  // before the end is seen, so that a sync up to it can be asked for
  folder_.files.keep(serial_, std::move(target), sync_);
  Lock lock(folder_.mutex);
  end_ = end;
  fence_ = std::max(fence_, writer_epoch);
  return end;
}

Status ShardFile::may_append(Epoch writer_epoch) {
  if (name_.state == ShardState::sealed || writer_epoch < fence_) reached(RarePath::stale_append);
  if (name_.state == ShardState::sealed) {
    return {Errc::stale_epoch, fmt::format("{} is sealed at {:#x}", key_.text(), name_.committed)};
  }
  if (writer_epoch < fence_) {
    return {Errc::stale_epoch,
            fmt::format("{}: writer epoch {} is behind the fence {}", key_.text(), raw(writer_epoch), raw(fence_))};
  }
  if (!failed_) {
    if (auto failure = sync_->failure()) mark_failed(failure->what);  // of a sync that made room in the FileCache
  }
  if (failed_) return {Errc::io, key_.text() + " has failed and takes no more appends"};
  return {};
}

Status ShardFile::create(ShardName name) {
  auto made = folder_.create(path_of(name));
  if (!made.ok()) {
    if (made.code() == Errc::no_space) return made.error();
    return {Errc::io, "create " + key_.text() + ": " + made.error().what};  // its file must not be there yet
  }
  kill_point(KillPoint::shard_created);
  {
    Lock lock(folder_.mutex);
    name_ = name;
    exists_ = true;
    name_change_ = folder_.change();
    if (name.state == ShardState::sealed) sync_.reset();
  }
  folder_.files.keep(serial_, std::move(*made), name.state == ShardState::open ? sync_ : nullptr);
  return {};
}

Status ShardFile::compare(uint64_t place, std::span<const uint8_t> record) {
  auto other = [&](uint64_t at) {
    return Status{Errc::invalid, fmt::format("{}: append at {:#x} is not what lies there (at {:#x}); the end is {:#x}",
                                             key_.text(), place, at, end_)};
  };
  if (record.size() > end_ - place) return other(end_);
  ASSIGN(std::shared_ptr<File> stored, file());
  std::vector<uint8_t> bytes(std::min(kCompareBytes, record.size()));
  for (size_t done = 0; done < record.size();) {
    std::span<uint8_t> piece(bytes.data(), std::min(bytes.size(), record.size() - done));
    ASSIGN(size_t got, stored->read_at(place + done, piece));
    std::fill(piece.begin() + static_cast<ptrdiff_t>(got), piece.end(), 0);  // behind a torn end
    if (std::memcmp(piece.data(), record.data() + done, piece.size()) != 0) return other(place + done);
    done += piece.size();
  }
  return {};
}

Status ShardFile::rename_to(ShardName name) {
  {
    Lock lock(folder_.mutex);
    name_changing_ = true;
  }
  Status renamed = folder_.disk.rename(path_of(name_), path_of(name));
  Lock lock(folder_.mutex);
  name_changing_ = false;
  folder_.turn_passed.notify_all();
  if (!renamed.ok()) return renamed;
  name_ = name;
  name_change_ = folder_.change();
  return {};
}

void ShardFile::mark_failed(const std::string& why) {
  if (failed_ || name_.state == ShardState::sealed) return;
  spdlog::error("{} takes no more appends: {}", key_.text(), why);
  {
    Lock lock(folder_.mutex);
    failed_ = true;
  }
  // After a restart the page cache would show bytes that the disk never took, so the name remembers the failure.
  Status renamed = rename_to({.key = key_, .state = ShardState::failed});
  if (!renamed.ok()) spdlog::error("{} could not be renamed to .failed: {}", key_.text(), renamed.error().what);
}

void ShardFile::fail(const std::string& why) {
  auto turn = take_turn();
  if (turn.ok()) mark_failed(why);  // otherwise it was removed, and there is nothing to remember
}

Status ShardFile::sync(uint64_t end) {
  std::shared_ptr<SharedSync> bytes;
  NameChange name_change;
  {
    Lock lock(folder_.mutex);
    if (removed_ || !exists_) return {Errc::not_found, key_.text() + " is not here"};
    if (name_.state == ShardState::sealed) return {Errc::stale_epoch, key_.text() + " is sealed"};
    if (failed_) return {Errc::io, key_.text() + " has failed: its last appends may not be stored"};
    if (end > end_) {
      return {Errc::invalid, fmt::format("sync of {} up to {:#x}, but it ends at {:#x}", key_.text(), end, end_)};
    }
    bytes = sync_;
    name_change = name_change_;
  }
  Status synced = bytes->wait(end, [this]() -> Status {
    if (planted(PlantedBug::skip_shard_sync)) return {};
    ASSIGN(std::shared_ptr<File> target, file());
    TRY(target->sync_data());
    ASSIGN(const bool named, target->named());
    return named ? Status{} : Status(lost("was deleted or replaced"));
  });
  kill_point(KillPoint::record_synced);
  if (synced.ok() && !planted(PlantedBug::skip_name_sync)) synced = folder_.sync_names(name_change);
  if (!synced.ok()) {
    reached(RarePath::failed_sync);
    fail(synced.error().what);
  }
  return synced;
}

Status ShardFile::sync_all() {
  uint64_t end = 0;
  {
    Lock lock(folder_.mutex);
    if (removed_ || !exists_ || failed_ || name_.state != ShardState::open) return {};
    end = end_;
  }
  return sync(end);
}

Status ShardFile::seal(uint64_t committed, Epoch fence) {
  ASSIGN(Turn turn, take_turn());
  ShardName sealed{.key = key_, .state = ShardState::sealed, .committed = committed};
  if (name_.state == ShardState::sealed) {
    if (name_.committed != committed) {
      return {Errc::invalid, fmt::format("{} is sealed at {:#x}, not {:#x}", key_.text(), name_.committed, committed)};
    }
    return sync_name_again();
  }
  {
    Lock lock(folder_.mutex);
    fence_ = std::max(fence_, fence);  // holds even if the rename fails
  }
  if (!exists_) {
    TRY(create(sealed));
    return folder_.sync_names(name_change_);
  }
  if (!failed_) {
    // What is committed was synced before its commit; this is for the rest, and a failure cannot take the committed
    // bytes away.
    Status synced = sync_->wait(end_, [this]() -> Status {
      ASSIGN(std::shared_ptr<File> target, file());
      return target->sync_data();
    });
    if (!synced.ok()) mark_failed(synced.error().what);
  }
  if (end_ > round_up(committed)) reached(RarePath::sealed_mid_stripe);
  kill_point(KillPoint::shard_to_seal);
  TRY(rename_to(sealed));
  kill_point(KillPoint::shard_sealed);
  {
    Lock lock(folder_.mutex);
    sync_.reset();
    failed_ = false;  // what is committed is not in doubt, and more is not wanted of a sealed shard
  }
  return folder_.sync_names(name_change_);
}

// A sealed shard's name, if a sync that it was part of has failed: it is given once more, because the disk may have
// lost the first time. In between it is the name of a shard that waits for its seal, which is true as long as nobody
// was told of one.
Status ShardFile::sync_name_again() {
  const ShardName sealed = name_;
  if (name_change_.group->failure() && !name_change_.group->durable(name_change_.position)) {
    {
      Lock lock(folder_.mutex);
      failed_ = true;
    }
    TRY(rename_to({.key = key_, .state = ShardState::failed}));
    TRY(rename_to(sealed));
    Lock lock(folder_.mutex);
    failed_ = false;
  }
  return folder_.sync_names(name_change_);
}

Status ShardFile::adopt(const std::string& path, uint64_t committed, FileCache::Serial serial) {
  ASSIGN(Turn turn, take_turn());
  const ShardName sealed{.key = key_, .state = ShardState::sealed, .committed = committed};
  if (name_.state == ShardState::sealed && name_ != sealed) {
    return {Errc::invalid, fmt::format("{} is sealed at {:#x}, not {:#x}", key_.text(), name_.committed, committed)};
  }
  TRY(folder_.make());
  {
    Lock lock(folder_.mutex);
    name_changing_ = true;
  }
  const Status renamed = folder_.disk.rename(path, path_of(sealed));
  kill_point(KillPoint::shard_adopted);
  FileCache::Serial before = serial;
  {
    Lock lock(folder_.mutex);
    name_changing_ = false;
    folder_.turn_passed.notify_all();
    if (!renamed.ok()) return renamed;
    name_ = sealed;
    name_change_ = folder_.change();
    std::swap(serial_, before);
    sync_.reset();
    exists_ = true;
    failed_ = false;
  }
  folder_.files.forget(before);
  TRY(remove_older_names());
  return folder_.sync_names(name_change_);
}

Status ShardFile::punch(uint64_t place, uint64_t length) {
  ASSIGN(std::shared_ptr<File> target, file());
  ASSIGN(uint64_t size, target->size());
  if (place >= size) return {};
  TRY(target->punch(place, std::min(length, round_up(size) - place)));
  reached(RarePath::hole_punch);
  kill_point(KillPoint::shard_punched);
  return {};
}

// A power cut may have kept the arrival of a rename and not its departure: then the file has its older name too, and
// would stay with it.
Status ShardFile::remove_older_names() {
  for (const ShardState older : {ShardState::open, ShardState::failed}) {
    if (older == name_.state) continue;
    const Status removed = folder_.disk.remove(path_of({.key = key_, .state = older}));
    if (!removed.ok() && removed.code() != Errc::not_found) return removed;
  }
  return {};
}

Status ShardFile::remove() {
  NameChange change;
  {
    ASSIGN(Turn turn, take_turn());
    Status removed;
    if (exists_) {
      TRY(remove_older_names());
      {
        Lock lock(folder_.mutex);
        name_changing_ = true;
      }
      removed = folder_.disk.remove(path_of(name_));
      kill_point(KillPoint::shard_removed);
      if (!removed.ok() && removed.code() == Errc::not_found) removed = {};  // someone did it under this server
    }
    Lock lock(folder_.mutex);
    name_changing_ = false;
    removed_ = removed.ok();
    folder_.turn_passed.notify_all();
    if (!removed.ok()) return removed;
    change = folder_.change();
    lock.unlock();
    folder_.files.forget(serial_);
  }
  return folder_.sync_removal(change);
}

Error ShardFile::lost(const std::string& how) const {
  return {Errc::corrupt, "the file of " + key_.text() + " " + how + ", and not by this server"};
}

Result<std::shared_ptr<File>> ShardFile::file() { return open_file(true); }

Result<ShardFile::Usage> ShardFile::usage() {
  ASSIGN(std::shared_ptr<File> target, open_file(false));
  ASSIGN(uint64_t size, target->size());
  ASSIGN(uint64_t allocated, target->allocated());
  return Usage{round_up(size), allocated};
}

Result<std::shared_ptr<File>> ShardFile::open_file(bool keep) {
  for (;;) {
    ShardName name;
    FileCache::Serial serial = 0;
    std::shared_ptr<SharedSync> sync;
    uint64_t known_end = 0;
    {
      Lock lock(folder_.mutex);
      if (removed_ || !exists_) return {Errc::not_found, key_.text() + " is not here"};
      name = name_;
      serial = serial_;
      sync = sync_;
      known_end = end_;
    }
    if (auto known = keep ? folder_.files.find(serial) : nullptr) {
      const auto named = known->named();
      if (!named.ok() || *named) return known;
      if (name.state != ShardState::sealed) return lost("was deleted or replaced");  // what it is told goes nowhere
      folder_.files.forget(serial);
    }
    auto opened = folder_.disk.open(path_of(name), OpenMode::read_write);
    if (opened.ok() && !keep) return std::shared_ptr<File>(std::move(*opened));
    if (opened.ok()) {
      ASSIGN(const uint64_t size, (*opened)->size());
      if (name.state == ShardState::open && round_up(size) < known_end) return lost("is shorter than it was");
      auto kept = folder_.files.keep(serial, std::move(*opened), std::move(sync));
      Lock lock(folder_.mutex);
      if (!removed_ && serial_ == serial) return kept;
      const bool removed = removed_;
      lock.unlock();
      folder_.files.forget(serial);
      if (!removed) continue;  // another file has taken its place meanwhile
      return {Errc::not_found, key_.text() + " was removed"};
    }
    if (opened.code() != Errc::not_found) return opened.error();
    Lock lock(folder_.mutex);
    folder_.turn_passed.wait(lock, [this] { return !name_changing_; });
    if (name_ == name && !removed_) {  // not renamed meanwhile: the file is really gone, and nobody of us did it
      return lost("has vanished: " + opened.error().what);
    }
  }
}

ShardStatus ShardFile::status() const {
  Lock lock(folder_.mutex);
  return {key_, name_.state, end_, name_.committed, failed_};
}

bool ShardFile::exists() const {
  Lock lock(folder_.mutex);
  return exists_ && !removed_;
}

bool ShardFile::removed() const {
  Lock lock(folder_.mutex);
  return removed_;
}

bool ShardFile::abandon_if_empty() {
  Lock lock(folder_.mutex);
  if (exists_ || turn_taken_) return false;
  removed_ = true;
  folder_.turn_passed.notify_all();
  return true;
}

}  // namespace cairn

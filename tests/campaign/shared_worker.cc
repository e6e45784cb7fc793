#include "tests/campaign/shared_worker.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>

namespace cairn {
namespace {

constexpr size_t kWords = 700;  // more than a block, and more than an inode holds
constexpr size_t kLogRecordWords = 3;
constexpr size_t kLogRecordBytes = kLogRecordWords * sizeof(uint64_t);

std::span<const uint8_t> bytes_of(std::span<const uint64_t> words) {
  return {reinterpret_cast<const uint8_t*>(words.data()), words.size_bytes()};
}
std::span<uint8_t> bytes_of(std::span<uint64_t> words) {
  return {reinterpret_cast<uint8_t*>(words.data()), words.size_bytes()};
}

}  // namespace

SharedWorker::SharedWorker(CairnWorld& world, WorkloadState& state, Filesystem& files, uint64_t client, uint64_t seed)
    : world_(world), state_(state), files_(files), client_(client), random_(seed) {
  for (size_t i = 0; i < registers_.size(); ++i) registers_[i] = open(SharedFiles::register_name(i));
  log_ = open(SharedFiles::kLog);
}

InodeId SharedWorker::open(const std::string& name) {
  auto made = files_.make_node({kRootInode, name, S_IFREG | 0644, 0, 0, 0, {}});
  if (!made.ok() && made.code() == Errc::exists) made = files_.lookup(kRootInode, name);
  return expect("open " + name, std::move(made)).attributes.inode;
}

void SharedWorker::step() {
  world_.sleep(
      Duration(static_cast<int64_t>(random_.below(static_cast<uint64_t>(state_.options.longest_pause.count()) + 1))));
  if (files_.lost_sessions() > 0) call_failed(world_, "the session", {Errc::io, "it was lost"});
  const size_t index = random_.below(registers_.size());
  switch (random_.below(10)) {
    case 0:
    case 1:
    case 2:
      return write(index);
    case 3:
    case 4:
      return append();
    case 5:
      return check_log();
    case 6:
      if (const Status synced = files_.sync(registers_[index]); !synced.ok())
        call_failed(world_, "fsync of a shared file", synced.error());
      return;
    default:
      return read(index);
  }
}

void SharedWorker::write(size_t index) {
  RegisterModel& model = world_.shared().registers[index];
  const uint64_t lives = world_.lives();
  const uint64_t value = model.begin_write(world_.now());
  const double began = world_.story().now();
  const std::vector<uint64_t> words(kWords, value);
  const Status written = files_.write(registers_[index], 0, bytes_of(words));
  note(fmt::format("writes {} to register {}", value, index), began, written);
  if (!written.ok()) call_failed(world_, fmt::format("write to shared register {}", index), written.error());
  if (world_.lives() == lives) model.end_write(value, world_.now());
}

void SharedWorker::read(size_t index) {
  const uint64_t lives = world_.lives();
  const Instant began = world_.now();
  const double began_at = world_.story().now();
  std::vector<uint64_t> words(kWords + 1);
  const Result<size_t> done = files_.read(registers_[index], 0, bytes_of(std::span(words)));
  note(fmt::format("reads {} from register {}", words[0], index), began_at, done.ok() ? Status() : done.error());
  const size_t count = expect(fmt::format("read shared register {}", index), done);
  const Instant ended = world_.now();
  if (world_.lives() != lives) return;
  if (count != 0 && count != kWords * sizeof(uint64_t))
    world_.story().wrong("{}: shared register {} has {} bytes", state_.client, index, count);
  words.resize(kWords);
  if (count != 0 && std::ranges::count(words, words[0]) != static_cast<std::ptrdiff_t>(kWords))
    world_.story().wrong("{}: shared register {} shows a mixture of two writes", state_.client, index);
  if (const auto objection = world_.shared().registers[index].objection(words[0], began, ended)) {
    world_.shared().register_calls.tell(world_.story());
    world_.story().wrong("{}: shared register {}: {}", state_.client, index, *objection);
  }
}

void SharedWorker::note(const std::string& what, double began, const Status& done) {
  world_.shared().register_calls.add(fmt::format("{:.6f} to {:.6f} {} {}{}", began, world_.story().now(), state_.client,
                                                 what, done.ok() ? "" : ": " + done.error().what));
}

void SharedWorker::append() {
  LogModel& model = world_.shared().log;
  const uint64_t lives = world_.lives();
  const LogModel::Record record = model.next(client_);
  const uint64_t words[kLogRecordWords] = {record.client, record.number, record.client ^ ~record.number};
  const uint64_t at = expect("append to the shared log", files_.append(log_, bytes_of(std::span(words))));
  if (at % kLogRecordBytes != 0) world_.story().wrong("{}: a record was appended at {}", state_.client, at);
  if (world_.lives() != lives) return;
  if (model.known().contains(at)) world_.story().wrong("{}: two records were appended at {}", state_.client, at);
  model.appended(at, record);
}

void SharedWorker::check_log() {
  const uint64_t lives = world_.lives();
  const std::map<uint64_t, LogModel::Record> known = world_.shared().log.known();
  const FileModel::Bytes all = expect("read the shared log", [&]() -> Result<FileModel::Bytes> {
    FileModel::Bytes bytes(1u << 20);
    ASSIGN(const size_t count, files_.read(log_, 0, bytes));
    bytes.resize(count);
    return bytes;
  }());
  if (world_.lives() != lives) return;
  if (all.size() % kLogRecordBytes != 0) world_.story().wrong("the shared log has {} bytes", all.size());
  for (const auto& [offset, record] : known) {
    uint64_t words[kLogRecordWords] = {};
    if (offset + kLogRecordBytes > all.size())
      world_.story().wrong("{}: record {} of client {} at {} is not in the shared log of {} bytes", state_.client,
                           record.number, record.client, offset, all.size());
    std::memcpy(words, all.data() + offset, sizeof(words));
    if (words[0] != record.client || words[1] != record.number || words[2] != (words[0] ^ ~words[1]))
      world_.story().wrong("{}: the shared log has {}/{} at {}, and {}/{} was appended there", state_.client, words[0],
                           words[1], offset, record.client, record.number);
  }
}

void SharedWorker::remove_all(CairnWorld& world, Filesystem& files) {
  std::vector<std::string> names = {SharedFiles::kLog};
  for (size_t i = 0; i < SharedFiles::kRegisters; ++i) names.push_back(SharedFiles::register_name(i));
  for (const std::string& name : names) {
    const Status removed = files.unlink(kRootInode, name);
    if (!removed.ok() && removed.code() != Errc::not_found) world.story().must("unlink " + name, removed);
  }
}

}  // namespace cairn

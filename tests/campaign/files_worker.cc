#include "tests/campaign/files_worker.h"

#include <sys/stat.h>

#include <algorithm>

namespace cairn {
namespace {

constexpr int kSyncAgain = 20;  // seconds

}  // namespace

Result<FileModel::Bytes> read_all(Story& story, Filesystem& files, InodeId inode) {
  ASSIGN(const Attributes attributes, files.get_attributes(inode));
  FileModel::Bytes all(attributes.size);
  for (size_t at = 0; at < all.size();) {
    const size_t wanted = std::min<size_t>(all.size() - at, 128u << 10);
    ASSIGN(const size_t count, files.read(inode, at, std::span(all).subspan(at, wanted)));
    if (count == 0) story.wrong("inode {} ends at {}, before its size {}", raw(inode), at, all.size());
    at += count;
  }
  return all;
}

FilesWorker::FilesWorker(CairnWorld& world, WorkloadState& state, Filesystem& files, uint32_t index, uint64_t seed)
    : world_(world), story_(world.story()), state_(state), files_(files), index_(index), random_(seed) {
  for (const auto& [name, file] : directory().names()) {
    open_.push_back({name, file, expect("open " + name, files_.open(file->inode, false))});
  }
}

void FilesWorker::end() {
  for (Open& open : open_) expect("release " + label(open), files_.release(open.handle));
  open_.clear();
}

std::string FilesWorker::label(const Open& open) const {
  return fmt::format("{}/{} (inode {})", state_.directory(index_), open.name, raw(open.file->inode));
}

void FilesWorker::end_if_session_is_lost() {
  if (files_.lost_sessions() > 0) call_failed(world_, "the session", {Errc::io, "it was lost, with what was buffered"});
}

void FilesWorker::failed(const std::string& what, const Error& error) {
  if (error.code == Errc::stale_handle) end_if_session_is_lost();  // an open file without a name ends with its session
  call_failed(world_, what, error);
}

void FilesWorker::step() {
  end_if_session_is_lost();
  world_.sleep(
      Duration(static_cast<int64_t>(random_.below(static_cast<uint64_t>(state_.options.longest_pause.count()) + 1))));
  doing("nothing");
  if (open_.empty()) return create();
  Open& open = open_[random_.below(open_.size())];
  switch (random_.below(20)) {
    case 0:
    case 1:
    case 2:
      write(open, random_.below(state_.options.file_bytes));
      break;
    case 3:
      write(open, open.file->content().size());
      break;
    case 4:
    case 5:
      append(open);
      break;
    case 6:
      truncate(open);
      break;
    case 7:
      random_.one_in(4) ? scatter(open) : zero(open);
      break;
    case 8:
    case 9:
    case 10:
      read(open);
      break;
    case 11:
      check(open);
      break;
    case 12:
    case 13:
    case 14:
      sync(open);
      break;
    case 15:
      random_.one_in(3) ? sync_all() : sync(open);
      break;
    case 16:
      create();
      break;
    case 17:
      rename();
      break;
    case 18:
      random_.one_in(3) ? unlink() : rename();
      break;
    default:
      release_unnamed();
      break;
  }
  doing("nothing");
  ++state_.calls;
}

uint64_t FilesWorker::length() {
  switch (random_.below(5)) {
    case 0:
      return random_.between(1, 200);
    case 1:
      return random_.between(1, 9000);
    case 2:
      return 4096 * random_.between(1, 4);
    case 3:
      return random_.between(1, 40'000);
    default:
      return random_.one_in(4) ? random_.between(1, 150'000) : random_.between(1, 3000);
  }
}

FileModel::Bytes FilesWorker::bytes(uint64_t count) {
  FileModel::Bytes made(count);
  for (uint8_t& byte : made) byte = static_cast<uint8_t>(random_());
  return made;
}

void FilesWorker::write(Open& open, uint64_t offset) {
  const FileModel::Bytes data = bytes(length());
  open.file->write(offset, data);
  doing("write " + label(open));
  expect(fmt::format("write {} [{}, +{})", label(open), offset, data.size()),
         files_.write(open.file->inode, offset, data));
}

// So many extents that they are not released at once when the file goes.
void FilesWorker::scatter(Open& open) {
  for (uint64_t i = random_.between(50, 150); i > 0; --i) {
    const FileModel::Bytes data = bytes(random_.between(1, 20));
    const uint64_t offset = random_.below(state_.options.file_bytes);
    open.file->write(offset, data);
    doing("scatter " + label(open));
    expect(fmt::format("write {} [{}, +{})", label(open), offset, data.size()),
           files_.write(open.file->inode, offset, data));
  }
  sync(open);
}

void FilesWorker::append(Open& open) {
  const FileModel::Bytes data = bytes(length());
  const uint64_t end = open.file->content().size();
  open.file->write(end, data);
  doing("append " + label(open));
  const uint64_t at = expect("append " + label(open), files_.append(open.file->inode, data));
  // Broken: another worker has just been told that bytes are lost.
  if (at != end && !state_.broken) wrong("append {} went to {} and the size is {}", label(open), at, end);
}

void FilesWorker::truncate(Open& open) {
  SetAttributes request;
  request.inode = open.file->inode;
  request.size = random_.one_in(5)   ? 0
                 : random_.one_in(3) ? random_.below(3000)
                                     : random_.below(state_.options.file_bytes);
  open.file->truncate(*request.size);
  doing("truncate " + label(open));
  const Attributes after =
      expect(fmt::format("truncate {} to {}", label(open), *request.size), files_.set_attributes(request));
  if (after.size != *request.size) wrong("truncate {} to {} gives {}", label(open), *request.size, after.size);
}

void FilesWorker::zero(Open& open) {
  const uint64_t offset = random_.below(state_.options.file_bytes), count = length();
  const bool may_grow = random_.one_in(2);
  open.file->zero(offset, count, may_grow);
  doing("zero " + label(open));
  expect("zero " + label(open), files_.zero_range(open.file->inode, offset, count, may_grow));
}

void FilesWorker::read(Open& open) {
  const FileModel::Bytes& known = open.file->content();
  const uint64_t offset = random_.below(state_.options.file_bytes);
  FileModel::Bytes seen(length());
  doing("read " + label(open));
  const size_t count = expect(fmt::format("read {} [{}, +{})", label(open), offset, seen.size()),
                              files_.read(open.file->inode, offset, seen));
  const uint64_t there = known.size() > offset ? std::min<uint64_t>(known.size() - offset, seen.size()) : 0;
  if (count != there) wrong("read {} [{}, +{}) gives {} bytes of {}", label(open), offset, seen.size(), count, there);
  for (uint64_t i = 0; i < count; ++i) {
    if (seen[i] != known[offset + i])
      wrong("read {}: byte {} is {:#04x}, not {:#04x}", label(open), offset + i, seen[i], known[offset + i]);
  }
}

void FilesWorker::check(Open& open) {
  doing("read all of " + label(open));
  const FileModel::Bytes seen = expect("read all of " + label(open), read_all(story_, files_, open.file->inode));
  const FileModel::Bytes& known = open.file->content();
  if (seen.size() != known.size()) wrong("{} has {} bytes, not {}", label(open), seen.size(), known.size());
  const auto [a, b] = std::ranges::mismatch(seen, known);
  if (a != seen.end()) wrong("{}: byte {} is {:#04x}, not {:#04x}", label(open), a - seen.begin(), *a, *b);
}

void FilesWorker::sync(Open& open) {
  const uint64_t mark = open.file->mark();
  doing("fsync " + label(open));
  Status synced = files_.fsync(open.handle);
  // What could not be stored is kept and stored later, unless somebody was told that there is no space for it.
  for (int again = 0; again < kSyncAgain && world_.options().harsh && !synced.ok() && synced.code() == Errc::io;
       ++again) {
    end_if_session_is_lost();
    world_.sleep(1s);
    synced = files_.fsync(open.handle);
  }
  expect("fsync " + label(open), synced);
  open.file->acknowledge(mark);
  ++state_.syncs;
}

void FilesWorker::sync_all() {
  doing("sync_all");
  std::vector<std::pair<FilePointer, uint64_t>> marks;
  for (const DirectoryModel& each : state_.oracle.directories) {
    // A write that is under way is not covered, and whether one is cannot be seen from here: other workers' last
    // change is left out. Their marks may be acknowledged further by themselves meanwhile.
    for (const auto& [name, file] : each.names()) {
      const bool own = &each == &directory();
      marks.emplace_back(file, own ? file->mark() : file->mark() - std::min<uint64_t>(file->mark(), 1));
    }
  }
  expect("sync_all", files_.sync_all());
  end_if_session_is_lost();  // another worker's may have been told of what is lost
  for (const auto& [file, mark] : marks) file->acknowledge(mark);
  ++state_.syncs;
}

void FilesWorker::change_names(const std::string& what, Names after, const std::function<Status()>& call) {
  doing(what);
  directory().begin(std::move(after));
  expect(what, call());
  directory().done();
}

std::string FilesWorker::unused_name() {
  while (true) {
    std::string name = fmt::format("f{}", next_name_++ % 100);
    if (!directory().names().contains(name)) return name;
  }
}

void FilesWorker::create() {
  if (directory().names().size() >= state_.options.files) return;
  const std::string name = unused_name();
  Open open{name, std::make_shared<FileModel>(), 0};
  Names after = directory().names();
  after.emplace(name, open.file);
  change_names("create " + name, std::move(after), [&]() -> Status {
    ASSIGN(const auto made, files_.create({directory().inode, name, S_IFREG | 0644, 0, 0, 0, {}}));
    open.file->inode = made.entry.attributes.inode;
    open.handle = made.handle;
    return {};
  });
  open_.push_back(std::move(open));
}

void FilesWorker::rename() {
  const Names& names = directory().names();
  if (names.empty()) return;
  const auto from = std::next(names.begin(), static_cast<std::ptrdiff_t>(random_.below(names.size())));
  const auto over = std::next(names.begin(), static_cast<std::ptrdiff_t>(random_.below(names.size())));
  const std::string old_name = from->first;
  const std::string new_name = from != over && random_.one_in(2) ? over->first : unused_name();
  Names after = names;
  after[new_name] = from->second;
  after.erase(old_name);
  change_names(fmt::format("rename {}/{} to {}", state_.directory(index_), old_name, new_name), std::move(after), [&] {
    return files_.rename({directory().inode, old_name, directory().inode, new_name, 0});
  });
}

void FilesWorker::unlink() {
  const Names& names = directory().names();
  if (names.empty()) return;
  const std::string name = std::next(names.begin(), static_cast<std::ptrdiff_t>(random_.below(names.size())))->first;
  Names after = names;
  after.erase(name);
  change_names(fmt::format("unlink {}/{}", state_.directory(index_), name), std::move(after),
               [&] { return files_.unlink(directory().inode, name); });
}

void FilesWorker::release_unnamed() {
  for (auto open = open_.begin(); open != open_.end(); ++open) {
    if (std::ranges::any_of(directory().names(), [&](const auto& named) { return named.second == open->file; }))
      continue;
    expect("release " + label(*open), files_.release(open->handle));
    open_.erase(open);
    return;
  }
}

}  // namespace cairn

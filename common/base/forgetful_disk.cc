#include "common/base/forgetful_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace cairn {
namespace {

constexpr uint64_t kThroughOneIn = 4;

// One spelling for each path.
std::string normal(const std::string& path) {
  const std::string text = std::filesystem::path(path).lexically_normal().string();
  return text.size() > 1 && text.ends_with('/') ? text.substr(0, text.size() - 1) : text;
}

std::string parent_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

std::string name_in(const std::string& path) { return std::filesystem::path(path).filename().string(); }

Error no_such(const char* operation, const std::string& path) {
  return Error{Errc::not_found, fmt::format("{} {}: no such file or directory", operation, path)};
}

}  // namespace

// What a caller has open.
class ForgetfulHandle : public File {
 public:
  ForgetfulHandle(ForgetfulDisk& disk, std::shared_ptr<ForgetfulFile> file, std::string path, bool writable)
      : disk_(disk), file_(std::move(file)), path_(std::move(path)), writable_(writable) {}
  ~ForgetfulHandle() override { disk_.closed(std::move(file_)); }

  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> into) override { return file_->read_at(offset, into); }
  Status write_at(uint64_t offset, std::span<const iovec> pieces) override {
    TRY(may_change());
    return file_->write_at(offset, pieces, disk_.fate());
  }
  Status sync_data() override { return file_->sync_data(); }
  Status truncate(uint64_t size) override {
    TRY(may_change());
    return file_->truncate(size, disk_.fate());
  }
  Status preallocate(uint64_t offset, uint64_t length) override {
    TRY(may_change());
    return file_->preallocate(offset, length);
  }
  Status punch(uint64_t offset, uint64_t length) override {
    TRY(may_change());
    return file_->punch(offset, length, disk_.fate());
  }
  Result<uint64_t> size() override { return file_->size(); }
  Result<uint64_t> allocated() override { return file_->allocated(); }
  Result<uint64_t> next_data(uint64_t offset) override { return file_->next_data(offset); }
  Result<bool> named() override { return disk_.named(file_); }
  int descriptor() const override { return file_->descriptor(); }

 private:
  Status may_change() const {
    if (writable_) return {};
    return Error{Errc::io, "write " + path_ + ": opened for reading only"};
  }

  ForgetfulDisk& disk_;
  std::shared_ptr<ForgetfulFile> file_;
  const std::string path_;
  const bool writable_;
};

ForgetfulDisk::ForgetfulDisk(Disk& below, Options options)
    : below_(below), options_(std::move(options)), random_(options_.seed) {}

Result<std::unique_ptr<ForgetfulDisk>> ForgetfulDisk::open(Disk& below, Options options) {
  options.shadow_directory = normal(options.shadow_directory);
  TRY(below.make_directories(options.shadow_directory));
  ASSIGN(const std::vector<std::string> left, below.list(options.shadow_directory));
  for (const std::string& name : left) TRY(below.remove(options.shadow_directory + "/" + name));
  return std::unique_ptr<ForgetfulDisk>(new ForgetfulDisk(below, std::move(options)));
}

UnsyncedFate ForgetfulDisk::fate() {
  if (options_.seed == 0) return {};
  const Lock lock(mutex_);
  const bool through = random_.one_in(kThroughOneIn);
  return {.through = through, .torn = random_.one_in(2), .sectors = random_.fork()};
}

// A file that nobody uses and that has nothing to forget is not kept.
void ForgetfulDisk::closed(FileRef file) {
  FileRef idle;  // closed behind the lock
  const Lock lock(mutex_);
  const auto known = files_.find(file->home);
  const bool ours = known != files_.end() && known->second == file;
  if (!ours) return;
  file.reset();
  if (known->second.use_count() > 1 || known->second->dirty()) return;
  idle = std::move(known->second);
  files_.erase(known);
}

// By a name that readers see, and that nobody took away below.
Result<bool> ForgetfulDisk::named(const FileRef& file) {
  const Turns::Turn turn(names_);
  std::string home;
  {
    const Lock lock(mutex_);
    home = file->home;
  }
  const bool renamed = std::any_of(seen_.begin(), seen_.end(), [&](const auto& one) { return one.second == file; });
  if (!renamed && (home.empty() || seen_.contains(home))) return false;
  return file->named();
}

Result<ForgetfulDisk::Kind> ForgetfulDisk::kind_of(const std::string& path) {
  if (const auto known = seen_.find(path); known != seen_.end()) return known->second ? Kind::file : Kind::none;
  const auto listed = below_.list(path);
  if (listed.ok()) return Kind::directory;
  return listed.code() == Errc::not_found ? Kind::none : Kind::file;
}

Result<ForgetfulDisk::FileRef> ForgetfulDisk::find(const std::string& path) {
  if (const auto known = seen_.find(path); known != seen_.end()) return known->second;
  FileRef file;
  {
    const Lock lock(mutex_);
    if (const auto known = files_.find(path); known != files_.end()) file = known->second;
  }
  if (file) return file;
  file = std::make_shared<ForgetfulFile>(path);
  const Status opened = file->open_below(below_, true);
  if (!opened.ok() && opened.code() == Errc::not_found) return FileRef{};
  TRY(opened);
  const Lock lock(mutex_);
  files_[path] = file;
  return file;
}

Status ForgetfulDisk::require_parent(const std::string& path) {
  const std::string parent = parent_of(path);
  if (below_.list(parent).ok()) return {};
  return no_such("create", path);
}

Result<ForgetfulDisk::FileRef> ForgetfulDisk::create(const std::string& path) {
  TRY(require_parent(path));
  auto file = std::make_shared<ForgetfulFile>(fmt::format("{}/{}", options_.shadow_directory, ++created_));
  { ASSIGN(const auto made, below_.open(file->home, OpenMode::create_new)); }
  TRY(file->open_below(below_, false));
  {
    const Lock lock(mutex_);
    files_[file->home] = file;
  }
  change({.from = "", .to = path, .file = file});
  return file;
}

Result<std::unique_ptr<File>> ForgetfulDisk::open(const std::string& given, OpenMode mode) {
  const std::string path = normal(given);
  const Turns::Turn turn(names_);
  auto found = find(path);
  if (!found.ok() && mode == OpenMode::create_new) return Error{Errc::exists, "open " + path + ": exists"};
  TRY(found);
  FileRef file = *found;
  if (file && mode == OpenMode::create_new) return Error{Errc::exists, "open " + path + ": exists"};
  if (!file) {
    if (mode == OpenMode::read_only || mode == OpenMode::read_write) return no_such("open", path);
    ASSIGN(file, create(path));
  }
  return std::unique_ptr<File>(
      std::make_unique<ForgetfulHandle>(*this, std::move(file), path, mode != OpenMode::read_only));
}

Status ForgetfulDisk::remove(const std::string& given) {
  const std::string path = normal(given);
  const Turns::Turn turn(names_);
  ASSIGN(const Kind kind, kind_of(path));
  if (kind == Kind::none) return no_such("remove", path);
  if (kind == Kind::file) {
    ASSIGN(FileRef file, find(path));
    change({.from = path, .to = "", .file = std::move(file)});
    return {};
  }
  ASSIGN(const std::set<std::string> names, names_in(path));
  if (!names.empty()) return Error{Errc::not_empty, "remove " + path + ": not empty"};
  TRY(make_durable([&](const NameChange& one) { return parent_of(one.from) == path || parent_of(one.to) == path; }));
  return below_.remove(path);
}

Status ForgetfulDisk::rename(const std::string& given_from, const std::string& given_to) {
  const std::string from = normal(given_from);
  const std::string to = normal(given_to);
  const Turns::Turn turn(names_);
  ASSIGN(const Kind source, kind_of(from));
  if (source == Kind::none) return no_such("rename", from);
  if (source == Kind::directory) return Error{Errc::not_supported, "rename " + from + ": only files are renamed here"};
  ASSIGN(const Kind target, kind_of(to));
  if (target == Kind::directory) return Error{Errc::io, "rename " + from + " to " + to + ": is a directory"};
  TRY(require_parent(to));
  if (from == to) return {};
  ASSIGN(FileRef file, find(from));
  change({.from = from, .to = to, .file = std::move(file)});
  return {};
}

// From now on it is seen; whether it is also durable, chance decides.
void ForgetfulDisk::change(NameChange change) {
  if (!change.from.empty()) seen_[change.from] = nullptr;
  if (!change.to.empty()) seen_[change.to] = change.file;
  const std::string name = change.to.empty() ? change.from : change.to;
  unsynced_.push_back(std::move(change));
  if (!fate().through) return;
  // What fails now is tried again at the sync, which says so.
  (void)make_durable([&](const NameChange& one) { return one.touches(name); });
}

// Those that are wanted, and before each the earlier ones of the same names.
Status ForgetfulDisk::make_durable(const std::function<bool(const NameChange&)>& wanted) {
  std::set<std::string> names;
  std::vector<bool> chosen(unsynced_.size());
  for (size_t i = unsynced_.size(); i-- > 0;) {
    const NameChange& one = unsynced_[i];
    chosen[i] = wanted(one) || names.contains(one.from) || names.contains(one.to);
    if (!chosen[i]) continue;
    if (!one.from.empty()) names.insert(one.from);
    if (!one.to.empty()) names.insert(one.to);
  }
  Status failure;
  std::vector<NameChange> left;
  std::vector<FileRef> done;
  for (size_t i = 0; i < unsynced_.size(); ++i) {
    if (chosen[i] && failure.ok()) failure = apply(unsynced_[i]);
    if (chosen[i] && failure.ok()) {
      done.push_back(std::move(unsynced_[i].file));
    } else {
      left.push_back(std::move(unsynced_[i]));
    }
  }
  unsynced_ = std::move(left);
  std::erase_if(seen_, [&](const auto& one) {
    return std::none_of(unsynced_.begin(), unsynced_.end(), [&](const NameChange& c) { return c.touches(one.first); });
  });
  for (FileRef& file : done) closed(std::move(file));
  return failure;
}

Status ForgetfulDisk::apply(const NameChange& change) {
  std::string home;
  {
    const Lock lock(mutex_);
    home = change.file->home;
  }
  TRY(change.to.empty() ? below_.remove(home) : below_.rename(home, change.to));
  const Lock lock(mutex_);
  files_.erase(home);
  if (const auto replaced = files_.find(change.to); replaced != files_.end()) replaced->second->home.clear();
  change.file->home = change.to;
  if (!change.to.empty()) files_[change.to] = change.file;
  return {};
}

Status ForgetfulDisk::make_directories(const std::string& given) {
  const std::string path = normal(given);
  const Turns::Turn turn(names_);
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (const auto known = seen_.find(part); known != seen_.end()) {
      if (known->second) return Error{Errc::io, "mkdir " + part + ": a file is in the way"};
      TRY(make_durable([&](const NameChange& one) { return one.touches(part); }));
    }
    if (slash == std::string::npos) break;
  }
  return below_.make_directories(path);
}

Status ForgetfulDisk::sync_directory(const std::string& given) {
  const std::string path = normal(given);
  {
    const Turns::Turn turn(names_);
    TRY(make_durable([&](const NameChange& one) { return parent_of(one.to.empty() ? one.from : one.to) == path; }));
  }
  return below_.sync_directory(path);
}

Result<std::set<std::string>> ForgetfulDisk::names_in(const std::string& directory) {
  ASSIGN(const std::vector<std::string> listed, below_.list(directory));
  std::set<std::string> names(listed.begin(), listed.end());
  for (const auto& [path, file] : seen_) {
    if (parent_of(path) != directory) continue;
    if (file) {
      names.insert(name_in(path));
    } else {
      names.erase(name_in(path));
    }
  }
  if (parent_of(options_.shadow_directory) == directory) names.erase(name_in(options_.shadow_directory));
  return names;
}

Result<std::vector<std::string>> ForgetfulDisk::list(const std::string& given) {
  const Turns::Turn turn(names_);
  ASSIGN(const std::set<std::string> names, names_in(normal(given)));
  return std::vector<std::string>(names.begin(), names.end());
}

Result<DiskSpace> ForgetfulDisk::space(const std::string& path) { return below_.space(path); }

}  // namespace cairn

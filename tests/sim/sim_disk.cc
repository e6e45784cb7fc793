#include "tests/sim/sim_disk.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/sim_file.h"

namespace cairn {
namespace {

// One spelling for each path: no doubled or trailing slashes.
std::string normal(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (c != '/' || out.empty() || out.back() != '/') out += c;
  }
  if (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Error no_such(const char* operation, const std::string& path) {
  return Error{Errc::not_found, fmt::format("{} {}: no such file or directory", operation, path)};
}

}  // namespace

SimDisk::SimDisk(SimScheduler& scheduler, uint64_t seed) : SimDisk(scheduler, seed, Options{}) {}

SimDisk::SimDisk(SimScheduler& scheduler, uint64_t seed, Options options)
    : scheduler_(scheduler), random_(seed), options_(options), directories_{"/", "."} {
  scheduler_.on_death([this](SimProcess process) { close_all_of(process); });
}

SimDisk::~SimDisk() = default;

// Ok, or the end of the machine that waited here.
Status SimDisk::delay(Duration longest) {
  if (current_scheduler != &scheduler_ || longest.count() <= 0) return {};
  const uint64_t boot = boots_;
  scheduler_.sleep(Duration{static_cast<int64_t>(random_.below(static_cast<uint64_t>(longest.count()) * slowness_))});
  if (boot != boots_) return Error{Errc::io, "the power was cut"};
  return {};
}

Status SimDisk::fault(DiskOperation operation, const std::string& path) {
  for (DiskFault& one : faults_) {
    const bool meant = one.operation == DiskOperation::any || one.operation == operation;
    if (!meant || one.times == 0 || path.find(one.path_part) == std::string::npos) continue;
    if (!random_.one_in(one.one_in)) continue;
    if (one.times != UINT64_MAX) --one.times;
    return Error{one.code, path + ": injected fault"};
  }
  return {};
}

bool SimDisk::take_pages(uint64_t count) {
  if ((used_pages_ + count) * FileImage::kPageBytes > options_.capacity_bytes && count > 0) return false;
  used_pages_ += count;
  return true;
}

void SimDisk::opened(SimProcess process, const std::shared_ptr<SimFileNode>& node) {
  ++node->handles;
  open_.emplace_back(process, node);
}

void SimDisk::closed(SimProcess process, const std::shared_ptr<SimFileNode>& node) {
  const auto found = std::find(open_.begin(), open_.end(), std::pair(process, node));
  if (found == open_.end()) return;  // its process is dead, which closed it
  open_.erase(found);
  --node->handles;
  drop_if_unnamed(node);
}

void SimDisk::close_all_of(SimProcess process) {
  std::vector<std::shared_ptr<SimFileNode>> nodes;
  for (const auto& [owner, node] : open_) {
    if (owner == process) nodes.push_back(node);
  }
  for (const auto& node : nodes) closed(process, node);
}

// The space of a file goes with its last name and handle. (Its durable image may live on in durable_names_.)
void SimDisk::drop_if_unnamed(const std::shared_ptr<SimFileNode>& node) {
  if (!node || node->handles > 0) return;
  for (const auto& [name, other] : names_) {
    if (other == node) return;
  }
  give_pages(node->seen.pages());
  node->seen.truncate(0);
  // A power cut that undoes the removal brings back what was durable, and perhaps what was not.
}

Result<std::unique_ptr<File>> SimDisk::open(const std::string& given, OpenMode mode) {
  const std::string path = normal(given);
  TRY(delay(options_.longest_access));
  TRY(fault(DiskOperation::open, path));
  if (is_directory(path)) {
    if (mode == OpenMode::create_new) return Error{Errc::exists, "open " + path + ": exists"};
    return Error{Errc::io, "open " + path + ": is a directory"};
  }
  const auto found = names_.find(path);
  std::shared_ptr<SimFileNode> node;
  if (found != names_.end()) {
    if (mode == OpenMode::create_new) return Error{Errc::exists, "open " + path + ": exists"};
    node = found->second;
  } else {
    if (mode == OpenMode::read_only || mode == OpenMode::read_write) return no_such("open", path);
    if (!is_directory(parent_of(path))) return no_such("create", path);
    node = std::make_shared<SimFileNode>();
    names_[path] = node;
    unsynced_names_.push_back({.from = "", .to = path, .node = node, .sequence = ++sequence_});
  }
  return std::unique_ptr<File>(std::make_unique<SimFile>(*this, std::move(node), path, mode != OpenMode::read_only));
}

Status SimDisk::remove(const std::string& given) {
  const std::string path = normal(given);
  TRY(delay(options_.longest_access));
  if (is_directory(path)) {
    const auto inside = [&](const std::string& other) { return other != path && parent_of(other) == path; };
    for (const auto& [name, node] : names_) {
      if (inside(name)) return Error{Errc::not_empty, "remove " + path + ": not empty"};
    }
    if (std::any_of(directories_.begin(), directories_.end(), inside)) {
      return Error{Errc::not_empty, "remove " + path + ": not empty"};
    }
    directories_.erase(path);
    return {};
  }
  const auto found = names_.find(path);
  if (found == names_.end()) return no_such("remove", path);
  const std::shared_ptr<SimFileNode> node = found->second;
  names_.erase(found);
  unsynced_names_.push_back({.from = path, .to = "", .node = node, .sequence = ++sequence_});
  drop_if_unnamed(node);
  return {};
}

Status SimDisk::rename(const std::string& given_from, const std::string& given_to) {
  const std::string from = normal(given_from);
  const std::string to = normal(given_to);
  TRY(delay(options_.longest_access));
  if (is_directory(from)) return Error{Errc::not_supported, "rename " + from + ": the simulation renames only files"};
  const auto found = names_.find(from);
  if (found == names_.end()) return no_such("rename", from);
  if (is_directory(to)) return Error{Errc::io, "rename " + from + " to " + to + ": is a directory"};
  if (!is_directory(parent_of(to))) return no_such("rename to", to);
  if (from == to) return {};
  const std::shared_ptr<SimFileNode> node = found->second;
  names_.erase(found);
  auto& slot = names_[to];
  const std::shared_ptr<SimFileNode> replaced = std::exchange(slot, node);
  unsynced_names_.push_back({.from = from, .to = to, .node = node, .sequence = ++sequence_});
  drop_if_unnamed(replaced);
  return {};
}

Status SimDisk::make_directories(const std::string& given) {
  const std::string path = normal(given);
  TRY(delay(options_.longest_access));
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (names_.contains(part)) return Error{Errc::io, "mkdir " + part + ": a file is in the way"};
    directories_.insert(part);
    if (slash == std::string::npos) return {};
  }
}

void SimDisk::apply_durably(const NameChange& change) {
  const auto old = durable_names_.find(change.from);
  if (old != durable_names_.end() && old->second == change.node) durable_names_.erase(old);
  if (!change.to.empty()) durable_names_[change.to] = change.node;
}

Status SimDisk::sync_directory(const std::string& given) {
  const std::string path = normal(given);
  const uint64_t last = sequence_;  // as in sync_data
  TRY(delay(options_.longest_sync));
  if (!is_directory(path)) return no_such("sync directory", path);
  TRY(fault(DiskOperation::sync, path));
  std::erase_if(unsynced_names_, [&](const NameChange& change) {
    if (parent_of(change.to.empty() ? change.from : change.to) != path || change.sequence > last) return false;
    apply_durably(change);
    return true;
  });
  return delay(options_.longest_access);
}

Result<std::vector<std::string>> SimDisk::list(const std::string& given) {
  const std::string path = normal(given);
  TRY(delay(options_.longest_access));
  if (!is_directory(path)) return no_such("list", path);
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (name != path && name != "." && parent_of(name) == path)
      names.push_back(name.substr(name.find_last_of('/') + 1));
  };
  for (const auto& [name, node] : names_) add(name);
  for (const std::string& name : directories_) add(name);
  std::sort(names.begin(), names.end());
  return names;
}

Result<DiskSpace> SimDisk::space(const std::string& path) {
  TRY(delay(options_.longest_access));
  if (!is_directory(normal(path)) && !names_.contains(normal(path))) return no_such("statvfs", path);
  const uint64_t free = options_.capacity_bytes - std::min(options_.capacity_bytes, used_bytes());
  return DiskSpace{.total_bytes = options_.capacity_bytes, .free_bytes = free};
}

void SimDisk::crash() {
  ++boots_;
  scheduler_.trace(boots_);
  for (const NameChange& change : unsynced_names_) {
    if (random_.one_in(2)) apply_durably(change);
  }
  unsynced_names_.clear();
  open_.clear();
  names_ = durable_names_;
  std::set<SimFileNode*>
      done;  // looked up only: a file may have two durable names, if only the arrival of a rename was kept
  used_pages_ = 0;
  for (auto& [name, node] : names_) {
    if (!done.insert(node.get()).second) continue;
    node->power_cut(random_);
    used_pages_ += node->seen.pages();
  }
}

void SimDisk::replace() {
  ++boots_;
  open_.clear();
  names_.clear();
  durable_names_.clear();
  unsynced_names_.clear();
  directories_ = {"/", "."};
  used_pages_ = 0;
}

Status SimDisk::flip_bit(const std::string& given, uint64_t offset, uint32_t bit) {
  const auto found = names_.find(normal(given));
  if (found == names_.end()) return no_such("flip a bit of", given);
  const bool seen = found->second->seen.flip_bit(offset, bit);
  const bool durable = found->second->durable.flip_bit(offset, bit);
  if (!seen && !durable) return Error{Errc::not_found, "flip a bit of " + given + ": no data there"};
  return {};
}

Result<std::string> SimDisk::flip_some_bit(const std::string& path_part) {
  constexpr int kTries = 64;  // a hole has no bits
  std::vector<std::string> paths = files();
  std::erase_if(paths, [&](const std::string& path) {
    return path.find(path_part) == std::string::npos || names_.at(path)->seen.size() == 0;
  });
  for (int i = 0; i < kTries && !paths.empty(); ++i) {
    const std::string& path = paths[random_.below(paths.size())];
    const uint64_t offset = random_.below(names_.at(path)->seen.size());
    const auto bit = static_cast<uint32_t>(random_.below(8));
    if (flip_bit(path, offset, bit).ok()) return fmt::format("bit {} at {} of {}", bit, offset, path);
  }
  return Error{Errc::not_found, "no data in files with " + path_part};
}

std::vector<std::string> SimDisk::files() const {
  std::vector<std::string> paths;
  for (const auto& [name, node] : names_) paths.push_back(name);
  return paths;
}

}  // namespace cairn

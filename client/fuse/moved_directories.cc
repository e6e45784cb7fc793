#include "client/fuse/moved_directories.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/bimap.hpp>
#include <boost/bimap/set_of.hpp>
#include <boost/bimap/unordered_set_of.hpp>
#include <cerrno>
#include <chrono>
#include <optional>
#include <utility>

namespace cairn {
namespace {

constexpr auto kPatience = std::chrono::milliseconds(20);
constexpr size_t kMaxQueued = 256;
constexpr size_t kMaxPath = 4096;  // PATH_MAX; also ends a walk in stale places that form a ring
constexpr int kAttempts = 3;       // another rename may be under way

}  // namespace

class MovedDirectories::Places {
 public:
  using Place = std::pair<InodeId, std::string>;  // the directory above, and the name in it

  // True: the kernel may have it under another name.
  bool put(InodeId directory, Place place) {
    const auto known = map_.left.find(directory);
    if (known != map_.left.end() && known->second == place) return false;
    const bool moved = known != map_.left.end();
    if (moved) map_.left.erase(known);
    map_.right.erase(place);
    map_.insert({directory, std::move(place)});
    return moved;
  }

  std::optional<InodeId> take(const Place& place) {
    const auto known = map_.right.find(place);
    if (known == map_.right.end()) return std::nullopt;
    const InodeId directory = known->second;
    map_.right.erase(known);
    return directory;
  }

  void forget(InodeId directory) { map_.left.erase(directory); }

  // From the root, "/a/b"; empty if a step is not known.
  std::string path(InodeId directory) const {
    std::string path;
    while (directory != kRootInode) {
      const auto known = map_.left.find(directory);
      if (known == map_.left.end() || path.size() > kMaxPath) return "";
      path.insert(0, "/" + known->second.second);
      directory = known->second.first;
    }
    return path;
  }

 private:
  struct Hash {
    size_t operator()(InodeId inode) const { return std::hash<uint64_t>()(raw(inode)); }
  };
  boost::bimap<boost::bimaps::unordered_set_of<InodeId, Hash>, boost::bimaps::set_of<Place>> map_;
};

MovedDirectories::MovedDirectories(std::string mountpoint)
    : mountpoint_(std::move(mountpoint)), places_(std::make_unique<Places>()), thread_([this] { run(); }) {}

MovedDirectories::~MovedDirectories() { stop(); }

void MovedDirectories::begin_stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

void MovedDirectories::stop() {
  begin_stop();
  if (thread_.joinable()) thread_.join();
}

void MovedDirectories::told(const Entry& entry) {
  if (!S_ISDIR(entry.attributes.mode)) return;
  const std::lock_guard lock(mutex_);
  if (!places_->put(entry.attributes.inode, {entry.parent, entry.name})) return;
  std::string path = places_->path(entry.attributes.inode);
  if (path.empty() || stopping_ || queue_.size() >= kMaxQueued) return;
  queue_.push_back(mountpoint_ + path);
  ++unseen_;
  changed_.notify_all();
}

void MovedDirectories::renamed(const Rename& done) {
  const std::lock_guard lock(mutex_);
  const std::optional<InodeId> moved = places_->take({done.old_parent, done.old_name});
  const std::optional<InodeId> replaced = places_->take({done.new_parent, done.new_name});
  if (moved) places_->put(*moved, {done.new_parent, done.new_name});
  if (replaced && (done.flags & RENAME_EXCHANGE) != 0) places_->put(*replaced, {done.old_parent, done.old_name});
}

void MovedDirectories::forgotten(InodeId inode) {
  const std::lock_guard lock(mutex_);
  places_->forget(inode);
}

void MovedDirectories::wait_until_seen(pid_t thread) {
  if (unseen_.load() == 0 || thread == self_.load()) return;
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kPatience, [this] { return stopping_ || unseen_.load() == 0; });
}

void MovedDirectories::look(const std::string& path) {
  struct stat ignored {};
  for (int i = 0; i < kAttempts && ::lstat(path.c_str(), &ignored) != 0 && errno == ESTALE; ++i) {
  }
}

void MovedDirectories::run() {
  self_.store(::gettid());
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    const std::string path = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    look(path);
    lock.lock();
    --unseen_;
    changed_.notify_all();
  }
}

}  // namespace cairn

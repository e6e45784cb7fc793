#include "chunkserver/worker/task_files.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/meta/policy.h"

namespace cairn {
namespace {

// Of one attempt at a time; a slot has one.
constexpr uint64_t kDirtyBytes = 32u << 20;
constexpr uint64_t kCacheBytes = 4u << 20;

void let_go(Filesystem& filesystem, FileHandle handle) {
  if (const Status released = filesystem.release(handle); !released.ok())
    spdlog::warn("a file without a name goes with its session: {}", released.error().what);
}

}  // namespace

class TaskFiles::Content : public tasks::NewContent {
 public:
  Content(TaskFiles& files, Filesystem& filesystem, uint32_t file, Filesystem::Anonymous made, std::string from,
          std::string to)
      : files_(files),
        filesystem_(filesystem),
        file_(file),
        inode_(made.attributes.inode),
        handle_(made.handle),
        from_(std::move(from)),
        to_(std::move(to)) {}
  ~Content() override {
    if (!given_) let_go(filesystem_, handle_);
  }

  const std::string& from_class() const override { return from_; }
  const std::string& to_class() const override { return to_; }
  Status write(uint64_t offset, std::string_view bytes) override {
    TRY(files_.callbacks_.wanted());
    size_ = std::max(size_, offset + bytes.size());
    return filesystem_.write(inode_, offset, bytes_of(bytes));
  }
  Status sync(uint64_t size) override {
    TRY(files_.callbacks_.wanted());
    if (size != size_) {
      SetAttributes request;
      request.inode = inode_;
      request.size = size;
      ASSIGN(const Attributes now, filesystem_.set_attributes(request));
      size_ = now.size;
    }
    return filesystem_.fsync(handle_);
  }
  void give(bool reencoded) override {
    given_ = true;
    const uint64_t pinned = files_.view_.about.files[file_].version;
    files_.outputs_.push_back({file_, inode_, reencoded ? pinned : 0, reencoded});
    files_.handles_.push_back(handle_);
  }

 private:
  TaskFiles& files_;
  Filesystem& filesystem_;
  const uint32_t file_;
  const InodeId inode_;
  const FileHandle handle_;
  const std::string from_, to_;
  uint64_t size_ = 0;
  bool given_ = false;
};

TaskFiles::TaskFiles(const AttemptParts& parts, const JobView& view, LocalShards& local, Callbacks callbacks)
    : parts_(parts), view_(view), local_(local), callbacks_(std::move(callbacks)) {}

TaskFiles::~TaskFiles() {
  release();
  if (filesystem_ == nullptr) return;
  if (const Status closed = filesystem_->close(); !closed.ok())
    spdlog::warn("the session of a task's files ends later: {}", closed.error().what);
}

void TaskFiles::release() {
  for (const FileHandle handle : std::exchange(handles_, {})) let_go(*filesystem_, handle);
  outputs_.clear();
}

Result<tasks::SplitBytes> TaskFiles::read(const tasks::Split& split, bool cold) {
  local_.set_cold(cold);
  uint64_t at = split.begin;
  return tasks::SplitBytes([this, split, at]() mutable -> Result<std::string_view> {
    if (at == split.end) return std::string_view();
    ASSIGN(const std::string_view bytes, callbacks_.piece(*file_, at, split.end));
    at += bytes.size();
    return bytes;
  });
}

Result<Filesystem*> TaskFiles::filesystem() {
  if (filesystem_ == nullptr) {
    FilesystemOptions options;
    options.metaserver = parts_.metaserver;
    options.name = "task files";
    options.dirty_bytes = kDirtyBytes;
    options.cache_bytes = kCacheBytes;
    ASSIGN(filesystem_, Filesystem::mount(parts_.network, parts_.clock, options));
  }
  return filesystem_.get();
}

Result<std::string> TaskFiles::class_text(ClassId id) {
  auto found = std::ranges::find(classes_, id, &StorageClass::id);
  if (found == classes_.end()) {
    ASSIGN(ClusterMap map, parts_.meta.cluster_map());
    classes_ = std::move(map.classes);
    found = std::ranges::find(classes_, id, &StorageClass::id);
  }
  if (found == classes_.end()) return Error{Errc::busy, fmt::format("storage class {} is not known yet", raw(id))};
  return policy_text(*found);
}

Result<std::unique_ptr<tasks::NewContent>> TaskFiles::replace(uint32_t file, const std::string& policy) {
  TRY(callbacks_.wanted());
  if (file >= view_.about.files.size())
    return Error{Errc::invalid, fmt::format("file {} of a job with {}", file, view_.about.files.size())};
  ASSIGN(Filesystem* const own, filesystem());
  const InodeId target = view_.about.files[file].inode;
  Result<Attributes> now = parts_.meta.get_attributes(target);
  // What is gone gets its content for nothing, and then the metaserver says so, as of one that goes a moment later.
  const bool gone = !now.ok() && now.code() == Errc::stale_handle;
  if (!now.ok() && !gone) return now.error();
  ASSIGN(const Filesystem::Anonymous made, own->create_anonymous({gone ? kRootInode : target, policy}));
  ASSIGN(std::string to, class_text(made.attributes.storage_class));
  std::string from = to;
  if (!gone) {
    ASSIGN(from, class_text(now->storage_class));
  }
  return {std::make_unique<Content>(*this, *own, file, made, std::move(from), std::move(to))};
}

Result<bool> TaskFiles::drop_changed(const std::function<void(uint32_t file, const std::string& why)>& tell) {
  bool dropped = false;
  for (size_t i = 0; i < outputs_.size();) {
    const TaskOutput& output = outputs_[i];
    const JobFile& file = view_.about.files[output.file];
    const Result<Attributes> now = parts_.meta.get_attributes(file.inode);
    if (!now.ok() && now.code() != Errc::stale_handle) return now.error();
    const bool gone = !now.ok() || now->links == 0;
    if (!gone && (output.if_version == 0 || output.if_version == now->version)) {
      ++i;
      continue;
    }
    tell(output.file, file.name + (gone ? " is gone" : " was changed"));
    let_go(*filesystem_, handles_[i]);
    outputs_.erase(outputs_.begin() + static_cast<ptrdiff_t>(i));
    handles_.erase(handles_.begin() + static_cast<ptrdiff_t>(i));
    dropped = true;
  }
  return dropped;
}

}  // namespace cairn

// Attributes, with what is still buffered, and extended attributes.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/filesystem_state.h"

namespace cairn {

namespace {

constexpr int kAttempts = 100;  // answers that our own changes overtook, each of which was progress

bool is_own(const std::string& name) { return name.starts_with("cairn."); }

}  // namespace

Attributes Filesystem::State::learn(const Attributes& answer, const Asked& asked, uint64_t leased) {
  const std::shared_ptr<Inode> inode = context.inodes.get(answer.inode);
  Lock lock(inode->mutex);
  const bool cache = context.leases->keep(*inode, asked.lease, leased);
  const FileState* file = inode->file_if();
  // While the size changes, an answer may be of before or after: it is shown, but not kept.
  if (file != nullptr && file->changing) return inode->overlaid(answer);
  if (answer.version >= inode->attributes.version) inode->learn(answer, cache && inode->changed_at <= asked.at);
  return inode->overlaid(inode->attributes);
}

Attributes Filesystem::State::changed(const Attributes& answer, const Asked& asked) {
  const uint64_t change = context.next_change();
  const std::shared_ptr<Inode> inode = context.inodes.get(answer.inode);
  Lock lock(inode->mutex);
  const bool cache = context.leases->may_keep(*inode, asked.lease);
  // Another change that ended since this one was asked for may be missing in the answer.
  const bool alone = inode->changed_at <= asked.at;
  inode->learn(answer, cache && alone);
  if (!alone) inode->attributes_known = false;
  inode->changed_at = change;
  if (S_ISDIR(answer.mode)) context.listings.forget(answer.inode);  // one that was renamed has another parent
  return inode->overlaid(inode->attributes);
}

std::optional<Attributes> Filesystem::State::known_attributes(InodeId id) {
  const std::shared_ptr<Inode> inode = context.inodes.find(id);
  if (inode == nullptr) return std::nullopt;
  const Lock lock(inode->mutex);
  const FileState* file = inode->file_if();
  if (!inode->attributes_known || !context.leases->trusted(*inode) || (file != nullptr && file->changing))
    return std::nullopt;
  return inode->overlaid(inode->attributes);
}

Result<Attributes> Filesystem::get_attributes(InodeId inode) { return state_->attributes(inode); }

Result<Attributes> Filesystem::State::attributes(InodeId id) {
  TRY(context.session->alive());
  const std::shared_ptr<Inode> inode = context.inodes.get(id);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    {
      Lock lock(inode->mutex);
      context.leases->wait_for_recall(*inode, lock);
      if (const FileState* file = inode->file_if()) inode->changed.wait(lock, [&] { return !file->changing; });
      if (inode->attributes_known && context.leases->trusted(*inode)) {
        ++context.statistics.attribute_hits;
        return inode->overlaid(inode->attributes);
      }
    }
    ++context.statistics.attribute_misses;
    const Asked asked = asking();
    uint64_t leased = 0;
    ASSIGN(const Attributes answer, context.noted(context.meta.get_attributes(id, &leased)));
    Lock lock(inode->mutex);
    const FileState* file = inode->file_if();
    if (file != nullptr && file->changing) continue;
    const bool keep = context.leases->keep(*inode, asked.lease, leased);
    if (answer.version < inode->attributes.version) continue;
    inode->learn(answer, keep && inode->changed_at <= asked.at);
    return inode->overlaid(inode->attributes);
  }
  return Error{Errc::io, fmt::format("inode {} changes faster than it can be looked at", raw(id))};
}

Result<Attributes> Filesystem::set_attributes(const SetAttributes& request) {
  TRY(state_->context.session->alive());
  ClientContext& context = state_->context;
  if (request.size && *request.size > kMaxFileBytes) return Error{Errc::too_big, "a file cannot be that long"};
  const std::shared_ptr<Inode> inode = context.inodes.get(request.inode);
  bool buffers = false;
  {
    Lock lock(inode->mutex);
    const FileState* file = inode->file_if();
    buffers = file != nullptr && (!file->dirty.empty() || !file->flushing.empty() || file->changing);
  }
  if (request.size || (request.mtime && buffers)) return state_->truncate(inode, request);
  const OwnChange change(context.inodes, {request.inode});
  const State::Asked asked = state_->asking();
  const Result<Attributes> answer = context.noted(context.meta.set_attributes(request));
  if (!answer.ok()) {
    if (State::unknown_fate(answer.code())) state_->invalidate(request.inode);
    return answer;
  }
  return state_->changed(*answer, asked);
}

// Also for explicit times while bytes are buffered: their commit must not set the time back to when they were written.
Result<Attributes> Filesystem::State::truncate(const std::shared_ptr<Inode>& inode, const SetAttributes& request) {
  TRY(context.leases->acquire_write(*inode));
  const Pinned pinned(*inode);
  begin_change(inode);
  const Asked asked = asking();
  const Result<Attributes> answer = context.noted(context.meta.set_attributes(request));
  {
    Lock lock(inode->mutex);
    FileState& file = inode->file();
    if (answer.ok()) {
      if (request.size) {
        file.dirty.truncate(*request.size);
        file.tail.reset();
        if (file.layout.head() == LayoutCache::Head::extents) {
          file.layout.make_hole(*request.size, UINT64_MAX);
        } else {
          file.layout.forget();
        }
      }
      file.dirty.set_mtime(answer->mtime);
      if (file.dirty.empty()) file.failing = false;  // what could not be stored was cut off
    } else {  // it may have happened: then nothing of the committed layer is known
      inode->attributes_known = false;
      file.layout.forget();
      file.tail.reset();
    }
  }
  if (answer.ok()) (void)changed(*answer, asked);
  end_change(inode);
  if (!answer.ok()) return answer;
  Lock lock(inode->mutex);
  return inode->overlaid(inode->attributes);
}

void Filesystem::State::begin_change(const std::shared_ptr<Inode>& inode) {
  Lock lock(inode->mutex);
  FileState& file = inode->file();
  inode->changed.wait(lock, [&] { return !file.changing; });
  file.changing = true;
  inode->changed.wait(lock, [&] { return file.flushing.empty(); });
}

void Filesystem::State::end_change(const std::shared_ptr<Inode>& inode) {
  Lock lock(inode->mutex);
  inode->file().changing = false;
  flusher.register_dirty(inode);
  inode->changed.notify_all();
}

Result<std::string> Filesystem::get_xattr(InodeId id, const std::string& name) {
  TRY(state_->context.session->alive());
  ClientContext& context = state_->context;
  if (name == "cairn.metaserver") return metaserver().text();
  if (name == "cairn.pid") return std::to_string(::getpid());
  if (name == "cairn.statistics") return statistics_json();
  if (is_own(name)) return context.noted(context.meta.get_xattr(id, name));
  // The kernel asks for security.capability before every write: that must not be a call to the metaserver.
  const std::shared_ptr<Inode> inode = context.inodes.get(id);
  const Error absent{Errc::no_attribute, fmt::format("inode {} has no attribute {}", raw(id), name)};
  {
    Lock lock(inode->mutex);
    if (context.leases->trusted(*inode)) {
      if (inode->no_xattrs) return absent;
      const auto known = context.details.look(id, [&](const InodeDetails& own) { return own.xattr(name); });
      if (known && *known) return **known;
      if (known) return absent;
    }
  }
  const State::Asked asked = state_->asking();
  uint64_t leased = 0;
  Result<std::string> value = context.noted(context.meta.get_xattr(id, name, &leased));
  if (!value.ok() && value.code() != Errc::no_attribute) return value;
  Lock lock(inode->mutex);
  if (context.leases->keep(*inode, asked.lease, leased) && inode->changed_at <= asked.at) {
    context.details.change(
        id, [&](InodeDetails& own) { own.xattrs[name] = value.ok() ? std::optional(*value) : std::nullopt; });
  }
  return value;
}

Result<std::vector<std::string>> Filesystem::list_xattrs(InodeId id) {
  TRY(state_->context.session->alive());
  ClientContext& context = state_->context;
  const std::shared_ptr<Inode> inode = context.inodes.get(id);
  {
    const Lock lock(inode->mutex);
    if (context.leases->trusted(*inode)) {
      if (inode->no_xattrs) return std::vector<std::string>{};
      auto known = context.details.look(id, [](const InodeDetails& own) { return own.xattr_names; });
      if (known) return std::move(*known);
    }
  }
  const State::Asked asked = state_->asking();
  uint64_t leased = 0;
  ASSIGN(std::vector<std::string> names, context.noted(context.meta.list_xattrs(id, &leased)));
  const Lock lock(inode->mutex);
  if (context.leases->keep(*inode, asked.lease, leased) && inode->changed_at <= asked.at) {
    if (names.empty()) {
      inode->no_xattrs = true;
    } else {
      context.details.change(id, [&](InodeDetails& own) { own.xattr_names = names; });
    }
  }
  return names;
}

void Filesystem::State::forget_xattrs(InodeId id) {
  const uint64_t change = context.next_change();
  const std::shared_ptr<Inode> inode = context.inodes.get(id);
  const Lock lock(inode->mutex);
  inode->no_xattrs = false;
  inode->attributes_known = false;
  inode->changed_at = change;
  context.details.forget(id);
}

Status Filesystem::set_xattr(const SetXattr& request) {
  TRY(state_->context.session->alive());
  const OwnChange change(state_->context.inodes, {request.inode});
  const Status done = state_->context.noted(state_->context.meta.set_xattr(request));
  state_->forget_xattrs(request.inode);
  // The class that the next flush of the inode writes to.
  if (done.ok() && is_own(request.name)) TRY(get_attributes(request.inode));
  return done;
}

Status Filesystem::remove_xattr(const RemoveXattr& request) {
  TRY(state_->context.session->alive());
  const OwnChange change(state_->context.inodes, {request.inode});
  const Status done = state_->context.noted(state_->context.meta.remove_xattr(request));
  state_->forget_xattrs(request.inode);
  return done;
}

}  // namespace cairn

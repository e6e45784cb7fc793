// Bytes: reads of one snapshot, buffered writes, truncation and zeroing, and making durable.
#include <fmt/format.h>

#include "client/filesystem_state.h"

namespace cairn {

Result<size_t> Filesystem::read(InodeId id, uint64_t offset, std::span<uint8_t> into) {
  TRY(state_->context.session->alive());
  if (into.empty() || offset >= kMaxFileBytes) return size_t{0};
  into = into.first(std::min<uint64_t>(into.size(), kMaxFileBytes - offset));
  const std::shared_ptr<Inode> inode = state_->context.inodes.get(id);
  ASSIGN(const ReadPath::Done done, state_->reader.read(inode, offset, into));
  ++state_->context.statistics.reads;
  state_->context.statistics.read_bytes += done.bytes;
  if (done.advice.fetch_from < done.advice.fetch_to) state_->ahead->fetch(inode, done.advice);
  return done.bytes;
}

Status Filesystem::State::know(const std::shared_ptr<Inode>& inode) {
  {
    Lock lock(inode->mutex);
    if (inode->attributes.version != 0) return {};
  }
  const Asked asked = asking();
  ASSIGN(const Attributes answer, context.noted(context.meta.get_attributes(inode->id)));
  (void)learn(answer, asked);
  return {};
}

Result<uint64_t> Filesystem::State::write(InodeId id, std::optional<uint64_t> offset, std::span<const uint8_t> data) {
  TRY(context.session->alive());
  const std::shared_ptr<Inode> inode = context.inodes.get(id);
  if (!offset && !context.session->trusted()) {  // the end may have moved
    const Asked asked = asking();
    ASSIGN(const Attributes answer, context.noted(context.meta.get_attributes(id)));
    (void)learn(answer, asked);
  }
  TRY(know(inode));
  ASSIGN(const BufferBudget::Room room, context.budget->wait_for_room(data.size()));
  Lock lock(inode->mutex);
  FileState& file = inode->file();
  inode->changed.wait(lock, [&] { return !file.changing; });
  if (file.failing && file.failure.code == Errc::no_space) {
    file.failure_told = true;
    return file.failure;
  }
  const uint64_t at = offset.value_or(inode->size());
  if (data.size() > kMaxFileBytes || at > kMaxFileBytes - data.size())
    return Error{Errc::too_big, "a file cannot be that long"};
  if (data.empty()) return at;
  file.dirty.write(context.budget, at, data, context.wall_time(), context.clock.now());
  ++file.write_seq;
  lock.unlock();
  ++context.statistics.writes;
  context.statistics.written_bytes += data.size();
  flusher.wrote(inode);
  return at;
}

Status Filesystem::write(InodeId inode, uint64_t offset, std::span<const uint8_t> data) {
  TRY(state_->write(inode, offset, data));
  return {};
}

Result<uint64_t> Filesystem::append(InodeId inode, std::span<const uint8_t> data) {
  return state_->write(inode, std::nullopt, data);
}

Status Filesystem::zero_range(InodeId id, uint64_t offset, uint64_t length, bool may_grow) {
  ClientContext& context = state_->context;
  TRY(context.session->alive());
  if (length == 0 || offset > kMaxFileBytes || length > kMaxFileBytes - offset)
    return Error{Errc::invalid, "a range beyond the largest file"};
  const std::shared_ptr<Inode> inode = context.inodes.get(id);
  if (context.session->trusted()) {
    TRY(state_->know(inode));
  } else {
    TRY(get_attributes(id));
  }
  state_->begin_change(inode);
  uint64_t end = 0, committed_end = 0;
  {
    Lock lock(inode->mutex);
    end = may_grow ? offset + length : std::min(offset + length, inode->size());
    committed_end = std::min(end, inode->attributes.size);
  }
  const Time now = context.wall_time();
  const State::Asked asked = state_->asking();
  std::optional<Result<Attributes>> answer;
  if (offset < committed_end)
    answer = context.noted(context.meta.trim_range({id, offset, committed_end - offset, now}));
  const bool failed = answer && !answer->ok();
  bool grown = false;
  {
    Lock lock(inode->mutex);
    FileState& file = inode->file();
    file.tail.reset();
    if (failed || file.layout.head() != LayoutCache::Head::extents) {
      file.layout.forget();
    } else if (answer) {
      file.layout.make_hole(offset, committed_end);
    }
    if (failed) {
      inode->attributes_known = false;
    } else if (offset < end) {
      file.dirty.erase(offset, end);
      if (may_grow && end > inode->size()) {
        file.dirty.grow(end, now, context.clock.now());
        ++file.write_seq;
        grown = true;
      }
    }
  }
  if (answer && answer->ok()) (void)state_->changed(**answer, asked);
  state_->end_change(inode);
  if (grown) state_->flusher.wrote(inode);
  if (failed) return answer->error();
  return {};
}

Status Filesystem::sync(InodeId id) {
  TRY(state_->context.session->alive());
  ++state_->context.statistics.syncs;
  if (id == kRootInode) return state_->flusher.sync_all();
  const std::shared_ptr<Inode> inode = state_->context.inodes.find(id);
  if (inode == nullptr) return {};
  {
    Lock lock(inode->mutex);
    if (inode->file_if() == nullptr)
      return {};  // nothing was ever written; names are durable when they are acknowledged
  }
  return state_->flusher.sync(inode);
}

Status Filesystem::sync_all() {
  TRY(state_->context.session->alive());
  ++state_->context.statistics.syncs;
  return state_->flusher.sync_all();
}

}  // namespace cairn

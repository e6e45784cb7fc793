// Bytes: reads of one snapshot, buffered writes, truncation and zeroing, and making durable.
#include <fmt/format.h>

#include "client/filesystem_state.h"

namespace cairn {

namespace {
constexpr int kAttempts = 100;  // answers that our own commits overtook
}

Result<size_t> Filesystem::read(InodeId id, uint64_t offset, std::span<uint8_t> into) {
  TRY(state_->context.session->alive());
  if (into.empty() || offset >= kMaxFileBytes) return size_t{0};
  into = into.first(std::min<uint64_t>(into.size(), kMaxFileBytes - offset));
  const std::shared_ptr<Inode> inode = state_->context.inodes.get(id);
  return state_->read(inode, offset, into, false);
}

Result<size_t> Filesystem::fill_pages(InodeId id, uint64_t offset, std::span<uint8_t> into) {
  TRY(state_->context.session->alive());
  if (into.empty() || offset >= kMaxFileBytes) return size_t{0};
  const std::shared_ptr<Inode> inode = state_->context.inodes.get(id);
  bool for_writing = false;
  {
    Lock lock(inode->mutex);
    for_writing = inode->writable_handles > 0;
  }
  TRY(state_->context.leases->begin_fill(*inode, {offset, offset + into.size()}, for_writing));
  into = into.first(std::min<uint64_t>(into.size(), kMaxFileBytes - offset));
  return state_->read(inode, offset, into, true);
}

Result<size_t> Filesystem::State::read(const std::shared_ptr<Inode>& inode, uint64_t offset, std::span<uint8_t> into,
                                       bool of_pages) {
  ASSIGN(const ReadPath::Done done, reader.read(inode, offset, into, of_pages));
  ++context.statistics.reads;
  context.statistics.read_bytes += done.bytes;
  if (done.advice.fetch_from < done.advice.fetch_to) ahead->fetch(inode, done.advice);
  return done.bytes;
}

Status Filesystem::State::know(const std::shared_ptr<Inode>& inode) {
  {
    Lock lock(inode->mutex);
    if (inode->attributes.version != 0) return {};
  }
  const Asked asked = asking();
  uint64_t leased = 0;
  ASSIGN(const Attributes answer, context.noted(context.meta.get_attributes(inode->id, &leased)));
  (void)learn(answer, asked, leased);
  return {};
}

Result<uint64_t> Filesystem::State::write(InodeId id, std::optional<uint64_t> offset, std::span<const uint8_t> data,
                                          bool of_pages) {
  TRY(context.session->alive());
  const std::shared_ptr<Inode> inode = context.inodes.get(id);
  TRY(know(inode));
  ASSIGN(const BufferBudget::Room room, context.budget->wait_for_room(data.size()));
  if (of_pages) {
    // The recall that drops these pages waits for them, and commits them before the lease is given back.
    Lock lock(inode->mutex);
    if (inode->lease.recalling && context.leases->holds(*inode)) return buffer(inode, lock, offset, data);
  }
  while (true) {
    TRY(context.leases->acquire_write(*inode));
    const Pinned pinned(*inode);
    if (!offset) TRY(know_end(inode));
    Lock lock(inode->mutex);
    inode->changed.wait(lock, [&] { return !inode->file().changing; });
    if (context.leases->may_buffer(*inode)) return buffer(inode, lock, offset, data);
  }
}

// The end of the file, as of now: nobody else may move it.
Status Filesystem::State::know_end(const std::shared_ptr<Inode>& inode) {
  {
    Lock lock(inode->mutex);
    if (inode->attributes_known) return {};
  }
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const Asked asked = asking();
    uint64_t leased = 0;
    ASSIGN(const Attributes answer, context.noted(context.meta.get_attributes(inode->id, &leased)));
    Lock lock(inode->mutex);
    if (answer.version < inode->attributes.version) continue;  // a commit of ours came between
    inode->learn(answer, context.leases->keep(*inode, asked.lease, leased) && inode->changed_at <= asked.at);
    return {};
  }
  return Error{Errc::io, fmt::format("inode {} changes faster than its end can be found", raw(inode->id))};
}

Result<uint64_t> Filesystem::State::buffer(const std::shared_ptr<Inode>& inode, Lock& lock,
                                           std::optional<uint64_t> offset, std::span<const uint8_t> data) {
  FileState& file = inode->file();
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
  TRY(state_->write(inode, offset, data, false));
  return {};
}

Status Filesystem::write_pages(InodeId inode, uint64_t offset, std::span<const uint8_t> data) {
  TRY(state_->write(inode, offset, data, true));
  return {};
}

Result<uint64_t> Filesystem::append(InodeId inode, std::span<const uint8_t> data) {
  return state_->write(inode, std::nullopt, data, false);
}

void Filesystem::wrote_beside_pages(InodeId id, bool cached) {
  const std::shared_ptr<Inode> inode = state_->context.inodes.get(id);
  {
    Lock lock(inode->mutex);
    if (cached) inode->lease.pages = true;
  }
  // The sole mount's kernel has seen to it already.
  if (!cached && !state_->context.session->trusted()) state_->context.leases->drop_pages(*inode);
}

Status Filesystem::zero_range(InodeId id, uint64_t offset, uint64_t length, bool may_grow) {
  ClientContext& context = state_->context;
  TRY(context.session->alive());
  if (length == 0 || offset > kMaxFileBytes || length > kMaxFileBytes - offset)
    return Error{Errc::invalid, "a range beyond the largest file"};
  const std::shared_ptr<Inode> inode = context.inodes.get(id);
  TRY(context.leases->acquire_write(*inode));
  const Pinned pinned(*inode);
  TRY(state_->know_end(inode));
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

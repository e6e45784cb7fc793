#include "client/write/flusher.h"

#include <fmt/format.h>

#include <algorithm>

namespace cairn {

namespace {

constexpr uint64_t kStreamFlushBytes = 8 << 20;   // of one flush of a stream
constexpr uint64_t kRandomFlushBytes = 16 << 20;  // of one inode, written here and there
constexpr size_t kManyPieces = 4096;
constexpr size_t kSharedFiles = 2048;  // of one shared flush, at most
constexpr uint64_t kSharedBytes = 16 << 20;
constexpr Duration kRetryAfter = 1s;  // a failed flush

}  // namespace

Flusher::Flusher(ClientContext& context, ChunkPool& pool, ReadPath& reader)
    : context_(context), pool_(pool), reader_(reader) {}

void Flusher::start(uint32_t threads) {
  for (uint32_t i = 0; i < threads; ++i) threads_.emplace_back("cairn-flush", [this] { loop(); });
}

void Flusher::stop() {
  {
    Lock lock(mutex_);
    stopping_ = true;
    work_.notify_all();
    for (auto& [key, one] : lanes_) one->changed.notify_all();
  }
  for (Thread& thread : threads_) thread.join();
}

void Flusher::register_dirty(const std::shared_ptr<Inode>& inode) {
  FileState& file = inode->file();
  if (file.registered || file.dirty.empty()) return;
  file.registered = true;
  const Instant due =
      file.failing ? context_.clock.now() + kRetryAfter : file.dirty.since() + context_.options.flush_after;
  Lock lock(mutex_);
  const bool first = due_.empty() || due < due_.begin()->first.first;
  due_.emplace(std::pair(due, inode->id), inode);
  if (first) work_.notify_one();
}

void Flusher::wrote(const std::shared_ptr<Inode>& inode) {
  bool queue = false;
  {
    Lock lock(inode->mutex);
    FileState& file = inode->file();
    register_dirty(inode);
    const uint64_t stream = file.dirty.stream_bytes();
    const PieceMap& pieces = file.dirty.pieces();
    const bool enough =
        stream >= kStreamFlushBytes || pieces.bytes() >= kRandomFlushBytes || pieces.count() >= kManyPieces;
    if (enough && !file.stream_queued && !file.failing) queue = file.stream_queued = true;
  }
  const bool pressure = context_.budget->held() > context_.budget->limit() / 2;
  if (!queue && !pressure) return;
  Lock lock(mutex_);
  if (queue) streams_.push_back(inode);
  if (pressure) pressure_ = true;
  work_.notify_one();
}

Flusher::Lane& Flusher::lane(ClassId storage_class, ChunkKind kind) {
  auto& slot = lanes_[{storage_class, kind}];
  if (!slot) slot = std::make_unique<Lane>();
  return *slot;
}

void Flusher::loop() {
  Lock lock(mutex_);
  while (!stopping_) {
    const auto ready = std::find_if(lanes_.begin(), lanes_.end(),
                                    [](const auto& one) { return !one.second->busy && !one.second->requests.empty(); });
    if (ready != lanes_.end()) {
      ready->second->busy = true;
      lock.unlock();
      lead(ready->first.first, *ready->second);
      lock.lock();
    } else if (!streams_.empty()) {
      const std::shared_ptr<Inode> inode = std::move(streams_.front());
      streams_.pop_front();
      lock.unlock();
      {
        Lock inode_lock(inode->mutex);
        inode->file().stream_queued = false;
      }
      flush_alone(inode, false);
      lock.lock();
    } else if (pressure_ || (!due_.empty() && due_.begin()->first.first <= context_.clock.now())) {
      dispatch_due(lock);
    } else {
      work_.wait_until(lock, due_.empty() ? Instant::never() : due_.begin()->first.first);
    }
  }
}

void Flusher::dispatch_due(Lock& lock) {
  const bool all = std::exchange(pressure_, false);
  const Instant now = context_.clock.now();
  std::vector<std::shared_ptr<Inode>> inodes;
  while (!due_.empty() && inodes.size() < kSharedFiles && (all || due_.begin()->first.first <= now)) {
    inodes.push_back(std::move(due_.begin()->second));
    due_.erase(due_.begin());
  }
  lock.unlock();
  for (const auto& inode : inodes) {
    bool alone = false, empty = false;
    ClassId storage_class{};
    {
      Lock inode_lock(inode->mutex);
      FileState& file = inode->file();
      file.registered = false;
      empty = file.dirty.empty();
      storage_class = inode->attributes.storage_class;
      alone = file.dirty.pieces().bytes() >= context_.cluster.stripe_bytes(storage_class);
      if (alone) empty = std::exchange(file.stream_queued, true);  // then it is queued already
    }
    if (empty) continue;
    Lock again(mutex_);
    if (alone) {
      streams_.push_back(inode);
    } else {
      queue_shared(inode, storage_class);
    }
    work_.notify_one();
  }
  lock.lock();
}

void Flusher::queue_shared(const std::shared_ptr<Inode>& inode, ClassId storage_class) {
  lane(storage_class, ChunkKind::mixed).requests.push_back(std::make_shared<Request>(Request{inode, true}));
}

Result<bool> Flusher::prepare(const std::shared_ptr<Inode>& inode) {
  Result<bool> known = reader_.ensure_head(*inode);
  if (!known.ok() && (known.code() == Errc::not_found || known.code() == Errc::stale_handle)) give_up(inode);
  return known;
}

// Nothing of the inode was taken, because what must be known of it could not be learnt.
void Flusher::note_failure(const std::shared_ptr<Inode>& inode, const Error& error) {
  Lock lock(inode->mutex);
  FileState& file = inode->file();
  if (!file.dirty.empty()) {
    ++file.failures;
    file.failure = {Errc::io, error.what};
    if (!file.failing) file.failure_told = false;
    file.failing = true;
    register_dirty(inode);
  }
  inode->changed.notify_all();
}

// The inode was deleted by another mount: nobody can read what is buffered here.
void Flusher::give_up(const std::shared_ptr<Inode>& inode) {
  Lock lock(inode->mutex);
  FileState& file = inode->file();
  context_.statistics.dropped_bytes += file.dirty.pieces().bytes();
  file.dirty.clear();
  inode->changed.notify_all();
}

Result<Taken> Flusher::take_known(const std::shared_ptr<Inode>& inode, TakeRule rule, FlushFile& file) {
  const auto holds = [&] {
    Lock lock(inode->mutex);
    return context_.leases->holds(*inode);
  };
  if (!holds()) {
    ASSIGN(const bool known, prepare(inode));
    if (!known) return Taken::busy;
  }
  for (int attempt = 0; attempt < 3; ++attempt) {
    rule.trusted = holds();
    const Taken taken = take(inode, rule, file);
    if (taken == Taken::yes) load_rewritten(file, reader_);
    if (taken != Taken::unknown) return taken;
    ASSIGN(const bool known, prepare(inode));
    if (!known) return Taken::busy;
  }
  return Taken::busy;
}

void Flusher::flush_alone(const std::shared_ptr<Inode>& inode, bool everything) {
  if (!context_.session->alive().ok()) return;
  ClassId storage_class{};
  {
    Lock lock(inode->mutex);
    storage_class = inode->attributes.storage_class;
  }
  Lane* mine = nullptr;
  {
    Lock lock(mutex_);
    mine = &lane(storage_class, ChunkKind::stream);
    mine->changed.wait(lock, [&] { return !mine->busy; });
    mine->busy = true;
  }
  TakeRule rule;
  rule.may_overlap = true;
  rule.stripe_bytes = context_.cluster.stripe_bytes(storage_class);
  if (!everything) rule.most_bytes = kStreamFlushBytes;
  FlushFile file;
  const Result<Taken> taken = take_known(inode, rule, file);
  FlushJob job(context_, pool_, storage_class, ChunkKind::stream);
  const bool took = taken.ok() && *taken == Taken::yes;
  if (took) {
    job.add(std::move(file));
    job.append();
  }
  {
    Lock lock(mutex_);
    mine->busy = false;
    mine->changed.notify_one();
  }
  if (!taken.ok()) return note_failure(inode, taken.error());
  if (!took) return;
  if (!everything) wrote(inode);  // there may be enough for the next flush, appended while this one settles
  (void)job.settle();             // the inode knows the outcome
  finished(job);
}

void Flusher::flush_shared(const std::shared_ptr<Inode>& inode) {
  if (!context_.session->alive().ok()) return;
  ClassId storage_class{};
  {
    Lock lock(inode->mutex);
    storage_class = inode->attributes.storage_class;
  }
  const auto request = std::make_shared<Request>(Request{inode, true});
  Lock lock(mutex_);
  Lane& mine = lane(storage_class, ChunkKind::mixed);
  mine.requests.push_back(request);
  mine.changed.wait(lock, [&] { return !mine.busy || !request->waiting; });
  if (!request->waiting) return;
  mine.busy = true;
  lock.unlock();
  lead(storage_class, mine);
}

void Flusher::lead(ClassId storage_class, Lane& mine) {
  FlushJob job(context_, pool_, storage_class, ChunkKind::mixed);
  TakeRule rule;
  rule.stripe_bytes = context_.cluster.stripe_bytes(storage_class);
  while (job.files() < kSharedFiles && job.bytes() < kSharedBytes) {
    std::shared_ptr<Request> request;
    {
      Lock lock(mutex_);
      if (mine.requests.empty()) break;
      request = std::move(mine.requests.front());
      mine.requests.pop_front();
      request->waiting = false;
    }
    FlushFile file;
    const Result<Taken> taken = take_known(request->inode, rule, file);
    if (!taken.ok()) {
      note_failure(request->inode, taken.error());
    } else if (*taken == Taken::yes) {
      job.add(std::move(file));
    }
  }
  job.append();
  {
    Lock lock(mutex_);
    mine.busy = false;
    mine.changed.notify_all();
    if (!mine.requests.empty()) work_.notify_one();
  }
  if (job.files() == 0) return;
  (void)job.settle();  // the inodes know the outcome
  finished(job);
}

void Flusher::finished(const FlushJob& job) {
  for (const FlushFile& file : job.finished()) {
    Lock lock(file.inode->mutex);
    register_dirty(file.inode);
    file.inode->changed.notify_all();
  }
}

Status Flusher::sync(const std::shared_ptr<Inode>& inode) {
  const Status stored = store(inode);
  if (!stored.ok()) note_told(inode);
  return stored;
}

// Somebody is about to know that it failed.
void Flusher::note_told(const std::shared_ptr<Inode>& inode) {
  Lock lock(inode->mutex);
  inode->file().failure_told = true;
  inode->file().losses_synced = inode->file().losses;
}

Status Flusher::store(const std::shared_ptr<Inode>& inode) {
  Lock lock(inode->mutex);
  FileState& file = inode->file();
  const uint64_t target = file.write_seq;
  const uint64_t failures = file.failures;
  while (file.committed_seq < target) {
    TRY(context_.session->alive());
    if (file.failures != failures) return file.failure;
    if (file.dirty.empty() && file.flushing.empty()) break;  // dropped: truncated, or the file is gone
    const bool shared = file.dirty.pieces().bytes() < context_.cluster.stripe_bytes(inode->attributes.storage_class);
    const bool must_wait =
        file.changing || file.dirty.empty() || file.taken_seq >= target || (shared && !file.flushing.empty());
    if (must_wait) {
      inode->changed.wait(lock);
      continue;
    }
    lock.unlock();
    if (shared) {
      flush_shared(inode);
    } else {
      flush_alone(inode, true);
    }
    lock.lock();
    if (!shared && file.committed_seq < target && file.failures == failures && file.taken_seq < target &&
        !file.flushing.empty()) {
      inode->changed.wait(lock);  // it could not be taken behind what is under way
    }
  }
  TRY(context_.session->alive());
  if (file.losses > file.losses_synced) return file.loss;
  return {};
}

Status Flusher::sync_all() {
  std::vector<std::shared_ptr<Inode>> failed;  // told together, when the caller is: until then nothing may be dropped
  Status stored = store_all(failed);
  for (const auto& inode : failed) note_told(inode);
  return stored;
}

Status Flusher::store_all() {
  std::vector<std::shared_ptr<Inode>> failed;
  return store_all(failed);
}

Status Flusher::store_all(std::vector<std::shared_ptr<Inode>>& failed) {
  std::vector<std::shared_ptr<Inode>> inodes = context_.inodes.all();
  std::erase_if(inodes, [&](const std::shared_ptr<Inode>& inode) {
    Lock lock(inode->mutex);
    const FileState* file = inode->file_if();
    if (file == nullptr || (!inode->dirty() && file->losses == file->losses_synced)) return true;
    if (!file->dirty.empty() && file->flushing.empty() &&
        file->dirty.pieces().bytes() < context_.cluster.stripe_bytes(inode->attributes.storage_class)) {
      Lock own(mutex_);
      queue_shared(inode, inode->attributes.storage_class);
    }
    return false;
  });
  {
    Lock lock(mutex_);
    work_.notify_all();
  }
  Status first;
  for (const auto& inode : inodes) {
    Status stored = store(inode);
    if (stored.ok()) continue;
    failed.push_back(inode);
    if (first.ok()) first = std::move(stored);
  }
  return first;
}

}  // namespace cairn

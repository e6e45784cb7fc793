#include "client/filesystem.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "client/filesystem_state.h"
#include "common/base/random.h"

namespace cairn {

namespace {

constexpr uint32_t kFlushThreads = 3;  // one appends, one syncs, one commits
constexpr uint32_t kAheadThreads = 2;
constexpr uint32_t kRecallThreads = 4;  // each may wait for a flush

}  // namespace

std::string Filesystem::host() {
  char name[256] = {};
  if (::gethostname(name, sizeof(name) - 1) != 0) return "unknown";
  return name;
}

Filesystem::State::State(Network& network, Clock& clock, FilesystemOptions options)
    : context(network, clock, std::move(options)),
      reader(context),
      pool(context.meta, context.chunks, clock, context.options.io_timeout, context.options.patience,
           context.statistics),
      orphans(context.meta, clock, context.statistics),
      flusher(context, pool, reader),
      locks(context.meta, clock, [this](const Error& error) { context.session->note(error); }) {}

Filesystem::State::~State() { stop_threads(); }

SessionRequest Filesystem::State::session_request() {
  SessionRequest request;
  request.name = context.options.name;
  request.host = host();
  request.pid = ::getpid();
  request.mount = true;
  request.nonce = context.options.seed != 0 ? mix64(context.options.seed + sessions) : random_seed();
  ++sessions;
  return request;
}

Status Filesystem::State::open_session() {
  const Instant asked_at = context.clock.now();
  ASSIGN(const SessionGrant grant, context.meta.open_session(session_request()));
  TRY(context.cluster.refresh());
  open_disk_cache(grant.incarnation);
  SessionKeeper::Hooks hooks;
  hooks.drop_caches = [this] {
    forget_names();
    context.leases->forget_all();
  };
  hooks.flush_all = [this] {
    if (const Status flushed = flusher.store_all(); !flushed.ok())
      spdlog::warn("flushing for another mount: {}", flushed.error().what);
  };
  hooks.drop_kernel_caches = [this] {
    context.leases->drop_all_pages();
    if (CacheListener* told = listener.load()) told->become_shared();
  };
  hooks.lease_what_is_in_use = [this] { context.leases->lease_what_is_in_use(); };
  hooks.recalled = [this](const Lease& lease) { context.leases->recalled(lease); };
  hooks.reclaim = [this](bool sole) -> Status {
    forget_names();
    TRY(locks.restarted(context.session->run()));  // first: with the last lease everything is said
    return context.leases->reclaim(sole);
  };
  hooks.lost = [this] { lose_session(); };
  hooks.request = [this] { return session_request(); };
  hooks.map_changed = [this] {
    if (const Status refreshed = context.cluster.refresh(); !refreshed.ok())
      spdlog::debug("cluster map: {}", refreshed.error().what);
  };
  hooks.wake = [this] { wake_all(); };
  hooks.lock_ended = [this](const LockNotice& notice) { locks.ended(notice); };
  context.session = std::make_unique<SessionKeeper>(context.meta, context.clock, context.statistics, grant, asked_at,
                                                    std::move(hooks));
  LeaseKeeper::Hooks of_leases;
  of_leases.store = [this](const std::shared_ptr<Inode>& inode) { return flusher.store(inode); };
  of_leases.drop_pages = [this](InodeId inode, PageRange range) {
    if (CacheListener* told = listener.load()) told->drop_pages(inode, range.from, range.to);
  };
  of_leases.forget = [this](Inode& inode) { forget(inode); };
  context.leases = std::make_unique<LeaseKeeper>(context.meta, context.clock, *context.session, context.inodes,
                                                 context.options.io_timeout, std::move(of_leases));
  return {};
}

void Filesystem::State::start() {
  ahead = std::make_unique<ReadAhead>(reader, kAheadThreads);
  flusher.start(kFlushThreads);
  context.leases->start(kRecallThreads);
  context.session->start();
}

void Filesystem::State::stop_threads() {
  context.budget->shut({Errc::io, "the filesystem is closed"});
  if (context.session) context.session->begin_stop();
  if (context.leases) context.leases->begin_stop();
  context.meta.shut_down();
  locks.fail_all({Errc::io, "the filesystem is closed"});
  pool.begin_stop();
  wake_all();
  if (context.session) context.session->stop();
  if (context.leases) context.leases->stop();
  if (ahead) ahead->stop();
  flusher.stop();
  pool.stop();
  orphans.stop();
  locks.stop();
  if (context.disk_cache) context.disk_cache->stop();
  cache_directory.reset();  // the next mount may have it
}

void Filesystem::State::forget(Inode& inode) {
  inode.attributes_known = false;
  inode.changed_at = context.next_change();
  inode.no_xattrs = false;
  if (FileState* file = inode.file_if()) {
    file->layout.forget();
    file->tail.reset();
  }
  context.names.forget_directory(inode.id);
  context.listings.forget(inode.id);
  context.details.forget(inode.id);
}

void Filesystem::State::forget_names() {
  context.names.clear();
  context.listings.clear();
  context.details.clear();
}

// The session's end has sealed its chunks and freed its orphans. What was buffered under it is never stored under
// another: somebody else may have changed the same file since.
void Filesystem::State::lose_session() {
  const Error loss{Errc::io, "the mount was cut off for longer than its session lives, and what was buffered is lost"};
  pool.abandon();
  locks.forget_all(loss);
  for (const auto& inode : context.inodes.all()) {
    Lock lock(inode->mutex);
    if (inode->orphan || inode->said_open) inode->forgotten = true;
    FileState* const file = inode->file_if();
    if (file == nullptr) continue;
    inode->changed.wait(lock, [&] { return file->flushing.empty(); });  // they fail, as nothing is answered any more
    if (!inode->dirty()) continue;
    context.statistics.dropped_bytes += file->dirty.pieces().bytes();
    file->dirty.clear();
    file->failing = false;
    ++file->losses;
    file->loss = loss;
    inode->changed.notify_all();
  }
}

void Filesystem::State::wake_all() {
  for (const auto& inode : context.inodes.all()) {
    Lock lock(inode->mutex);
    inode->changed.notify_all();
  }
}

FileHandle Filesystem::State::add_handle(const std::shared_ptr<Inode>& inode, bool writable) {
  Handle handle{inode, writable, 0, 0, 0};
  {
    Lock lock(inode->mutex);
    if (const FileState* file = inode->file_if()) {
      handle.losses_told = handle.losses_synced = file->losses;
      handle.failures_told = file->failures;
    }
  }
  Lock lock(handles_mutex);
  const FileHandle id = next_handle++;
  handles.emplace(id, std::move(handle));
  return id;
}

Status Filesystem::State::confirm_open(const std::shared_ptr<Inode>& inode) {
  TRY(attributes(inode->id));
  {
    const Lock lock(inode->mutex);
    if (context.leases->holds(*inode)) return {};  // so this mount is listed for it
  }
  // A look that brings no lease may not be listed (there are too many): [L13]. What is acquired is, so it is there for
  // good if it is there now.
  TRY(context.noted(context.meta.acquire_leases({{inode->id, LeaseKind::read, 0}})));
  TRY(attributes(inode->id));
  return {};
}

std::shared_ptr<Inode> Filesystem::State::inode_of(FileHandle handle) {
  Lock lock(handles_mutex);
  const auto found = handles.find(handle);
  return found == handles.end() ? nullptr : found->second.inode;
}

Result<std::unique_ptr<Filesystem>> Filesystem::mount(Network& network, Clock& clock, FilesystemOptions options) {
  auto state = std::make_unique<State>(network, clock, std::move(options));
  TRY(state->open_session());
  state->start();
  return std::unique_ptr<Filesystem>(new Filesystem(std::move(state)));
}

Filesystem::Filesystem(std::unique_ptr<State> state) : state_(std::move(state)) {}
Filesystem::~Filesystem() = default;

Status Filesystem::close() {
  if (std::exchange(state_->closed, true)) return {};
  Status result = state_->context.session->alive();
  if (result.ok()) result = state_->flusher.sync_all();
  // What the metaserver cannot be told now, the session's end does.
  if (const Status told = state_->orphans.flush(); !told.ok()) spdlog::debug("orphans at close: {}", told.error().what);
  state_->context.session->begin_stop();
  const Status ended = state_->context.meta.close_session();
  if (!ended.ok() && ended.code() != Errc::no_session && result.ok()) result = ended;
  state_->stop_threads();
  return result;
}

void Filesystem::set_listener(CacheListener* listener) { state_->listener = listener; }
bool Filesystem::sole() const { return state_->context.session->trusted(); }
Duration Filesystem::cache_ttl() const { return state_->context.session->trusted_for(); }
uint64_t Filesystem::lost_sessions() const { return state_->context.statistics.lost_sessions; }
LockKeeper& Filesystem::locks() { return state_->locks; }
Address Filesystem::metaserver() const { return state_->context.options.metaserver; }

Result<FileHandle> Filesystem::open(InodeId id, bool truncate, bool writable) {
  TRY(state_->context.session->alive());
  const std::shared_ptr<Inode> inode = state_->context.inodes.get(id);
  bool known = false;
  {
    // Before the metaserver is asked: should another mount remove the last name now, this one is asked about it.
    Lock lock(inode->mutex);
    if (inode->forgotten) return Error{Errc::stale_handle, fmt::format("inode {} is deleted", raw(id))};
    ++inode->open_handles;
    if (writable) ++inode->writable_handles;
    known = state_->context.session->trusted() || (inode->attributes_known && state_->context.leases->trusted(*inode));
  }
  const FileHandle handle = state_->add_handle(inode, writable);
  if (!known) {
    if (const Status there = state_->confirm_open(inode); !there.ok()) {
      TRY(release(handle));
      return there.error();
    }
  }
  if (truncate) {
    SetAttributes request;
    request.inode = id;
    request.size = 0;
    if (const Result<Attributes> done = set_attributes(request); !done.ok()) {
      TRY(release(handle));
      return done.error();
    }
  }
  return handle;
}

Result<Filesystem::Created> Filesystem::create(const MakeNode& request) {
  ASSIGN(Entry entry, make_node(request));
  // Its lease came with it, unless another mount has found it meanwhile, and perhaps removed it.
  ASSIGN(const FileHandle handle, open(entry.attributes.inode, false));
  return Created{std::move(entry), handle};
}

Result<Filesystem::Anonymous> Filesystem::create_anonymous(const MakeAnonymous& request) {
  TRY(state_->context.session->alive());
  const State::Asked asked = state_->asking();
  uint64_t leased = 0;
  ASSIGN(const Attributes made, state_->context.noted(state_->context.meta.make_anonymous(request, &leased)));
  state_->learn_made({{}, {}, made, 0}, {}, asked, leased);
  {
    const std::shared_ptr<Inode> inode = state_->context.inodes.get(made.inode);
    const Lock lock(inode->mutex);
    inode->orphan = true;  // so the last release() frees it
  }
  ASSIGN(const FileHandle handle, open(made.inode, false));
  return Anonymous{made, handle};
}

Status Filesystem::flush(FileHandle handle) {
  TRY(state_->context.session->alive());
  const std::shared_ptr<Inode> inode = state_->inode_of(handle);
  if (inode == nullptr) return Error{Errc::invalid, fmt::format("no open file has handle {}", handle)};
  uint64_t losses = 0, failures = 0;
  Error failure{}, loss{};
  {
    Lock lock(inode->mutex);
    FileState* file = inode->file_if();
    if (file == nullptr) return {};
    losses = file->losses;
    loss = file->loss;
    failures = file->failing ? file->failures : 0;
    failure = file->failure;
    if (file->failing) file->failure_told = true;
  }
  Lock lock(state_->handles_mutex);
  const auto found = state_->handles.find(handle);
  if (found == state_->handles.end()) return {};
  const bool lost = losses > std::exchange(found->second.losses_told, losses);
  const bool failed = failures > found->second.failures_told;
  if (failed) found->second.failures_told = failures;
  if (lost) return loss;
  if (failed) return failure;
  return {};
}

Status Filesystem::fsync(FileHandle handle) {
  const std::shared_ptr<Inode> inode = state_->inode_of(handle);
  if (inode == nullptr) return Error{Errc::invalid, fmt::format("no open file has handle {}", handle)};
  const Status synced = sync(inode->id);
  uint64_t losses = 0;
  Error loss{};
  {
    Lock lock(inode->mutex);
    FileState* file = inode->file_if();
    if (file == nullptr) return synced;
    losses = file->losses;
    loss = file->loss;
  }
  Lock lock(state_->handles_mutex);
  const auto found = state_->handles.find(handle);
  if (found == state_->handles.end()) return synced;
  const bool lost = losses > std::exchange(found->second.losses_synced, losses);
  return synced.ok() && lost ? Status(loss) : synced;
}

Status Filesystem::release(FileHandle handle) {
  State::Handle released;
  {
    Lock lock(state_->handles_mutex);
    const auto found = state_->handles.find(handle);
    if (found == state_->handles.end()) return Error{Errc::invalid, fmt::format("no open file has handle {}", handle)};
    released = std::move(found->second);
    state_->handles.erase(found);
  }
  const std::shared_ptr<Inode>& inode = released.inode;
  {
    Lock lock(inode->mutex);
    if (released.writable) --inode->writable_handles;
    if (--inode->open_handles == 0) {
      if (FileState* file = inode->file_if()) file->tail.reset();
      // Another mount took its last name while it was open here.
      if (std::exchange(inode->said_open, false)) inode->orphan = true;
    }
  }
  state_->forget_if_orphan(inode);
  return {};
}

std::string Filesystem::statistics_json() const {
  const Statistics& s = state_->context.statistics;
  const nlohmann::json json = {
      {"reads", s.reads.load()},
      {"read_bytes", s.read_bytes.load()},
      {"writes", s.writes.load()},
      {"written_bytes", s.written_bytes.load()},
      {"syncs", s.syncs.load()},
      {"cached_stripe_hits", s.cached_stripe_hits.load()},
      {"cached_stripe_misses", s.cached_stripe_misses.load()},
      {"fetched_stripes", s.fetched_stripes.load()},
      {"direct_extents", s.direct_extents.load()},
      {"decoded_stripes", s.decoded_stripes.load()},
      {"hedged_cells", s.hedged_cells.load()},
      {"read_troubles", s.read_troubles.load()},
      {"read_retries", s.read_retries.load()},
      {"flushes", s.flushes.load()},
      {"flush_failures", s.flush_failures.load()},
      {"stored_stripes", s.stored_stripes.load()},
      {"stored_bytes", s.stored_bytes.load()},
      {"inline_files", s.inline_files.load()},
      {"rewritten_tails", s.rewritten_tails.load()},
      {"commits", s.commits.load()},
      {"committed_files", s.committed_files.load()},
      {"chunks_granted", s.chunks_granted.load()},
      {"chunks_broken", s.chunks_broken.load()},
      {"chunks_sealed", s.chunks_sealed.load()},
      {"name_hits", s.name_hits.load()},
      {"name_misses", s.name_misses.load()},
      {"attribute_hits", s.attribute_hits.load()},
      {"attribute_misses", s.attribute_misses.load()},
      {"layout_fetches", s.layout_fetches.load()},
      {"listing_hits", s.listing_hits.load()},
      {"listing_misses", s.listing_misses.load()},
      {"orphans_forgotten", s.orphans_forgotten.load()},
      {"dropped_bytes", s.dropped_bytes.load()},
      {"recalls", s.recalls.load()},
      {"lost_sessions", s.lost_sessions.load()},
      {"dirty_bytes", state_->context.budget->held()},
      {"cached_bytes", state_->context.blocks.cached_bytes()},
      {"cached_inodes", state_->context.inodes.size()},
      {"cached_names", state_->context.names.size()},
      {"listing_bytes", state_->context.listings.bytes()},
      {"detail_bytes", state_->context.details.bytes()},
      {"messages", state_->context.meta.messages()},
      {"sole", sole()},
  };
  return json.dump();
}

}  // namespace cairn

#include "client/sessions/lease_keeper.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/probes/planted_bug.h"
#include "common/probes/rare_path.h"

namespace cairn {

namespace {

using Held = InodeLease::Held;

constexpr size_t kBatch = 256;           // leases of one message
constexpr Duration kFlushAgain = 200ms;  // of what could not be stored, before a lease is given back
constexpr Duration kAskAgain = 2ms;      // for a lease, while a change of another mount is under way
constexpr Duration kPageMayWait =
    10ms;  // for the kernel to drop pages beside it; then it is the page that it waits for
constexpr uint64_t kWholeFile = INT64_MAX;

// What is left of the file without these ranges.
std::vector<PageRange> all_but(std::vector<PageRange> left_out) {
  std::ranges::sort(left_out, {}, &PageRange::from);
  std::vector<PageRange> ranges;
  uint64_t at = 0;
  for (const PageRange& range : left_out) {
    if (at < range.from) ranges.push_back({at, range.from});
    at = std::max(at, range.to);
  }
  ranges.push_back({at, kWholeFile});
  return ranges;
}

}  // namespace

LeaseKeeper::LeaseKeeper(MetaClient& meta, Clock& clock, SessionKeeper& session, InodeTable& inodes,
                         Duration io_timeout, Hooks hooks)
    : meta_(meta),
      clock_(clock),
      session_(session),
      inodes_(inodes),
      io_timeout_(io_timeout),
      hooks_(std::move(hooks)) {}

void LeaseKeeper::start(uint32_t threads) {
  for (uint32_t i = 0; i < threads; ++i) threads_.emplace_back("cairn-recall", [this] { loop(); });
}

void LeaseKeeper::begin_stop() {
  const Lock lock(mutex_);
  stopping_ = true;
  work_.notify_all();
}

void LeaseKeeper::stop() {
  begin_stop();
  for (Thread& thread : threads_) thread.join();
}

bool LeaseKeeper::stopped() const {
  const Lock lock(mutex_);
  return stopping_;
}

// ---- what is known -------------------------------------------------------------------------------------------------

bool LeaseKeeper::holds(const Inode& inode) const {
  return session_.trusted() || (session_.certain() && inode.lease.held != Held::none);
}

bool LeaseKeeper::trusted(const Inode& inode) const {
  if (session_.trusted()) return true;
  const InodeLease& lease = inode.lease;
  const bool changing = lease.own_changes > 0 && !planted(PlantedBug::show_own_change);
  return lease.held != Held::none && !lease.recalling && !changing && session_.certain();
}

bool LeaseKeeper::may_buffer(const Inode& inode) const {
  if (session_.trusted()) return true;
  return inode.lease.held == Held::write && !inode.lease.recalling && session_.certain();
}

bool LeaseKeeper::take(Inode& inode, const Asked& asked, uint64_t leased, Held kind) {
  if (leased == 0 || leased != session_.run() || asked.trust_epoch != session_.trust_epoch()) return false;
  if (inode.lease.recalling || log_.noted_since(asked.leases, inode.id)) return false;
  // Answers without a lease that were asked for earlier may be older than it.
  if (inode.lease.held == Held::none) log_.note(inode.id);
  inode.lease.held = std::max(inode.lease.held, kind);
  return true;
}

bool LeaseKeeper::keep(Inode& inode, const Asked& asked, uint64_t leased, Held kind) {
  return take(inode, asked, leased, kind) || may_keep(inode, asked);
}

bool LeaseKeeper::may_keep(const Inode& inode, const Asked& asked) const {
  return !inode.lease.recalling && may_keep_for_recall(inode, asked);
}

bool LeaseKeeper::may_keep_for_recall(const Inode& inode, const Asked& asked) const {
  if (asked.trust_epoch != session_.trust_epoch()) return false;
  if (session_.trusted()) return true;
  return session_.certain() && inode.lease.held != Held::none && !log_.noted_since(asked.leases, inode.id);
}

void LeaseKeeper::wait_for_recall(Inode& inode, Lock& lock) const {
  inode.changed.wait(
      lock, [&] { return (!inode.lease.recalling && !inode.lease.wanted) || !session_.alive().ok() || stopped(); });
}

// ---- getting leases ------------------------------------------------------------------------------------------------

Result<bool> LeaseKeeper::ask_for(Inode& inode, Lock& lock, Held kind) {
  const Asked asked = asking();
  lock.unlock();
  const LeaseKind wanted = kind == Held::write ? LeaseKind::write : LeaseKind::read;
  const Result<std::vector<Lease>> granted = meta_.acquire_leases({{inode.id, wanted, 0}});
  lock.lock();
  if (!granted.ok()) {
    session_.note(granted.error());
    return Error{Errc::io, fmt::format("inode {}: {}", raw(inode.id), granted.error().what)};
  }
  return !granted->empty() && take(inode, asked, granted->front().generation, kind);
}

Status LeaseKeeper::acquire_write(Inode& inode) {
  Lock lock(inode.mutex);
  wait_for_recall(inode, lock);  // takes as long as its flush
  for (const Instant deadline = give_up_at();; wait_for_recall(inode, lock)) {
    TRY(session_.alive());
    if (may_buffer(inode)) break;
    if (clock_.now() >= deadline)
      return Error{Errc::io, fmt::format("inode {}: its lease is taken away before it can be used", raw(inode.id))};
    ASSIGN(const bool taken, ask_for(inode, lock, Held::write));
    if (taken && may_buffer(inode)) break;
    inode.changed.wait_until(lock, clock_.now() + kAskAgain);
  }
  ++inode.lease.pins;
  return {};
}

void LeaseKeeper::unpin(Inode& inode) {
  const Lock lock(inode.mutex);
  if (--inode.lease.pins == 0) inode.changed.notify_all();
}

Status LeaseKeeper::begin_fill(Inode& inode, PageRange range, bool for_writing) {
  const Instant deadline = give_up_at();
  const Held needed = for_writing ? Held::write : Held::read;
  Lock lock(inode.mutex);
  InodeLease& lease = inode.lease;
  lease.waiting.push_back(range);
  Status done;
  while (true) {
    if (done = session_.alive(); !done.ok()) break;
    if (session_.trusted()) break;
    if (lease.recalling) {
      // The kernel may be waiting for this very page. It is filled with what is still true, and dropped after that.
      const bool over = inode.changed.wait_until(lock, lease.dropping ? clock_.now() + kPageMayWait : deadline,
                                                 [&] { return !lease.recalling; });
      if (!over && lease.dropping) {
        lease.filled_meanwhile = true;
        break;
      }
    } else if (lease.held >= needed && session_.certain()) {
      break;
    } else {
      const Result<bool> taken = ask_for(inode, lock, needed);
      if (!taken.ok()) {
        done = taken.error();
        break;
      }
      if (*taken) continue;
      inode.changed.wait_until(lock, clock_.now() + kAskAgain);
    }
    if (clock_.now() >= deadline) {
      done = Error{Errc::io, fmt::format("inode {}: its lease does not come free", raw(inode.id))};
      break;
    }
  }
  const auto own = std::ranges::find_if(
      lease.waiting, [&](const PageRange& one) { return one.from == range.from && one.to == range.to; });
  lease.waiting.erase(own);
  if (done.ok()) lease.pages = true;
  return done;
}

// ---- giving them back ----------------------------------------------------------------------------------------------

void LeaseKeeper::drop_pages(Inode& inode) {
  Lock lock(inode.mutex);
  InodeLease& lease = inode.lease;
  while (lease.pages) {
    lease.filled_meanwhile = false;
    lease.dropping = true;
    const std::vector<PageRange> ranges = all_but(lease.waiting);
    lock.unlock();
    for (const PageRange& range : ranges) hooks_.drop_pages(inode.id, range);
    lock.lock();
    lease.dropping = false;
    lease.pages = lease.filled_meanwhile;
  }
}

void LeaseKeeper::drop_all_pages() {
  for (const auto& inode : inodes_.all()) drop_pages(*inode);
}

void LeaseKeeper::recalled(const Lease& lease) {
  const Lock lock(mutex_);
  queue_.push_back(lease);
  work_.notify_one();
}

void LeaseKeeper::loop() {
  Lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    const Lease recall = queue_.front();
    queue_.pop_front();
    lock.unlock();
    give_back(recall);
    lock.lock();
  }
}

void LeaseKeeper::flush_before_giving_back(const std::shared_ptr<Inode>& inode) {
  while (session_.alive().ok() && !stopped()) {
    {
      const Lock lock(inode->mutex);
      if (!inode->dirty()) return;
    }
    const Status stored = hooks_.store(inode);
    if (stored.ok()) continue;
    // What cannot be stored now is not given up: others wait for it.
    spdlog::warn("inode {} is wanted by another mount: {}", raw(inode->id), stored.error().what);
    Lock lock(inode->mutex);
    inode->changed.wait_until(lock, clock_.now() + kFlushAgain);
  }
}

void LeaseKeeper::give_back(const Lease& recall) {
  reached(RarePath::recalled_inode);
  const std::shared_ptr<Inode> inode = inodes_.get(recall.inode);
  {
    Lock lock(inode->mutex);
    inode->changed.wait(lock, [&] { return (!inode->lease.recalling && !inode->lease.wanted) || stopped(); });
    inode->lease.wanted = true;  // calls that come now do not keep it from being given back
    inode->changed.wait(lock, [&] { return inode->lease.pins == 0 || stopped(); });
    inode->lease.wanted = false;
    inode->lease.recalling = true;
    inode->changed.notify_all();
  }
  drop_pages(*inode);
  if (!planted(PlantedBug::recall_without_flush)) flush_before_giving_back(inode);
  bool open = false;
  {
    const Lock lock(inode->mutex);
    InodeLease& lease = inode->lease;
    if (recall.kind == LeaseKind::write) {
      lease.held = std::min(lease.held, Held::read);
    } else if (!planted(PlantedBug::keep_recalled)) {
      lease.held = Held::none;
      hooks_.forget(*inode);
    }
    open = inode->open_handles > 0;
    if (open && recall.kind == LeaseKind::exclusive) inode->said_open = true;
    log_.note(recall.inode);
    lease.recalling = false;
    inode->changed.notify_all();
  }
  // Until it is known: others wait for it.
  while (!stopped()) {
    const Status told = meta_.release_leases({recall}, open ? std::vector{recall.inode} : std::vector<InodeId>{});
    if (told.ok()) return;
    session_.note(told.error());
    if (told.code() == Errc::no_session || !session_.alive().ok()) return reached(RarePath::late_answer);
  }
}

void LeaseKeeper::lease_what_is_in_use() {
  std::vector<std::shared_ptr<Inode>> used;
  std::vector<Lease> wanted;
  const auto ask = [&] {
    const Asked asked = asking();
    Result<std::vector<Lease>> granted = meta_.acquire_leases(wanted);
    // Until it is known: no other mount may be let in while something is buffered or open without a lease.
    while (!granted.ok() && granted.code() != Errc::no_session && session_.alive().ok() && !stopped())
      granted = meta_.acquire_leases(wanted);
    for (const auto& inode : used) {
      if (!granted.ok()) break;
      const auto own = std::ranges::find(*granted, inode->id, &Lease::inode);
      if (own == granted->end()) continue;
      const Lock lock(inode->mutex);
      (void)take(*inode, asked, own->generation, own->kind == LeaseKind::write ? Held::write : Held::read);
    }
    used.clear();
    wanted.clear();
  };
  for (const auto& inode : inodes_.all()) {
    {
      const Lock lock(inode->mutex);
      if (!inode->dirty() && inode->open_handles == 0) continue;
      wanted.push_back({inode->id, inode->dirty() ? LeaseKind::write : LeaseKind::read, 0});
    }
    used.push_back(inode);
    if (used.size() == kBatch) ask();
  }
  if (!used.empty()) ask();
}

Status LeaseKeeper::reclaim(bool sole) {
  reached(RarePath::reclaimed_leases);
  std::vector<Lease> held;
  for (const auto& inode : inodes_.all()) {
    const Lock lock(inode->mutex);
    const bool writes = inode->lease.held == Held::write || inode->dirty();
    if (!writes && inode->lease.held == Held::none && inode->open_handles == 0) continue;
    held.push_back({inode->id, writes ? LeaseKind::write : LeaseKind::read, 0});
  }
  if (sole) held.push_back({InodeId{0}, LeaseKind::exclusive, 0});
  for (size_t from = 0;;) {
    const size_t to = std::min(held.size(), from + kBatch);
    const std::vector<Lease> page(held.begin() + static_cast<std::ptrdiff_t>(from),
                                  held.begin() + static_cast<std::ptrdiff_t>(to));
    ASSIGN(const std::vector<Lease> again, meta_.reclaim_leases(page, to == held.size(), session_.run()));
    for (const Lease& lease : page) {
      if (raw(lease.inode) == 0 || std::ranges::find(again, lease.inode, &Lease::inode) != again.end()) continue;
      const std::shared_ptr<Inode> inode = inodes_.get(lease.inode);
      const Lock lock(inode->mutex);
      inode->lease.held = Held::none;
      hooks_.forget(*inode);
      log_.note(lease.inode);
    }
    from = to;
    if (from == held.size()) return {};
  }
}

void LeaseKeeper::forget_all() {
  log_.note_all();
  for (const auto& inode : inodes_.all()) {
    const Lock lock(inode->mutex);
    inode->lease.held = Held::none;
    hooks_.forget(*inode);
    inode->changed.notify_all();
  }
}

OwnChange::OwnChange(InodeTable& inodes, std::initializer_list<InodeId> changed) {
  for (const InodeId id : changed) {
    if (raw(id) == 0) continue;
    changed_.push_back(inodes.get(id));
    const Lock lock(changed_.back()->mutex);
    ++changed_.back()->lease.own_changes;
  }
}

OwnChange::~OwnChange() {
  for (const auto& inode : changed_) {
    const Lock lock(inode->mutex);
    --inode->lease.own_changes;
  }
}

}  // namespace cairn

// The namespace: names are looked up in the cache first, changes go to the metaserver and then correct the cache.
#include <fmt/format.h>
#include <sys/stat.h>

#include "client/filesystem_state.h"
#include "common/probes/kill_point.h"

namespace cairn {

namespace {

constexpr uint32_t kRenameExchange = 2;

Status check_name(const std::string& name) {
  if (name.size() > kMaxNameBytes)
    return Error{Errc::name_too_long, fmt::format("a name has {} bytes, more than {}", name.size(), kMaxNameBytes)};
  return {};
}

}  // namespace

bool Filesystem::State::unknown_fate(Errc code) {
  return code == Errc::timed_out || code == Errc::unavailable || code == Errc::io;
}

void Filesystem::State::invalidate(InodeId id) {
  const uint64_t change = context.next_change();
  const std::shared_ptr<Inode> inode = context.inodes.find(id);
  if (inode == nullptr) return context.listings.forget(id);
  Lock lock(inode->mutex);
  inode->attributes_known = false;
  inode->changed_at = change;
  context.listings.forget(id);  // with the mutex: no older answer is added after it
}

// What the name is now, as far as that may be kept.
void Filesystem::State::note_name(NameCache::Change& change, NameCache::Known known, const Asked& asked) {
  const std::shared_ptr<Inode> directory = context.inodes.get(change.parent());
  Lock lock(directory->mutex);
  if (context.leases->may_keep(*directory, asked.lease)) change.became(known);
}

InodeId Filesystem::State::known_child(InodeId parent, const std::string& name) {
  const std::optional<NameCache::Known> known = context.names.find(parent, name);
  return known ? known->inode : InodeId{};
}

// A new inode is known completely: it has no content, no names and no extended attributes.
void Filesystem::State::learn_made(const Entry& entry, const std::string& target, const Asked& asked, uint64_t leased) {
  const std::shared_ptr<Inode> inode = context.inodes.get(entry.attributes.inode);
  Lock lock(inode->mutex);
  const bool cache = context.leases->keep(*inode, asked.lease, leased, InodeLease::Held::write);
  inode->learn(entry.attributes, cache);
  if (!cache) return;
  inode->no_xattrs = true;
  if (S_ISLNK(entry.attributes.mode))
    context.details.change(inode->id, [&](InodeDetails& own) { own.target = target; });
  if (S_ISREG(entry.attributes.mode)) inode->file().layout.make_empty();
  // With the mutex: a recall forgets the directory under it.
  if (S_ISDIR(entry.attributes.mode)) context.names.made_directory(entry.attributes.inode);
}

void Filesystem::State::orphaned(InodeId id, uint32_t links_left) {
  invalidate(id);
  if (links_left > 0) return;
  const std::shared_ptr<Inode> inode = context.inodes.get(id);
  {
    Lock lock(inode->mutex);
    inode->orphan = true;
  }
  forget_if_orphan(inode);
}

void Filesystem::State::forget_if_orphan(const std::shared_ptr<Inode>& inode) {
  {
    Lock lock(inode->mutex);
    if (!inode->orphan || inode->forgotten || inode->open_handles > 0) return;
    inode->forgotten = true;
    if (FileState* file = inode->file_if()) file->dirty.clear();
    inode->changed.notify_all();
  }
  orphans.forget(inode->id);
}

Result<Entry> Filesystem::lookup(InodeId parent, const std::string& name) {
  TRY(state_->context.session->alive());
  TRY(check_name(name));
  ClientContext& context = state_->context;
  const bool special = name == "." || name == "..";
  const std::shared_ptr<Inode> directory = context.inodes.get(parent);
  std::optional<NameCache::Known> known;
  if (!special) {
    Lock lock(directory->mutex);
    if (context.leases->trusted(*directory)) known = context.names.find(parent, name);
  }
  if (known) {
    if (raw(known->inode) == 0) {
      ++context.statistics.name_hits;
      return Error{Errc::not_found, fmt::format("{} is not in directory {}", name, raw(parent))};
    }
    const Result<Attributes> attributes = get_attributes(known->inode);
    if (!attributes.ok() && attributes.code() != Errc::stale_handle) return attributes.error();
    if (attributes.ok() && attributes->links > 0) {
      ++context.statistics.name_hits;
      return Entry{parent, name, *attributes, known->cookie};
    }  // otherwise it was removed since the name was looked at
  }
  ++context.statistics.name_misses;
  const State::Asked asked = state_->asking();
  const uint64_t ticket = context.names.ticket(parent, name);
  uint64_t leased = 0;
  Result<Entry> entry = context.noted(context.meta.lookup(parent, name, &leased));
  if (!special && (entry.ok() || entry.code() == Errc::not_found)) {
    Lock lock(directory->mutex);
    if (context.leases->keep(*directory, asked.lease, leased)) {
      context.names.store(parent, name,
                          entry.ok() ? NameCache::Known{entry->attributes.inode, entry->cookie} : NameCache::Known{},
                          ticket);
    }
  }
  if (!entry.ok()) return entry;
  entry->attributes = state_->learn(entry->attributes, asked, leased);
  return entry;
}

Result<Entry> Filesystem::make_node(const MakeNode& request) {
  TRY(state_->context.session->alive());
  TRY(check_name(request.name));
  ClientContext& context = state_->context;
  const OwnChange change(context.inodes, {request.parent});
  NameCache::Change name(context.names, request.parent, request.name);
  const State::Asked asked = state_->asking();
  uint64_t leased = 0;
  Result<Entry> entry = context.noted(context.meta.make_node(request, &leased));
  kill_point(KillPoint::name_changed);
  if (!entry.ok()) {
    if (State::unknown_fate(entry.code())) state_->invalidate(request.parent);
    return entry;
  }
  state_->learn_made(*entry, request.target, asked, leased);
  state_->invalidate(request.parent);
  state_->note_name(name, {entry->attributes.inode, entry->cookie}, asked);
  return entry;
}

Result<std::string> Filesystem::readlink(InodeId id) {
  TRY(state_->context.session->alive());
  ClientContext& context = state_->context;
  const std::shared_ptr<Inode> inode = context.inodes.get(id);
  {
    const Lock lock(inode->mutex);
    std::string known;
    if (context.leases->trusted(*inode) && !inode->orphan)
      known = context.details.look(id, [](const InodeDetails& own) { return own.target; });
    if (!known.empty()) return known;
  }
  const State::Asked asked = state_->asking();
  uint64_t leased = 0;
  ASSIGN(std::string target, context.noted(context.meta.readlink(id, &leased)));
  const Lock lock(inode->mutex);
  if (context.leases->keep(*inode, asked.lease, leased))
    context.details.change(id, [&](InodeDetails& own) { own.target = target; });
  return target;
}

Result<Entry> Filesystem::link(const LinkNode& request) {
  TRY(state_->context.session->alive());
  TRY(check_name(request.name));
  ClientContext& context = state_->context;
  const OwnChange change(context.inodes, {request.parent, request.inode});
  NameCache::Change name(context.names, request.parent, request.name);
  const State::Asked asked = state_->asking();
  Result<Entry> entry = context.noted(context.meta.link(request));
  kill_point(KillPoint::name_changed);
  state_->invalidate(request.parent);
  if (!entry.ok()) {
    state_->invalidate(request.inode);
    return entry;
  }
  entry->attributes = state_->changed(entry->attributes, asked);
  state_->note_name(name, {entry->attributes.inode, entry->cookie}, asked);
  return entry;
}

Status Filesystem::unlink(InodeId parent, const std::string& name) { return state_->remove({parent, name, false}); }

Status Filesystem::rmdir(InodeId parent, const std::string& name) { return state_->remove({parent, name, true}); }

Status Filesystem::State::remove(const RemoveName& request) {
  TRY(context.session->alive());
  TRY(check_name(request.name));
  const OwnChange change(context.inodes, {request.parent, known_child(request.parent, request.name)});
  NameCache::Change name(context.names, request.parent, request.name);
  const Asked asked = asking();
  const Result<Removed> removed = context.noted(context.meta.remove(request));
  kill_point(KillPoint::name_changed);
  invalidate(request.parent);
  if (!removed.ok()) return removed.error();
  note_name(name, {}, asked);
  if (request.directory) context.names.forget_directory(removed->inode);
  orphaned(removed->inode, request.directory ? 0 : removed->links_left);
  return {};
}

Status Filesystem::rename(const Rename& request) {
  TRY(state_->context.session->alive());
  TRY(check_name(request.old_name));
  TRY(check_name(request.new_name));
  ClientContext& context = state_->context;
  const OwnChange change(context.inodes, {request.old_parent, request.new_parent,
                                          state_->known_child(request.old_parent, request.old_name),
                                          state_->known_child(request.new_parent, request.new_name)});
  NameCache::Change old_name(context.names, request.old_parent, request.old_name);
  NameCache::Change new_name(context.names, request.new_parent, request.new_name);
  const State::Asked asked = state_->asking();
  const Result<Renamed> renamed = context.noted(context.meta.rename(request));
  kill_point(KillPoint::name_changed);
  state_->invalidate(request.old_parent);
  state_->invalidate(request.new_parent);
  // An exchange, and a rename between two names of one inode (which changes nothing), leave both names: unknown.
  const bool plain = renamed.ok() && (request.flags & kRenameExchange) == 0 &&
                     (renamed->moved.links == 1 || S_ISDIR(renamed->moved.mode));
  if (plain) {
    state_->note_name(old_name, {}, asked);
    state_->note_name(new_name, {renamed->moved.inode, 0}, asked);
  }
  if (!renamed.ok()) {
    // A directory that was moved has another parent, and which one it was may not be known.
    if (State::unknown_fate(renamed.code())) context.listings.clear();
    return renamed.error();
  }
  (void)state_->changed(renamed->moved, asked);
  if (raw(renamed->replaced) == 0) return {};
  if ((request.flags & kRenameExchange) != 0) {
    state_->invalidate(renamed->replaced);
    return {};
  }
  if (renamed->replaced_links_left == 0) context.names.forget_directory(renamed->replaced);
  state_->orphaned(renamed->replaced, renamed->replaced_links_left);
  return {};
}

std::optional<DirectoryPage> Filesystem::State::known_page(Inode& directory, uint64_t after_cookie, uint32_t limit,
                                                           bool attributes) {
  std::optional<DirectoryPage> page;
  {
    const Lock lock(directory.mutex);
    if (!context.leases->trusted(directory) || directory.lease.own_changes > 0) return std::nullopt;
    page = context.listings.look(
        directory.id, [&](const DirectoryListing& listing) { return listing.page(directory.id, after_cookie, limit); });
  }
  if (!page || !attributes) return page;
  for (Entry& entry : page->entries) {
    const std::optional<Attributes> known = known_attributes(entry.attributes.inode);
    if (!known) return std::nullopt;
    entry.attributes = *known;
  }
  return page;
}

Result<DirectoryPage> Filesystem::read_directory(InodeId id, uint64_t after_cookie, uint32_t limit, bool attributes) {
  TRY(state_->context.session->alive());
  ClientContext& context = state_->context;
  const std::shared_ptr<Inode> directory = context.inodes.get(id);
  if (auto known = state_->known_page(*directory, after_cookie, limit, attributes)) {
    ++context.statistics.listing_hits;
    return std::move(*known);
  }
  ++context.statistics.listing_misses;
  const State::Asked asked = state_->asking();
  uint64_t leased = 0;
  ASSIGN(DirectoryPage page, context.noted(context.meta.read_directory(id, after_cookie, limit, &leased)));
  {
    const Lock lock(directory->mutex);
    if (context.leases->keep(*directory, asked.lease, leased) && directory->changed_at <= asked.at)
      context.listings.change(id, [&](DirectoryListing& listing) { listing.add(after_cookie, page); });
  }
  if (!attributes) return page;
  for (Entry& entry : page.entries) entry.attributes = state_->learn(entry.attributes, asked, 0);
  return page;
}

Result<FilesystemSpace> Filesystem::statfs() {
  TRY(state_->context.session->alive());
  return state_->context.noted(state_->context.meta.statfs());
}

}  // namespace cairn

#include "client/inodes/name_cache.h"

#include "common/base/random.h"
#include "common/probes/planted_bug.h"

namespace cairn {

size_t NameCache::bucket(InodeId parent, const std::string& name) {
  return mix64(raw(parent) ^ std::hash<std::string>()(name)) % kBuckets;
}

std::optional<NameCache::Known> NameCache::find(InodeId parent, const std::string& name) {
  Lock lock(mutex_);
  const auto found = directories_.find(parent);
  if (found == directories_.end()) return std::nullopt;
  recent_.splice(recent_.begin(), recent_, found->second.recency);
  const auto known = found->second.names.find(name);
  if (known != found->second.names.end()) return known->second;
  if (found->second.complete) return Known{};
  return std::nullopt;
}

uint64_t NameCache::ticket(InodeId parent, const std::string& name) const {
  Lock lock(mutex_);
  return changes_[bucket(parent, name)];
}

void NameCache::store(InodeId parent, const std::string& name, Known known, uint64_t ticket) {
  Lock lock(mutex_);
  if (changes_[bucket(parent, name)] == ticket) set(parent, name, known);
}

NameCache::Change::Change(NameCache& names, InodeId parent, const std::string& name)
    : names_(names), parent_(parent), name_(name) {
  names_.begin_change(parent_, name_);
}

NameCache::Change::~Change() {
  if (!noted_) names_.note(parent_, name_, std::nullopt);
  names_.end_change(parent_, name_);
}

void NameCache::Change::became(Known known) {
  noted_ = true;
  names_.note(parent_, name_, known);
}

void NameCache::begin_change(InodeId parent, const std::string& name) {
  Lock lock(mutex_);
  UnderWay& here = under_way_[{parent, name}];
  if (++here.changes > 1) here.several = true;
}

void NameCache::end_change(InodeId parent, const std::string& name) {
  Lock lock(mutex_);
  const auto here = under_way_.find({parent, name});
  if (--here->second.changes == 0) under_way_.erase(here);
}

void NameCache::note(InodeId parent, const std::string& name, std::optional<Known> known) {
  Lock lock(mutex_);
  ++changes_[bucket(parent, name)];
  const bool overtaken = under_way_.at({parent, name}).several;
  if (known && !overtaken) return set(parent, name, *known);
  const auto found = directories_.find(parent);
  if (found == directories_.end()) return;
  found->second.complete = false;
  names_ -= found->second.names.erase(name);
}

void NameCache::made_directory(InodeId made) {
  Lock lock(mutex_);
  directory(made).complete = true;
}

void NameCache::forget_directory(InodeId gone) {
  Lock lock(mutex_);
  const auto found = directories_.find(gone);
  if (found == directories_.end()) return;
  if (planted(PlantedBug::keep_absent_names)) {
    found->second.complete = false;
    names_ -= std::erase_if(found->second.names, [](const auto& one) { return raw(one.second.inode) != 0; });
    return;
  }
  names_ -= found->second.names.size() + 1;
  recent_.erase(found->second.recency);
  directories_.erase(found);
}

void NameCache::clear() {
  Lock lock(mutex_);
  for (uint64_t& changes : changes_) ++changes;  // answers under way are not stored either
  directories_.clear();
  recent_.clear();
  names_ = 0;
}

size_t NameCache::size() const {
  Lock lock(mutex_);
  return names_;
}

NameCache::Directory& NameCache::directory(InodeId parent) {
  const auto [it, made] = directories_.try_emplace(parent);
  if (made) {
    recent_.push_front(parent);
    it->second.recency = recent_.begin();
    ++names_;
  } else {
    recent_.splice(recent_.begin(), recent_, it->second.recency);
  }
  return it->second;
}

void NameCache::set(InodeId parent, const std::string& name, Known known) {
  Directory& there = directory(parent);
  if (raw(known.inode) == 0 && there.complete) {
    names_ -= there.names.erase(name);  // absent is what a complete directory says of every other name
  } else {
    names_ += there.names.insert_or_assign(name, known).second ? 1 : 0;
  }
  bound();
}

void NameCache::bound() {
  while (names_ > limit_names_ && recent_.size() > 1) {
    const auto oldest = directories_.find(recent_.back());
    names_ -= oldest->second.names.size() + 1;
    directories_.erase(oldest);
    recent_.pop_back();
  }
  if (names_ > limit_names_) {  // one huge directory
    Directory& last = directories_.begin()->second;
    names_ -= last.names.size();
    last.names.clear();
    last.complete = false;
  }
}

}  // namespace cairn

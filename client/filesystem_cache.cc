// The block cache as mounts and tools see it: its disk tier, warming, dropping, figures.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "client/filesystem_state.h"

namespace cairn {

// Never fails the mount: without its disk tier it is only slower.
void Filesystem::State::open_disk_cache(Incarnation incarnation) {
  const FilesystemOptions& options = context.options;
  if (options.cache_directory.empty()) return;
  const auto open = [&]() -> Status {
    ASSIGN(cache_directory, CacheDirectory::take(options.cache_directory));
    DiskCache::Options wanted;
    wanted.directory = options.cache_directory;
    wanted.limit_bytes = options.cache_disk_bytes;
    wanted.keep_free_bytes = options.cache_keep_free_bytes;
    wanted.incarnation = incarnation;
    ASSIGN(context.disk_cache, DiskCache::open(real_disk(), context.clock, wanted));
    return {};
  };
  const Status opened = open();
  if (opened.ok()) return;
  cache_trouble = opened.error().what;
  spdlog::warn("block cache: this mount has no disk tier: {}", cache_trouble);
}

Status Filesystem::warm(InodeId id, uint64_t offset, uint64_t length) {
  TRY(state_->context.session->alive());
  if (length == 0 || offset > kMaxFileBytes || length > kMaxFileBytes - offset)
    return Error{Errc::invalid, "a range beyond the largest file"};
  return state_->reader.warm(*state_->context.inodes.get(id), offset, offset + length);
}

void Filesystem::drop_cache() {
  state_->context.blocks.clear();
  if (state_->context.disk_cache) state_->context.disk_cache->clear();
}

std::string Filesystem::cache_trouble() const { return state_->cache_trouble; }

std::string Filesystem::cache_json() const {
  const ClientContext& context = state_->context;
  nlohmann::ordered_json memory = {{"limit_bytes", context.blocks.limit()},
                                   {"used_bytes", context.blocks.cached_bytes()},
                                   {"entries", context.blocks.entries()},
                                   {"hits", context.statistics.cached_stripe_hits.load()},
                                   {"misses", context.statistics.cached_stripe_misses.load()}};
  nlohmann::ordered_json json = {{"memory", std::move(memory)}};
  if (context.disk_cache == nullptr) {
    const bool wanted = !context.options.cache_directory.empty();
    json["disk"] = {{"state", wanted ? "failed" : "none"}};
    if (wanted) json["disk"]["directory"] = context.options.cache_directory;
    if (wanted) json["disk"]["trouble"] = state_->cache_trouble;
    return json.dump();
  }
  const DiskCacheStatus s = context.disk_cache->status();
  json["disk"] = {{"state", name_of(s.state)},
                  {"directory", context.options.cache_directory},
                  {"limit_bytes", s.limit_bytes},
                  {"keep_free_bytes", context.options.cache_keep_free_bytes},
                  {"used_bytes", s.used_bytes},
                  {"entries", s.entries},
                  {"segments", s.segments},
                  {"queued_bytes", s.queued_bytes},
                  {"hits", s.hits},
                  {"misses", s.misses},
                  {"admitted", s.admitted},
                  {"rejected", s.rejected},
                  {"dropped", s.dropped},
                  {"evicted", s.evicted},
                  {"bad", s.bad},
                  {"trouble", s.trouble}};
  return json.dump();
}

}  // namespace cairn

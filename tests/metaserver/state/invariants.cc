#include "invariants.h"

#include "metaserver/state/rows.h"

namespace cairn {

namespace {

// All rows, decoded into what the checks compare.
class Recount {
 public:
  explicit Recount(const StoreView& view) : view_(view) {}

  std::string run() {
    const Status scanned = view_.scan({}, {}, [this](std::string_view key, std::string_view value) {
      read(key, value);
      return true;
    });
    if (!scanned.ok()) wrong(scanned.error().what);
    check_names();
    check_files();
    check_space();
    check_queues();
    check_sums();
    return problems_;
  }

 private:
  template <typename... Args>
  void wrong(fmt::format_string<Args...> format, Args&&... args) {
    problems_ += fmt::format(format, std::forward<Args>(args)...) + "\n";
  }
  void wrong(const std::string& text) { problems_ += text + "\n"; }

  template <typename Row>
  Row decode(std::string_view value) {
    Result<Row> row = decode_row<Row>(value);
    if (row.ok()) return std::move(*row);
    wrong(row.error().what);
    return {};
  }

  void read(std::string_view key, std::string_view value) {
    const auto table = static_cast<Table>(key.front());
    keys::Reader in(table, key);
    switch (table) {
      case Table::dentry: {
        const InodeId parent{in.number()};
        dentries_[{parent, std::string(in.rest())}] = decode<DentryRow>(value);
        break;
      }
      case Table::cookie: {
        const InodeId parent{in.number()};
        cookies_[{parent, in.number()}] = decode<CookieRow>(value);
        break;
      }
      case Table::inode:
        inodes_[InodeId{in.number()}] = decode<InodeRow>(value);
        break;
      case Table::xattr: {
        const InodeId inode{in.number()};
        xattr_names_[inode] += in.rest().size() + 1;
        xattr_bytes_[inode] += value.size();
        break;
      }
      case Table::extent: {
        const Result<Extent> extent = decode_extent(key, value);
        if (!extent.ok()) return wrong(extent.error().what);
        extents_[MapId{in.number()}].push_back(*extent);
        in.number();
        break;
      }
      case Table::content:
        contents_[InodeId{in.number()}] = value.size();
        break;
      case Table::orphan:
        in.number();
        ++orphans_[InodeId{in.number()}];
        break;
      case Table::release:
        releases_.insert(MapId{in.number()});
        break;
      case Table::chunk:
        chunks_[ChunkId{in.number()}] = decode<ChunkRow>(value);
        break;
      case Table::stripe: {
        const ChunkId chunk{in.number()};
        stripes_[{chunk, in.number()}] = decode<StripeRow>(value);
        break;
      }
      case Table::chunk_ref: {
        const ChunkId chunk{in.number()};
        refs_[{chunk, MapId{in.number()}}] = decode<ChunkRefRow>(value).live_bytes;
        break;
      }
      case Table::open_chunk:
        open_.insert({SessionId{in.number()}, ChunkId{in.number()}});
        break;
      case Table::pending_seal:
        pending_seals_.insert(ChunkId{in.number()});
        break;
      case Table::dead_stripe: {
        const auto died = static_cast<int64_t>(in.number());
        const ChunkId chunk{in.number()};
        dead_stripes_[{chunk, in.number()}] = {died, decode<DeadStripeRow>(value).length};
        break;
      }
      case Table::dead_chunk: {
        const auto died = static_cast<int64_t>(in.number());
        dead_chunks_[ChunkId{in.number()}] = died;
        break;
      }
      case Table::condemned:
        condemned_.insert(ChunkId{in.number()});
        break;
      case Table::stale_shard: {
        const ServerId server{in.number32()};
        const ChunkId chunk{in.number()};
        stale_shards_.push_back({server, chunk, static_cast<uint8_t>(in.number32())});
        break;
      }
      case Table::session:
        sessions_.insert(SessionId{in.number()});
        break;
      case Table::outcome:
        outcome_sessions_.insert(SessionId{in.number()});
        in.number();
        break;
      case Table::outcome_window:
        outcome_sessions_.insert(SessionId{in.number()});
        break;
      case Table::nonce:
        in.number();
        nonce_sessions_.insert(decode<NonceRow>(value).session);
        break;
      default:
        return;  // servers, classes, sums
    }
    if (!in.finish().ok()) wrong("a key of table {} is malformed", key.front());
  }

  void check_names() {
    std::map<InodeId, uint64_t> names, entries, subdirectories;
    for (const auto& [key, dentry] : dentries_) {
      const auto& [parent, name] = key;
      ++names[dentry.inode];
      ++entries[parent];
      const auto cookie = cookies_.find({parent, dentry.cookie});
      if (cookie == cookies_.end() || cookie->second.name != name || cookie->second.inode != dentry.inode) {
        wrong("the name {} in {} and its cookie {} disagree", name, raw(parent), dentry.cookie);
      }
      if (!inodes_.contains(dentry.inode)) {
        wrong("the name {} in {} names nothing", name, raw(parent));
        continue;
      }
      if (!is_directory(inodes_[parent])) wrong("{} has names but is no directory", raw(parent));
      if (dentry.cookie < 3 || dentry.cookie >= inodes_[parent].next_cookie)
        wrong("cookie {} of {}", dentry.cookie, name);
      if (is_directory(inodes_[dentry.inode])) {
        ++subdirectories[parent];
        if (inodes_[dentry.inode].parent != parent) wrong("directory {} has the wrong parent", raw(dentry.inode));
      }
    }
    if (cookies_.size() != dentries_.size()) wrong("{} names but {} cookies", dentries_.size(), cookies_.size());
    for (const auto& [id, inode] : inodes_) {
      const Attributes& a = inode.attributes;
      const bool orphan = id != kRootInode && names[id] == 0;
      const uint64_t links = orphan ? 0 : is_directory(inode) ? 2 + subdirectories[id] : names[id];
      if (a.links != links) wrong("inode {} has {} links, should have {}", raw(id), a.links, links);
      if (is_directory(inode) && a.size != entries[id])
        wrong("directory {} has size {}, not {}", raw(id), a.size, entries[id]);
      if (is_directory(inode) && names[id] > 1) wrong("directory {} has {} names", raw(id), names[id]);
      if ((orphans_[id] > 0) != orphan) wrong("inode {} is pinned {} times", raw(id), orphans_[id]);
      check_reaches_root(id, inode);
    }
    for (const auto& [id, count] : orphans_) {
      if (count > 0 && !inodes_.contains(id)) wrong("the orphan {} does not exist", raw(id));
    }
  }

  void check_reaches_root(InodeId id, const InodeRow& inode) {
    if (!is_directory(inode)) return;
    InodeId at = id;
    for (size_t steps = 0; at != kRootInode; ++steps) {
      if (steps > inodes_.size()) return wrong("directory {} is in a cycle", raw(id));
      if (inodes_[at].attributes.links == 0) return;  // removed ones lead nowhere
      at = inodes_[at].parent;
    }
  }

  void check_files() {
    std::set<MapId> used;
    for (const auto& [id, inode] : inodes_) {
      if (inode.xattr_names != xattr_names_[id] || inode.xattr_bytes != xattr_bytes_[id])
        wrong("xattr sums of {}", raw(id));
      const uint64_t content = contents_.contains(id) ? contents_[id] : 0;
      if (inode.content_bytes != content || (contents_.contains(id) && content == 0)) wrong("content of {}", raw(id));
      if (!used.insert(inode.map).second) wrong("map {} is used twice", raw(inode.map));
      if (releases_.contains(inode.map)) wrong("map {} is in use and released", raw(inode.map));
      uint64_t stored = is_regular(inode) ? content : 0;
      for (const Extent& extent : extents_[inode.map]) stored += extent.length;
      if (inode.extents != extents_[inode.map].size()) wrong("inode {} says {} extents", raw(id), inode.extents);
      if (inode.attributes.stored != stored)
        wrong("inode {} stores {}, not {}", raw(id), inode.attributes.stored, stored);
      if (content > 0 && inode.extents > 0) wrong("inode {} has content and extents", raw(id));
      if (is_regular(inode) && !extents_[inode.map].empty() &&
          extents_[inode.map].back().end() > inode.attributes.size) {
        wrong("inode {} has an extent behind its size", raw(id));
      }
    }
    for (const auto& [id, size] : contents_) {
      if (!inodes_.contains(id)) wrong("content of {}, which does not exist", raw(id));
    }
    for (const auto& [map, list] : extents_) {
      if (!list.empty() && !used.contains(map) && !releases_.contains(map)) wrong("map {} belongs to nobody", raw(map));
      for (size_t i = 1; i < list.size(); ++i) {
        if (list[i].offset < list[i - 1].end()) wrong("extents of map {} overlap at {}", raw(map), list[i].offset);
        if (list[i - 1].joins(list[i])) wrong("extents of map {} are not joined at {}", raw(map), list[i].offset);
      }
    }
  }

  void check_space() {
    std::map<std::pair<ChunkId, uint64_t>, uint64_t> stripe_bytes;
    std::map<std::pair<ChunkId, MapId>, uint64_t> ref_bytes;
    std::map<ChunkId, uint64_t> chunk_bytes;
    for (const auto& [map, list] : extents_) {
      for (const Extent& extent : list) {
        live_bytes_ += extent.length;
        chunk_bytes[extent.chunk] += extent.length;
        ref_bytes[{extent.chunk, map}] += extent.length;
        for (const CellRange& range : cells_of(extent)) stripe_bytes[{extent.chunk, range.place}] += range.length;
        if (!chunks_.contains(extent.chunk)) wrong("map {} refers to chunk {}", raw(map), raw(extent.chunk));
      }
    }
    if (refs_ != ref_bytes) wrong("references of chunks are wrong");
    for (const auto& [id, chunk] : chunks_) {
      if (chunk.info.live_bytes != chunk_bytes[id])
        wrong("chunk {} says {} live, not {}", raw(id), chunk.info.live_bytes, chunk_bytes[id]);
    }
    for (const auto& [key, bytes] : stripe_bytes) {
      if (!stripes_.contains(key)) wrong("chunk {} has no stripe at {}", raw(key.first), key.second);
    }
    for (const auto& [key, stripe] : stripes_) {
      if (stripe.live_bytes != stripe_bytes[key])
        wrong("stripe {} of {} says {} live", key.second, raw(key.first), stripe.live_bytes);
      if ((stripe.live_bytes > 0) != (stripe.state == StripeState::live))
        wrong("state of stripe {} of {}", key.second, raw(key.first));
      const auto queued = dead_stripes_.find(key);
      const bool expected = stripe.state == StripeState::dead;
      if ((queued != dead_stripes_.end()) != expected) wrong("queueing of stripe {} of {}", key.second, raw(key.first));
      if (expected && queued->second != std::pair(stripe.died_ns, stripe.shape.stride()))
        wrong("dead stripe {}", key.second);
      if (key.second + stripe.shape.stride() > chunks_[key.first].info.committed)
        wrong("stripe {} is not committed", key.second);
    }
    for (const auto& [key, value] : dead_stripes_) {
      if (!stripes_.contains(key)) wrong("the queue has an unknown stripe {} of {}", key.second, raw(key.first));
    }
  }

  void check_queues() {
    for (const StaleShard& stale : stale_shards_) {
      const auto chunk = chunks_.find(stale.chunk);
      if (chunk == chunks_.end() || stale.shard >= chunk->second.info.servers.size()) continue;
      if (chunk->second.info.servers[stale.shard] == stale.server)
        wrong("shard {} of chunk {} is in use and stale on {}", stale.shard, raw(stale.chunk), raw(stale.server));
    }
    for (const auto& [id, chunk] : chunks_) {
      if ((chunk.state == ChunkState::open) != open_.contains({chunk.owner, id}))
        wrong("chunk {} and the list of open ones", raw(id));
      if ((chunk.state == ChunkState::dead) != dead_chunks_.contains(id))
        wrong("chunk {} and the list of dead ones", raw(id));
      if ((chunk.state == ChunkState::condemned) != condemned_.contains(id))
        wrong("chunk {} and the condemned", raw(id));
      const bool empty = chunk.info.live_bytes == 0;
      if (chunk.state == ChunkState::sealed && empty) wrong("the sealed chunk {} is empty but not dead", raw(id));
      if (chunk.state >= ChunkState::dead && !empty) wrong("the dead chunk {} has live bytes", raw(id));
      if (chunk.state == ChunkState::open && pending_seals_.contains(id))
        wrong("the open chunk {} is to be sealed", raw(id));
      if (chunk.state == ChunkState::open && !sessions_.contains(chunk.owner))
        wrong("the open chunk {} has no owner", raw(id));
    }
    for (const auto& [owner, id] : open_) {
      if (!chunks_.contains(id)) wrong("the open chunk {} does not exist", raw(id));
    }
    for (const ChunkId id : pending_seals_) {
      if (!chunks_.contains(id)) wrong("chunk {} is to be sealed and does not exist", raw(id));
    }
    for (const SessionId session : outcome_sessions_) {
      if (!sessions_.contains(session)) wrong("outcomes of session {}, which does not exist", raw(session));
    }
    for (const SessionId session : nonce_sessions_) {
      if (!sessions_.contains(session)) wrong("the nonce of session {}, which does not exist", raw(session));
    }
  }

  void check_sums() {
    const auto counters = queries::counters(view_);
    if (!counters.ok()) return wrong(counters.error().what);
    const auto compare = [this](const char* what, uint64_t said, uint64_t is) {
      if (said != is) wrong("the sum of {} says {}, it is {}", what, said, is);
    };
    const auto chunks_that = [this](auto predicate) {
      return static_cast<uint64_t>(
          std::count_if(chunks_.begin(), chunks_.end(), [&](const auto& c) { return predicate(c.second); }));
    };
    compare("inodes", counters->inodes, inodes_.size());
    compare("chunks", counters->chunks, chunks_.size());
    compare("open chunks", counters->open_chunks, open_.size());
    compare("shortened chunks", counters->shortened_chunks, chunks_that([](const ChunkRow& c) { return c.shortened; }));
    compare("garbage chunks", counters->garbage_chunks,
            chunks_that([](const ChunkRow& c) { return c.state >= ChunkState::dead; }));
    compare("live bytes", counters->live_bytes, live_bytes_);
    compare("pending punches", counters->pending_punches, dead_stripes_.size());
    compare("sessions", counters->sessions, sessions_.size());
  }

  const StoreView& view_;
  std::string problems_;
  std::map<std::pair<InodeId, std::string>, DentryRow> dentries_;
  std::map<std::pair<InodeId, uint64_t>, CookieRow> cookies_;
  std::map<InodeId, InodeRow> inodes_;
  std::map<InodeId, uint64_t> xattr_names_, xattr_bytes_, contents_;
  std::map<InodeId, int> orphans_;
  std::map<MapId, std::vector<Extent>> extents_;
  std::set<MapId> releases_;
  std::map<ChunkId, ChunkRow> chunks_;
  std::map<std::pair<ChunkId, uint64_t>, StripeRow> stripes_;
  std::map<std::pair<ChunkId, MapId>, uint64_t> refs_;
  std::set<std::pair<SessionId, ChunkId>> open_;
  std::set<ChunkId> pending_seals_, condemned_;
  std::vector<StaleShard> stale_shards_;
  std::map<std::pair<ChunkId, uint64_t>, std::pair<int64_t, uint64_t>> dead_stripes_;
  std::map<ChunkId, int64_t> dead_chunks_;
  std::set<SessionId> sessions_, outcome_sessions_, nonce_sessions_;
  uint64_t live_bytes_ = 0;
};

}  // namespace

std::string violations(const StoreView& view) { return Recount(view).run(); }

}  // namespace cairn

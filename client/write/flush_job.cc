#include "client/write/flush_job.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/probes/kill_point.h"
#include "common/probes/planted_bug.h"
#include "common/probes/rare_path.h"

namespace cairn {

namespace {

constexpr int kMaxAttempts = 16;   // chunks that may break under one flush
constexpr int kQuickAttempts = 3;  // then with pauses, 17 s in all: servers that die are suspect after 3 s
constexpr Duration kFirstPause = 50ms, kLongestPause = 2s;
constexpr int kDeadlineTimeouts = 4;   // of one call's timeout
constexpr int kMaxChunksOfStore = 64;  // that one flush may fill; only broken grants could make it more

// The runs that a stripe was packed from.
void unpack(const PackedStripe& stripe, std::vector<PackRun>& runs) {
  size_t piece = 0, offset = 0;
  for (size_t i = 0; i < stripe.data.owners.size(); ++i) {
    const Owner& owner = stripe.data.owners[i];
    PackRun run{stripe.files[i], owner.inode, owner.generation, owner.offset, {}};
    for (uint64_t left = owner.length; left > 0;) {
      const iovec& from = stripe.data.pieces[piece];
      const uint64_t length = std::min<uint64_t>(left, from.iov_len - offset);
      run.bytes.push_back({static_cast<uint8_t*>(from.iov_base) + offset, length});
      left -= length;
      offset += length;
      if (offset == from.iov_len) {
        ++piece;
        offset = 0;
      }
    }
    runs.push_back(std::move(run));
  }
}

bool fate_unknown(Errc code) { return code == Errc::timed_out || code == Errc::unavailable || code == Errc::busy; }

}  // namespace

FlushJob::FlushJob(ClientContext& context, ChunkPool& pool, ClassId storage_class, ChunkKind kind)
    : context_(context),
      pool_(pool),
      class_(storage_class),
      kind_(kind),
      deadline_(context.clock.now() + context.options.io_timeout * kDeadlineTimeouts) {}

void FlushJob::add(FlushFile file) {
  bytes_ += file.layer->pieces.bytes() + file.rewritten.size();
  files_.push_back(std::move(file));
}

void FlushJob::append() {
  kill_point(KillPoint::flush_taken);
  std::vector<PackRun> runs;
  for (uint32_t i = 0; i < files_.size(); ++i) add_runs(files_[i], i, runs);
  if (runs.empty()) return;
  Result<ChunkLease> chunk = context_.noted(pool_.current(class_, kind_));
  appended_ = chunk.ok() ? store(std::move(runs), std::move(chunk).value(), false) : Status(chunk.error());
}

Status FlushJob::store(std::vector<PackRun> runs, ChunkLease chunk, bool private_chunk) {
  for (int chunks = 0; chunks < kMaxChunksOfStore; ++chunks) {
    std::vector<PackedStripe> stripes = pack(runs, chunk->info().code.d, chunk->info().cell_bytes);
    std::vector<StripeData> shapes;
    for (const PackedStripe& stripe : stripes) shapes.push_back(stripe.data);
    const size_t fit = chunk->fitting(shapes);
    if (fit > 0) {
      Part part{chunk, {}, {}, private_chunk};
      std::move(stripes.begin(), stripes.begin() + static_cast<std::ptrdiff_t>(fit), std::back_inserter(part.stripes));
      parts_.push_back(std::move(part));
      if (const Status status = append_part(parts_.back()); !status.ok()) lose(parts_.back());
      if (fit == stripes.size()) return {};
    }
    runs.clear();
    for (size_t i = fit; i < stripes.size(); ++i) unpack(stripes[i], runs);
    Result<ChunkLease> next =
        private_chunk || chunk->broken() ? pool_.fresh(class_, failed_servers_) : pool_.current(class_, kind_);
    if (chunk->broken()) private_chunk = true;
    if (!next.ok()) return context_.noted(next.error());
    chunk = std::move(next).value();
  }
  return Error{Errc::io, "the metaserver grants chunks that cannot be appended to"};
}

Status FlushJob::append_part(Part& part) {
  std::vector<StripeData> stripes;
  stripes.reserve(part.stripes.size());
  for (PackedStripe& stripe : part.stripes) {
    stripe.place_from(part.chunk->next_first_cell(stripe.cells()));
    stripes.push_back(stripe.data);
  }
  Result<std::vector<PlacedStripe>> placed = part.chunk->append(
      stripes, (kind_ == ChunkKind::mixed || part.private_chunk) && !planted(PlantedBug::commit_before_sync));
  if (!placed.ok()) {
    last_trouble_ = placed.error();
    return placed.error();
  }
  part.placed = std::move(placed).value();
  context_.statistics.stored_stripes += part.stripes.size();
  for (const PackedStripe& stripe : part.stripes) context_.statistics.stored_bytes += stripe.bytes;
  return {};
}

void FlushJob::lose(Part& part) {
  part.placed.clear();
  part.chunk->mark_broken("a flush gave up what it had appended");
  for (const ServerId server : part.chunk->failed_servers()) {
    if (std::find(failed_servers_.begin(), failed_servers_.end(), server) == failed_servers_.end())
      failed_servers_.push_back(server);
  }
  pool_.retire(part.chunk);
}

bool FlushJob::any_lost() const {
  return std::any_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.placed.empty(); });
}

Status FlushJob::store_lost_again() {
  reached(RarePath::degraded_write);
  std::vector<PackRun> runs;
  for (const Part& part : parts_) {
    if (!part.placed.empty()) continue;
    for (const PackedStripe& stripe : part.stripes) unpack(stripe, runs);
  }
  ASSIGN(ChunkLease chunk, context_.noted(pool_.fresh(class_, failed_servers_)));
  std::erase_if(parts_, [](const Part& part) { return part.placed.empty(); });
  return store(std::move(runs), std::move(chunk), true);
}

void FlushJob::make_durable() {
  if (planted(PlantedBug::commit_before_sync)) return;
  for (Part& part : parts_) {
    if (const Status synced = part.chunk->sync(part.to()); !synced.ok()) {
      last_trouble_ = synced.error();
      lose(part);
    }
  }
}

Status FlushJob::wait_for_older_layers() {
  for (const FlushFile& file : files_) {
    Lock lock(file.inode->mutex);
    FileState& state = file.inode->file();
    file.inode->changed.wait(
        lock, [&] { return state.flushing.front() == file.layer || state.failures != file.failures_before; });
    if (state.flushing.front() != file.layer) return state.failure;
    if (state.failures != file.failures_before) return state.failure;
  }
  return {};
}

bool FlushJob::all_have_turn() {
  for (Part& part : parts_) {
    if (!part.chunk->wait_for_turn(part.from())) {
      last_trouble_ = {Errc::io, fmt::format("chunk {} broke before the commit", raw(part.chunk->info().chunk))};
      lose(part);
    }
  }
  return !any_lost();
}

Result<Committed> FlushJob::commit() {
  std::vector<std::vector<Extent>> extents(files_.size());
  Commit request;
  for (const Part& part : parts_) {
    for (size_t i = 0; i < part.stripes.size(); ++i)
      add_extents(part.stripes[i], part.placed[i], part.chunk->info().chunk, extents);
    request.chunks.push_back({part.chunk->info().chunk, part.chunk->info().writer_epoch, part.from(), part.to()});
  }
  for (size_t i = 0; i < files_.size(); ++i) {
    FlushFile& file = files_[i];
    file.extents = std::move(extents[i]);
    request.files.push_back(
        {file.inode->id, file.extents, file.layer->size_at_least, file.layer->mtime, file.inline_data});
  }
  ASSIGN(Committed committed, context_.noted(context_.meta.commit(request)));
  if (committed.files.size() != files_.size())
    return Error{Errc::invalid, "the metaserver answered a commit with another number of files"};
  return committed;
}

Status FlushJob::settle() {
  ++context_.statistics.flushes;
  if (!appended_.ok()) {
    fail(appended_.error());
    return appended_;
  }
  for (int attempt = 0; attempt < kMaxAttempts && context_.clock.now() < deadline_; ++attempt) {
    if (attempt >= kQuickAttempts)
      pool_.pause(std::min<Duration>(kFirstPause * (1 << std::min(attempt - kQuickAttempts, 10)), kLongestPause));
    if (any_lost()) {
      if (const Status stored = store_lost_again(); !stored.ok()) {
        fail(stored.error());
        return stored;
      }
      if (any_lost()) continue;
    }
    make_durable();
    if (any_lost()) continue;
    if (const Status waited = wait_for_older_layers(); !waited.ok()) {
      fail(waited.error());
      return waited;
    }
    if (!all_have_turn()) continue;
    kill_point(KillPoint::stripes_synced);
    const ClientContext::Asked asked = context_.asking();
    const Result<Committed> committed = commit();
    if (committed.ok()) {
      kill_point(KillPoint::commit_answered);
      succeed(*committed, asked);
      return {};
    }
    last_trouble_ = committed.error();
    if (committed.code() != Errc::stale_epoch && !fate_unknown(committed.code())) break;
    // It may have happened. Once its chunks are sealed, it has or never will; the same bytes committed again from
    // another place are right in both cases.
    if (fate_unknown(committed.code())) {
      may_have_happened_ = true;
      reached(RarePath::unknown_commit);
    }
    for (Part& part : parts_) {
      if (fate_unknown(committed.code())) {
        if (const Status sealed = pool_.seal_now(*part.chunk, deadline_); !sealed.ok())
          last_trouble_ = context_.noted(sealed.error());
        kill_point(KillPoint::chunk_sealed);
      }
      lose(part);
    }
  }
  const Error error{last_trouble_.code == Errc::no_space ? Errc::no_space : Errc::io,
                    fmt::format("flushing {} bytes of {} files: {}", bytes_, files_.size(), last_trouble_.what)};
  fail(error);
  return error;
}

void FlushJob::succeed(const Committed& committed, const ClientContext::Asked& asked) {
  for (Part& part : parts_) {
    offer_to_disk_cache(part);
    part.chunk->committed(part.to());
    if (part.private_chunk) pool_.give_back(part.chunk);
  }
  ++context_.statistics.commits;
  context_.statistics.committed_files += files_.size();
  for (size_t i = 0; i < files_.size(); ++i) {
    FlushFile& file = files_[i];
    const Attributes& attributes = committed.files[i];
    std::vector<KnownExtent> known;
    for (const Extent& extent : file.extents) {
      const auto part = std::find_if(parts_.begin(), parts_.end(),
                                     [&](const Part& p) { return p.chunk->info().chunk == extent.chunk; });
      known.push_back({extent, context_.chunk_infos.intern(part->chunk->info())});
    }
    if (file.inline_data) ++context_.statistics.inline_files;
    if (!file.rewritten.empty()) {
      ++context_.statistics.rewritten_tails;
      reached(RarePath::rewritten_tail);
    }
    Lock lock(file.inode->mutex);
    const bool trusted = context_.leases->may_keep_for_recall(*file.inode, asked.lease);
    FileState& state = file.inode->file();
    std::erase(state.flushing, file.layer);
    file.layer->finished = true;
    state.committed_seq = std::max(state.committed_seq, file.layer->write_seq);
    state.failing = false;
    if (raw(attributes.inode) != 0) file.inode->learn(attributes, trusted && file.inode->changed_at <= asked.at);
    if (!trusted) {
      state.layout.forget();
    } else if (state.layout.head() != LayoutCache::Head::unknown) {
      if (file.inline_data) {
        state.layout.make_inline(*file.inline_data);
      } else {
        if (state.layout.head() == LayoutCache::Head::inline_data && !known.empty()) state.layout.make_empty();
        for (const KnownExtent& extent : known) state.layout.insert(extent);
      }
    }
    remember_tail(file);
    file.inode->changed.notify_all();
  }
  parts_.clear();
  context_.budget->clear_stalled();
}

// What was just written is often read soon. Committed, so its places have their content for ever.
void FlushJob::offer_to_disk_cache(const Part& part) const {
  DiskCache* disk = context_.disk_cache.get();
  for (size_t i = 0; disk != nullptr && i < part.stripes.size() && disk->takes_more(); ++i) {
    const StripeShape& shape = part.placed[i].shape;
    const uint64_t first = uint64_t{part.stripes[i].data.first_cell} * shape.cell_bytes;
    const uint64_t end = first + uint64_t{part.stripes[i].cells()} * shape.cell_bytes;
    const auto copy = std::make_shared<CachedStripe>(first, end - first, context_.spares);
    uint8_t* to = copy->bytes.data();
    for (const iovec& piece : part.stripes[i].data.pieces)
      to = std::copy_n(static_cast<uint8_t*>(piece.iov_base), piece.iov_len, to);
    std::fill(to, copy->bytes.data() + copy->bytes.size(), uint8_t{0});
    disk->note_use(part.chunk->info().chunk, part.placed[i].place, first, end);
    for (uint64_t at = first; at < end; at = piece_end(at, end)) {
      const PieceKey key{part.chunk->info().chunk, part.placed[i].place, static_cast<uint32_t>(at)};
      disk->admit(key, copy, copy->bytes.span().subspan(at - first, piece_end(at, end) - at),
                  DiskCache::Wish::if_worth);
    }
  }
}

void FlushJob::fail(const Error& error) {
  ++context_.statistics.flush_failures;
  for (Part& part : parts_) lose(part);
  parts_.clear();
  for (FlushFile& file : files_) {
    Lock lock(file.inode->mutex);
    FileState& state = file.inode->file();
    const auto own = std::find(state.flushing.begin(), state.flushing.end(), file.layer);
    const std::vector<std::shared_ptr<FlushLayer>> newer(own + 1, state.flushing.end());
    state.flushing.erase(own);
    file.layer->finished = true;
    if (!planted(PlantedBug::forget_flush_error)) state.dirty.put_back(*file.layer, newer);
    state.taken_seq = std::min(state.taken_seq, state.committed_seq);
    ++state.failures;
    state.failure = error;
    if (may_have_happened_) {  // what is committed is not known any more, should these bytes be dropped
      state.layout.forget();
      file.inode->attributes_known = false;
      file.inode->changed_at = context_.next_change();
    }
    // There has been no space for a while and somebody knows: the data will not become storable by keeping it.
    if (error.code == Errc::no_space && state.failing && state.failure_told) {
      context_.statistics.dropped_bytes += state.dirty.pieces().bytes();
      state.dirty.clear();
      ++state.losses;
      state.loss = error;
      state.losses_synced = state.losses;
      state.failing = false;
      state.failure_told = false;
    } else {
      if (!state.failing) state.failure_told = false;
      state.failing = true;
    }
    if (file.inode->forgotten) state.dirty.clear();  // nobody can read it any more
    file.inode->changed.notify_all();
  }
  context_.budget->set_stalled(error);
}

}  // namespace cairn

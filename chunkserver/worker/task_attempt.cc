#include "chunkserver/worker/task_attempt.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "chunkserver/worker/near_transport.h"
#include "chunkserver/worker/spooled_runs.h"
#include "client/jobs/run_results.h"
#include "common/meta/split_bits.h"
#include "common/tasks/csv_head.h"
#include "common/tasks/line_border.h"
#include "common/tasks/quote_survey.h"

namespace cairn {
namespace {

constexpr size_t kPieceBytes = 1u << 20;  // several cells at once where they come over the network

}  // namespace

struct TaskAttempt::Window {
  std::vector<HeldRange> splits;
  std::unique_ptr<PinnedFile> file;
};

void TaskAttempt::cancel() {
  Attempt::cancel();
  const Lock lock(mutex_);
  if (mapping_ != nullptr) mapping_->cancel();
}

void TaskAttempt::set_mapping(tasks::Partial* partial) {
  const Lock lock(mutex_);
  mapping_ = partial;
}

Status TaskAttempt::work(FinishTask& finish) {
  ASSIGN(view_, parts_.jobs.view(ref().job, ref().phase));
  const JobView& view = *view_;
  LocalShards local(parts_.disk, parts_.data_directory);
  NearTransport near(parts_.own, local, parts_.servers);
  const Status done = ref().phase == JobPhase::surveying ? survey(view, near, finish) : map(view, local, near, finish);
  finish.counters.bytes_local = near.counts().local_bytes;
  return done;
}

// All of the window's layout is here before it is cut; what lies behind it (the rest of a head) is asked for when it is
// read, and so is a page whose chunks have moved, and all of a file of which little is read.
Result<TaskAttempt::Window> TaskAttempt::open_window(const JobView& view, const TaskWindow& where,
                                                     ShardTransport& near) {
  if (where.file >= view.about.files.size())
    return {Errc::invalid, fmt::format("file {} of a job with {}", where.file, view.about.files.size())};
  const JobFile& about = view.about.files[where.file];
  const auto ask = [this, &where](uint64_t from, uint64_t to) {
    return parts_.meta.job_layout(ref().job, where.file, from, to);
  };
  PinnedPage first;
  std::vector<ChunkHolders> holders;
  for (first.covered_until = where.begin; !view.needs.random_access && first.covered_until < where.end;) {
    ASSIGN(JobLayout layout, ask(first.covered_until, where.end));
    if (layout.covered_until <= first.covered_until)
      return {Errc::invalid, fmt::format("{}: the layout ends at {}", about.name, first.covered_until)};
    for (Extent& extent : layout.extents) {
      if (first.extents.empty() || extent.offset >= first.extents.back().end()) first.extents.push_back(extent);
    }
    for (ChunkInfo& chunk : layout.chunks) first.chunks.push_back(std::move(chunk));
    for (ChunkHolders& one : layout.holders) holders.push_back(std::move(one));
    first.inline_data = std::move(layout.inline_data);
    first.covered_until = std::min(layout.covered_until, where.end);
  }
  Window window;
  if (assignment_.whole) {
    if (where.begin < where.end || view.needs.new_contents)
      window.splits.push_back({where.begin, where.end, assignment_.owner});
  } else {
    ASSIGN(const std::vector<HeldRange> ranges, held_ranges(where.begin, where.end, first.extents, holders));
    window.splits = ranges_of(assignment_.owner, ranges);
  }
  auto page = std::make_shared<std::optional<PinnedPage>>(std::move(first));
  window.file = std::make_unique<PinnedFile>(
      about.name, about.size, near, parts_.clock,
      [page, ask, begin = where.begin, size = about.size](uint64_t from) -> Result<PinnedPage> {
        if (page->has_value() && from >= begin && from < (*page)->covered_until) {
          PinnedPage known = *std::move(*page);
          page->reset();
          return known;
        }
        ASSIGN(JobLayout layout, ask(from, size));
        return PinnedPage{std::move(layout.extents), std::move(layout.chunks), std::move(layout.inline_data),
                          std::min(layout.covered_until, size)};
      });
  return window;
}

template <typename Visit>
Status TaskAttempt::each_split(const JobView& view, ShardTransport& near, FinishTask& finish, Visit visit) {
  size_t index = 0;
  for (const TaskWindow& where : assignment_.windows) {
    TRY(check_cancelled());
    ASSIGN(const Window window, open_window(view, where, near));
    Status visited;
    for (auto range = window.splits.begin(); visited.ok() && range != window.splits.end(); ++range)
      visited = visit(*window.file, tasks::Split{where.file, range->begin, range->end}, index++);
    finish.counters.bytes_decoded += window.file->counts().decoded_bytes;
    TRY(visited);
  }
  return {};
}

Result<std::string_view> TaskAttempt::piece(PinnedFile& file, uint64_t at, uint64_t end) {
  TRY(check_cancelled());
  if (buffer_.empty()) buffer_ = Buffer(kPieceBytes);
  const auto bytes = std::min<uint64_t>(buffer_.size(), end - at);
  const std::span<uint8_t> into = buffer_.span().first(static_cast<size_t>(bytes));
  TRY(file.read(at, into));
  bytes_done_ += bytes;
  return text_of(into);
}

Status TaskAttempt::survey(const JobView& view, ShardTransport& near, FinishTask& finish) {
  return each_split(view, near, finish, [&](PinnedFile& file, const tasks::Split& split, size_t index) -> Status {
    if (view.needs.quote_states) {
      bool odd = false;
      for (uint64_t at = split.begin; at < split.end;) {
        ASSIGN(const std::string_view bytes, piece(file, at, split.end));
        odd ^= tasks::odd_quotes(bytes);
        at += bytes.size();
      }
      set_split_bit(finish.odd_quotes, index, odd);
    }
    if (view.needs.csv_heads && split.begin == 0) {
      const std::string& name = view.about.files[split.file].name;
      ASSIGN(std::string head,
             tasks::read_csv_head(name, file.size(), [&](uint64_t at, uint64_t end) { return piece(file, at, end); }));
      finish.heads.push_back({split.file, std::move(head)});
    }
    return {};
  });
}

Status TaskAttempt::map_split(const JobView& view, PinnedFile& file, tasks::Split split, size_t index) {
  if (view.needs.file_work) {
    files_->use(file);
    return partial_->work(split, *files_);
  }
  if (view.needs.quote_states) {
    if (index / 8 >= assignment_.states.size())
      return {Errc::io, fmt::format("the task has more than the {} splits that were surveyed", index)};
    split.starts_inside_quotes = split_bit(assignment_.states, index);
  }
  if (view.needs.whole_lines) {
    ASSIGN(split, tasks::of_whole_lines(split, view.op->files()[split.file],
                                        [&](uint64_t at, uint64_t end) { return piece(file, at, end); }));
    if (split.begin == split.end) return {};
  }
  return partial_->map(split, [&](uint64_t at, uint64_t end) { return piece(file, at, end); });
}

Status TaskAttempt::map(const JobView& view, LocalShards& local, ShardTransport& near, FinishTask& finish) {
  if (view.op == nullptr) return {Errc::busy, "the heads of the job's files are not known yet"};
  std::unique_ptr<Spool::Writer> kept;
  std::optional<SpooledRuns> runs;
  partial_ = view.op->empty();
  if (view.needs.runs) {
    ASSIGN(kept, parts_.spool.begin(ref()));
    partial_->use_runs(runs.emplace(*kept, ref().task));
  }
  if (view.needs.file_work) {
    const auto next = [this](PinnedFile& file, uint64_t at, uint64_t end) { return piece(file, at, end); };
    files_ = std::make_unique<TaskFiles>(parts_, view, local,
                                         TaskFiles::Callbacks{next, [this] { return check_cancelled(); }});
  }
  set_mapping(partial_.get());
  const Status mapped = each_split(view, near, finish, [&](PinnedFile& file, const tasks::Split& split, size_t index) {
    return map_split(view, file, split, index);
  });
  set_mapping(nullptr);
  TRY(mapped);
  TRY(partial_->settle());
  finish.partial = encode_partial(*view.op, *partial_);
  if (kept != nullptr) {
    TRY(kept->append(with_trailer(std::exchange(finish.partial, {}))));
    finish.spooled = kept->close();
    finish.counters.bytes_sent = finish.spooled->bytes;
    return {};
  }
  finish.counters.bytes_sent = finish.partial.size();
  if (files_ != nullptr) finish.outputs = files_->outputs();
  if (finish.partial.size() > parts_.inline_partial) {
    ASSIGN(finish.spooled, parts_.spool.put(ref(), finish.partial));
    finish.partial = {};
  }
  return {};
}

Result<TaskVerdict> TaskAttempt::report(const FinishTask& finish) {
  if (finish.failure || files_ == nullptr) return Attempt::report(finish);
  FinishTask told = finish;
  for (;;) {
    told.outputs = files_->outputs();  // an earlier call may have taken some away
    if (!told.spooled) told.partial = encode_partial(*view_->op, *partial_);
    ASSIGN(const TaskVerdict verdict, Attempt::report(told));
    if (verdict != TaskVerdict::changed) {
      files_->release();
      return verdict;
    }
    ASSIGN(const bool fewer, files_->drop_changed([&](uint32_t file, const std::string& why) {
      spdlog::info("job {}: {}", raw(ref().job), why);
      partial_->not_taken(file, why);
    }));
    if (!fewer) return Error{Errc::busy, "files of the task change too fast"};
  }
}

}  // namespace cairn

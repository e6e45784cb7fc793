#include "metaserver/state/job_queries.h"

#include <algorithm>
#include <set>

#include "metaserver/state/extent_map.h"

namespace cairn::queries {

namespace {

template <typename Row>
Result<Row> must_have(const StoreView& view, const std::string& key, JobId job, const char* what, uint64_t which) {
  ASSIGN(std::optional<Row> row, find_row<Row>(view, key));
  if (!row) return Error{Errc::not_found, fmt::format("job {} has no {} {}", raw(job), what, which)};
  return std::move(*row);
}

// Rows of a table behind (job, number): one(number, value) takes each in, until it says false.
template <typename One>
Status each(const StoreView& view, Table table, const std::string& from, const std::string& to, const One& one) {
  Status damaged;
  TRY(view.scan(from, to, [&](std::string_view key, std::string_view value) {
    keys::Reader reader(table, key);
    reader.number();  // the job
    const uint32_t number = reader.number32();
    damaged = reader.finish();
    if (!damaged.ok()) return false;
    const Result<bool> more = one(number, value);
    if (more.ok()) return *more;
    damaged = more.error();
    return false;
  }));
  return damaged;
}

}  // namespace

Result<JobRecord> job(const StoreView& view, JobId id) {
  JobRecord record{id, {}, {}};
  ASSIGN(std::optional<JobRow> row, find_row<JobRow>(view, keys::job(id)));
  if (!row)
    return Error{Errc::not_found, fmt::format("there is no job {}; jobs that are over are kept for a day", raw(id))};
  record.row = std::move(*row);
  ASSIGN(std::optional<JobStateRow> state, find_row<JobStateRow>(view, keys::job_state(id)));
  if (!state) return Error{Errc::corrupt, fmt::format("metadata: job {} has no state", raw(id))};
  record.state = std::move(*state);
  return record;
}

Result<std::vector<JobId>> jobs(const StoreView& view, JobId after, uint32_t limit) {
  std::vector<JobId> found;
  if (raw(after) == UINT64_MAX || limit == 0) return found;
  Status damaged;
  TRY(view.scan(keys::first(Table::job, raw(after) + 1), keys::last(Table::job),
                [&](std::string_view key, std::string_view) {
                  keys::Reader reader(Table::job, key);
                  found.push_back(JobId{reader.number()});
                  damaged = reader.finish();
                  return damaged.ok() && found.size() < limit;
                }));
  TRY(damaged);
  return found;
}

Result<JobsRow> live_jobs(const StoreView& view) {
  ASSIGN(std::optional<JobsRow> row, find_row<JobsRow>(view, kJobsKey));
  return row ? std::move(*row) : JobsRow{};
}

Result<std::optional<int64_t>> oldest_pin(const StoreView& view) {
  ASSIGN(const JobsRow row, live_jobs(view));
  std::optional<int64_t> oldest;
  for (const LiveJob& live : row.live) {
    if (live.pinned_ns != 0) oldest = std::min(oldest.value_or(live.pinned_ns), live.pinned_ns);
  }
  return oldest;
}

Result<JobFileRow> job_file(const StoreView& view, JobId job, uint32_t file) {
  return must_have<JobFileRow>(view, keys::job_file(job, file), job, "input", file);
}

Result<std::vector<JobFileRow>> job_files(const StoreView& view, JobId job, uint32_t first, uint32_t limit) {
  std::vector<JobFileRow> found;
  if (limit == 0) return found;
  TRY(each(view, Table::job_file, keys::job_file(job, first), keys::last(Table::job_file, raw(job)),
           [&](uint32_t, std::string_view value) -> Result<bool> {
             ASSIGN(JobFileRow row, decode_row<JobFileRow>(value));
             found.push_back(std::move(row));
             return found.size() < limit;
           }));
  return found;
}

Result<std::vector<Extent>> job_extents(const StoreView& view, JobId job, uint32_t file, uint64_t begin, uint64_t end,
                                        size_t limit) {
  std::vector<Extent> found;
  if (begin >= end || limit == 0) return found;
  Status damaged;
  TRY(view.scan(keys::job_extent(job, file, begin + 1), keys::job_extent(job, file + 1, 0),
                [&](std::string_view key, std::string_view value) {
                  keys::Reader reader(Table::job_extent, key);
                  reader.number();
                  reader.number32();
                  const uint64_t extent_end = reader.number();
                  damaged = reader.finish();
                  Result<ExtentRow> row = decode_row<ExtentRow>(value);
                  if (damaged.ok() && !row.ok()) damaged = row.error();
                  if (!damaged.ok()) return false;
                  row->extent.offset = extent_end - row->extent.length;
                  if (row->extent.length > extent_end || !valid(row->extent)) {
                    damaged = Error{Errc::corrupt, fmt::format("metadata: an extent of job {} is damaged", raw(job))};
                    return false;
                  }
                  if (row->extent.offset >= end) return false;
                  found.push_back(row->extent);
                  return found.size() < limit;
                }));
  TRY(damaged);
  return found;
}

Result<std::vector<ChunkHolders>> job_holders(const StoreView& view, JobId job, const std::vector<Extent>& extents) {
  std::set<ChunkId> chunks;
  for (const Extent& extent : extents) chunks.insert(extent.chunk);
  std::vector<ChunkHolders> all;
  for (const ChunkId chunk : chunks) {
    ASSIGN(JobChunkRow row,
           must_have<JobChunkRow>(view, keys::job_chunk(job, chunk), job, "holders of chunk", raw(chunk)));
    all.push_back({chunk, std::move(row.data)});
  }
  return all;
}

Result<std::vector<HeldRange>> job_ranges(const StoreView& view, JobId job, const TaskWindow& window) {
  ASSIGN(const std::vector<Extent> extents, job_extents(view, job, window.file, window.begin, window.end, SIZE_MAX));
  ASSIGN(const std::vector<ChunkHolders> holders, job_holders(view, job, extents));
  auto ranges = held_ranges(window.begin, window.end, extents, holders);
  if (!ranges.ok()) return Error{Errc::corrupt, fmt::format("metadata: job {}: {}", raw(job), ranges.error().what)};
  return ranges;
}

Result<JobLayout> job_layout(const StoreView& view, JobId id, uint32_t file, uint64_t begin, uint64_t end,
                             uint32_t limit) {
  ASSIGN(const JobRecord record, job(view, id));
  if (is_over(record.state.phase))
    return Error{Errc::stale_handle,
                 fmt::format("job {} is {}: what it had pinned is given back", raw(id), name_of(record.state.phase))};
  ASSIGN(JobFileRow row, job_file(view, id, file));
  if (row.version == 0)
    return Error{Errc::not_found, fmt::format("input {} of job {} is not pinned yet", file, raw(id))};
  JobLayout layout;
  layout.version = row.version;
  layout.size = row.size;
  layout.inline_data = std::move(row.content);
  end = std::min(end, row.size);
  layout.covered_until = std::max(begin, end);
  ASSIGN(layout.extents, job_extents(view, id, file, begin, end, limit));
  if (layout.extents.size() == limit) layout.covered_until = std::min(end, layout.extents.back().end());
  ASSIGN(layout.holders, job_holders(view, id, layout.extents));
  for (const ChunkHolders& one : layout.holders) {
    ASSIGN(ChunkInfo info, chunk(view, one.chunk));
    layout.chunks.push_back(std::move(info));
  }
  return layout;
}

Result<TaskRow> task(const StoreView& view, JobId job, uint32_t number) {
  return must_have<TaskRow>(view, keys::job_task(job, number), job, "task", number);
}

Result<std::vector<TaskRecord>> tasks(const StoreView& view, JobId job, uint32_t first, uint32_t limit) {
  std::vector<TaskRecord> found;
  if (limit == 0) return found;
  TRY(each(view, Table::job_task, keys::job_task(job, first), keys::last(Table::job_task, raw(job)),
           [&](uint32_t number, std::string_view value) -> Result<bool> {
             ASSIGN(TaskRow row, decode_row<TaskRow>(value));
             found.push_back({number, std::move(row)});
             return found.size() < limit;
           }));
  return found;
}

Result<std::string> partial(const StoreView& view, JobId job, uint32_t number) {
  ASSIGN(TaskResultRow row,
         must_have<TaskResultRow>(view, keys::job_result(job, number), job, "result of task", number));
  return std::move(row.partial);
}

Result<ChangedInputs> changed_inputs(const StoreView& view, JobId job, uint32_t most_names) {
  std::vector<JobFileRow> files;
  TRY(each(view, Table::job_file, keys::first(Table::job_file, raw(job)), keys::last(Table::job_file, raw(job)),
           [&](uint32_t, std::string_view value) -> Result<bool> {
             ASSIGN(JobFileRow row, decode_row<JobFileRow>(value));
             files.push_back({row.inode, std::move(row.name), row.version, 0, {}, {}});
             return true;
           }));
  ChangedInputs changed;
  for (JobFileRow& file : files) {
    if (file.version == 0) continue;
    ASSIGN(const std::optional<InodeRow> inode, find_inode(view, file.inode));
    if (inode && inode->attributes.version == file.version) continue;
    ++changed.count;
    if (changed.first.size() < most_names) changed.first.push_back(std::move(file.name));
  }
  return changed;
}

}  // namespace cairn::queries

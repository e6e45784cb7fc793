#include "tests/campaign/jobs_model.h"

#include <algorithm>

#include "client/jobs/job_results.h"
#include "common/tasks/csv_head.h"
#include "common/tasks/registry.h"

namespace cairn {

bool VersionedFile::adopt(const std::string& seen) {
  for (size_t i = versions_.size(); i-- > done_;) {
    if (versions_[i] != seen) continue;
    if (i != begun()) begin(seen);
    done();
    return true;
  }
  return false;
}

void KnownJob::saw_pinned(const std::vector<VersionedFile>& files) {
  for (ReadVersions& input : inputs) {
    if (!input.newest) input.newest = files[input.file].begun();
  }
}

Result<std::string> table_of(const KnownJob& job, const std::vector<std::string>& contents) {
  tasks::Job made{job.op, job.arguments, {}};
  for (size_t i = 0; i < contents.size(); ++i) {
    const std::string_view content = contents[i];
    ASSIGN(std::string head, tasks::read_csv_head(job.input_name(i), content.size(), [&](uint64_t at, uint64_t end) {
             return Result<std::string_view>(content.substr(at, end - at));
           }));
    const tasks::OperatorInfo* info = tasks::find_operator(job.op);
    if (info == nullptr || !info->needs(job.arguments).csv_heads) head.clear();
    made.files.push_back({job.input_name(i), content.size(), std::move(head)});
  }
  ASSIGN(const std::unique_ptr<tasks::Operator> op, tasks::make_operator(made));
  const std::unique_ptr<tasks::Partial> all = op->empty();
  for (uint32_t i = 0; i < contents.size(); ++i) {
    if (contents[i].empty()) continue;
    TRY(all->map({i, 0, contents[i].size()}, [&](uint64_t at, uint64_t end) {
      return Result<std::string_view>(std::string_view(contents[i]).substr(at, end - at));
    }));
  }
  ASSIGN(const tasks::Table table, all->finish());
  return text_of(table, job.output && job.output->format == TableFormat::json_lines);
}

std::optional<std::vector<bool>> explain(const KnownJob& job, const std::vector<VersionedFile>& files,
                                         const std::string& table) {
  std::vector<size_t> now;
  for (const ReadVersions& input : job.inputs) now.push_back(input.oldest);
  std::optional<std::vector<bool>> changed;
  while (true) {  // each choice of one version of each input, the oldest first
    std::vector<std::string> contents;
    for (size_t i = 0; i < now.size(); ++i) contents.push_back(files[job.inputs[i].file].version(now[i]));
    if (const Result<std::string> own = table_of(job, contents); own.ok() && *own == table) {
      if (!changed) changed.emplace(now.size(), true);
      for (size_t i = 0; i < now.size(); ++i) {
        if (now[i] >= files[job.inputs[i].file].finished()) (*changed)[i] = false;
      }
    }
    size_t at = 0;
    for (; at < now.size(); ++at) {
      const VersionedFile& file = files[job.inputs[at].file];
      if (now[at]++ < job.inputs[at].newest.value_or(file.begun())) break;
      now[at] = job.inputs[at].oldest;
    }
    if (at == now.size()) return changed;
  }
}

}  // namespace cairn

#include "metaserver/ops/adopt.h"

#include <algorithm>
#include <set>

#include "metaserver/ops/content.h"
#include "metaserver/ops/free_inode.h"

namespace cairn::ops {

namespace {

// Maps change hands as they are: live bytes are counted by map, not by inode (space_ledger.h).
Status exchange_contents(Operation& operation, InodeRow& one, InodeRow& other) {
  ASSIGN(std::string of_one, read_content(operation, one));
  ASSIGN(std::string of_other, read_content(operation, other));
  drop_content(operation, one);
  drop_content(operation, other);
  std::swap(one.map, other.map);
  std::swap(one.extents, other.extents);
  std::swap(one.attributes.stored, other.attributes.stored);
  std::swap(one.attributes.size, other.attributes.size);
  if (!of_other.empty()) write_content(operation, one, std::move(of_other));
  if (!of_one.empty()) write_content(operation, other, std::move(of_one));
  operation.touch(other);
  return {};
}

Status check_outputs(Operation& operation, const JobAtWork& job, const TaskRow& task,
                     const std::vector<TaskOutput>& outputs) {
  if (job.row().task_files == 0 || outputs.size() > kMaxTaskOutputs)
    return Error{Errc::invalid, fmt::format("job {} changes no files", raw(job.id()))};
  std::set<uint32_t> files;
  std::set<InodeId> inodes;
  for (const TaskOutput& output : outputs) {
    const bool of_task = std::ranges::find(task.windows, output.file, &TaskWindow::file) != task.windows.end();
    if (!of_task || !files.insert(output.file).second || !inodes.insert(output.inode).second)
      return Error{Errc::invalid, fmt::format("a new content of file {}, which is not the task's", output.file)};
    ASSIGN(const InodeRow* const source, operation.regular_file(output.inode));
    if (source->attributes.links > 0)
      return Error{Errc::invalid, fmt::format("the content of inode {}, which has a name", raw(output.inode))};
  }
  return {};
}

}  // namespace

Result<bool> adopt_outputs(Operation& operation, const JobAtWork& job, const TaskRow& task,
                           const std::vector<TaskOutput>& outputs) {
  TRY(check_outputs(operation, job, task, outputs));
  std::vector<JobFileRow> files;
  for (const TaskOutput& output : outputs) {
    ASSIGN(JobFileRow file, queries::job_file(operation.rows, job.id(), output.file));
    ASSIGN(const InodeRow* const target, operation.find(file.inode));
    if (target == nullptr || !is_regular(*target) || target->attributes.links == 0) return false;
    if (output.if_version != 0 && target->attributes.version != output.if_version) return false;
    files.push_back(std::move(file));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    ASSIGN(InodeRow* const target, operation.inode(files[i].inode));
    ASSIGN(InodeRow* const source, operation.inode(outputs[i].inode));
    TRY(exchange_contents(operation, *target, *source));
    if (outputs[i].reencoded) {
      std::swap(target->attributes.storage_class, source->attributes.storage_class);
    } else {
      target->attributes.mtime = operation.now();
    }
    operation.touch_ctime(*target);
    files[i].version = target->attributes.version;  // the job's own change: nobody is told that the file changed
    operation.rows.put(keys::job_file(job.id(), outputs[i].file), encode_row(files[i]));
  }
  return true;
}

}  // namespace cairn::ops

#include "metaserver/sessions/affected.h"

#include "metaserver/state/job_queries.h"

namespace cairn {
namespace {

class Affected {
 public:
  explicit Affected(const StoreView& view) : view_(view) {}

  void operator()(const MakeNode& request) { add(request.parent); }
  void operator()(const LinkNode& request) {
    add(request.parent);
    add(request.inode);
  }
  void operator()(const RemoveName& request) {
    add(request.parent);
    add_named(request.parent, request.name);
  }
  void operator()(const Rename& request) {
    add(request.old_parent);
    add(request.new_parent);
    add_named(request.old_parent, request.old_name);
    add_named(request.new_parent, request.new_name);
  }
  void operator()(const SetAttributes& request) { add(request.inode); }
  void operator()(const SetXattr& request) { add(request.inode); }
  void operator()(const RemoveXattr& request) { add(request.inode); }
  void operator()(const TrimRange& request) { add(request.inode); }
  void operator()(const Commit& request) {
    for (const FileCommit& file : request.files) add(file.inode);
  }
  void operator()(const FinishJob& request) {
    const auto job = queries::job(view_, request.ref.job);
    if (!job.ok() || !job->row.output) return;
    add(job->row.output->parent);
    add(request.inode);
    add_named(job->row.output->parent, job->row.output->name);
  }
  void operator()(const FinishTask& request) {
    for (const TaskOutput& output : request.outputs) {
      if (const auto file = queries::job_file(view_, request.ref.job, output.file); file.ok()) add(file->inode);
      add(output.inode);
    }
  }
  // Chunks, sessions, servers and the metaserver's own housekeeping: nothing that a mount caches.
  template <typename Other>
  void operator()(const Other&) {}

  std::vector<InodeId> inodes;

 private:
  void add(InodeId inode) {
    if (raw(inode) != 0) inodes.push_back(inode);
  }
  void add_named(InodeId parent, const std::string& name) {
    if (const Result<Entry> entry = queries::lookup(view_, parent, name); entry.ok()) add(entry->attributes.inode);
  }
  const StoreView& view_;
};

}  // namespace

std::vector<InodeId> affected_inodes(const StoreView& view, const CommandBody& body) {
  Affected affected(view);
  std::visit(affected, body);
  return std::move(affected.inodes);
}

std::vector<InodeId> answered_inodes(const Answer& answer) {
  if (const auto* removed = std::get_if<Removed>(&answer)) return {removed->inode};
  if (const auto* renamed = std::get_if<Renamed>(&answer)) {
    std::vector<InodeId> inodes = {renamed->moved.inode};
    if (raw(renamed->replaced) != 0) inodes.push_back(renamed->replaced);
    return inodes;
  }
  if (const auto* finished = std::get_if<JobFinished>(&answer);
      finished != nullptr && finished->verdict == TaskVerdict::accepted)
    return answered_inodes(finished->renamed);
  return {};
}

InodeId orphan_of(const Answer& answer) {
  if (const auto* removed = std::get_if<Removed>(&answer); removed != nullptr && removed->links_left == 0)
    return removed->directory ? InodeId{} : removed->inode;
  if (const auto* renamed = std::get_if<Renamed>(&answer); renamed != nullptr && renamed->replaced_links_left == 0)
    return renamed->replaced;
  if (const auto* finished = std::get_if<JobFinished>(&answer);
      finished != nullptr && finished->verdict == TaskVerdict::accepted)
    return orphan_of(finished->renamed);
  return {};
}

}  // namespace cairn

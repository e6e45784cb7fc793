// Files get new contents by the command that ends a task: those of inodes without names, which get the old ones.
#pragma once

#include "metaserver/ops/jobs.h"

namespace cairn::ops {

// All of them, or none. False: a file is gone, or has another version than was asked for; nothing is changed. invalid:
// no outputs of this task. stale_handle: an inode without a name is gone, with the session that wrote it.
Result<bool> adopt_outputs(Operation& operation, const JobAtWork& job, const TaskRow& task,
                           const std::vector<TaskOutput>& outputs);

}  // namespace cairn::ops

// The files of a job in partitions (common/tasks/partition.h), with what the cluster knows of them.
#pragma once

#include <string>
#include <vector>

#include "common/meta/jobs.h"
#include "common/rpc/meta_client.h"
#include "common/tasks/partition.h"

namespace cairn::tools {

// For each input its size, and where the rule wants it, who holds most of it now.
Result<std::vector<tasks::PartitionedFile>> sizes_and_holders(MetaClient& meta, const std::vector<JobInput>& inputs,
                                                              const tasks::PartitionRule& rule);
// The names of the inputs' partitions, "p0", "p1", ..., by the text of a rule. invalid: no rule.
Result<std::vector<std::string>> partitions_of(MetaClient& meta, const std::vector<JobInput>& inputs,
                                               const std::string& rule);
// Whether the text is a rule, and not the name of a partition.
bool is_partition_rule(const std::string& text);

}  // namespace cairn::tools

// The files that a job is about: from paths under a mount, or from the root of a cluster without one.
//
//   '/mnt/cairn/sales/*.csv'   /mnt/cairn/logs        a glob, quoted or not; a directory means all regular files below
//   -m HOST:PORT /sales/*.csv                         the same without a mount
//
// A file's name in the table is the path as it was written or found, so the table is that of `cairn task try`.
#pragma once

#include <string>
#include <vector>

#include "common/base/types.h"
#include "common/meta/jobs.h"
#include "common/rpc/meta_client.h"

namespace cairn::tools {

// Where an output goes in the filesystem.
struct NamedPlace {
  InodeId parent{};
  std::string name;
  bool exists = false;
};

// Of a mount. Links in the last component are not followed below a directory, as by cp -r. Errors name the path:
// not_found, invalid (no regular file, or in another mount), too_big (more than kMaxJobInputs).
// `access` is what the user must be allowed to do with each, as access(2) has it.
Result<std::vector<JobInput>> inputs_under_mount(const std::string& mountpoint, const std::vector<std::string>& paths,
                                                 int access);
// Paths from the root of the filesystem, asked of the metaserver.
Result<std::vector<JobInput>> inputs_from_root(MetaClient& meta, const std::vector<std::string>& paths);

Result<NamedPlace> place_under_mount(const std::string& path);
Result<NamedPlace> place_from_root(MetaClient& meta, const std::string& path);

}  // namespace cairn::tools

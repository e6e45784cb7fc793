// Finding the cluster that is meant: from -m HOST:PORT, from a path under a mount, or from what is mounted on this
// machine.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "client/fuse/mount_table.h"
#include "common/base/types.h"
#include "common/rpc/meta_client.h"

namespace cairn::tools {

// Absolute and normal, symlinks resolved as far as the path exists. Does not hang or fail on a dead mount.
std::string absolute_path(const std::string& path);

// The CairnFS mount at or above path; not_found says what to do.
Result<MountEntry> mount_at_or_above(const std::string& path);

// The metaserver: the flag, else the mount of path, else $CAIRN_METASERVER, else the only cluster that is mounted here.
Result<Address> find_metaserver(const std::string& flag, const std::string& path);

// A client whose first answer has come within a few seconds; unavailable names the address and what to look at.
Result<std::unique_ptr<MetaClient>> connect_metaserver(const Address& address);
// Whether something answers at the address, quickly.
Status check_metaserver(const Address& address);

}  // namespace cairn::tools

// What every program on a simulated client machine begins with: a mount, and a look at what is there.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "client/filesystem.h"
#include "tests/campaign/cairn_world.h"

namespace cairn {

// Patient with a metaserver that restarts, and with the session of an earlier mount that crashed. The world's address,
// name and another seed for each `number` are put into the options.
std::unique_ptr<Filesystem> mount_patiently(CairnWorld& world, SimMachine& machine, FilesystemOptions options,
                                            uint64_t number);

// All names of a directory.
std::map<std::string, InodeId> list_directory(CairnWorld& world, Filesystem& files, InodeId directory);

// A request of a client that died may be under way, and happens as long as its session lives: `own` sessions of that
// name are alive.
void wait_for_old_sessions(CairnWorld& world, const std::string& name, int64_t own);

}  // namespace cairn

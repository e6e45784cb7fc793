// Taking a mount away so that nothing is lost, and saying who stands in the way.
#pragma once

#include <string>

#include "common/base/result.h"

namespace cairn::tools {

enum class Flushing : uint8_t {
  required,   // what cannot be flushed stays mounted
  attempted,  // unmount all the same, lazily: for a mount whose servers are gone
};

// Flushes everything, unmounts, and waits until the daemon has ended. A mount whose daemon has died is cleaned away
// (and `note` says so). Errors: not_found (no CairnFS is mounted exactly there), busy (names processes that use it), io
// (what could not be written).
Status unmount(const std::string& mountpoint, Flushing flushing, std::string& note);

// Makes everything safe that was written through this mount.
Status flush_mount(const std::string& mountpoint);

// The daemon's pid, by the mount's own answer; unavailable if it has died.
Result<int> daemon_pid(const std::string& mountpoint);

}  // namespace cairn::tools

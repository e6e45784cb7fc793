// What a dev cluster remembers between commands: DIR/cluster.json.
//
//   DIR/cluster.json    policy, ports and processes        DIR/lock    held by the command that changes something
//   DIR/metaserver      the metaserver's data              DIR/logs    one log for each process
//   DIR/chunkserver-N   a chunkserver's data, N = 1..n     DIR/mnt     the mount point, unless --mount names another
//
// Ports are chosen by the system at the first start and kept from then on.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/types.h"
#include "tools/cairn/process.h"

namespace cairn::tools {

struct DevProcess {
  uint16_t port = 0;  // 0: not started yet
  ProcessId process;  // of the last start; it may have ended
};

struct DevState {
  std::string policy = "ec(4,2)";
  std::string cell;  // "" is the metaserver's default
  std::string quarantine = "10s";
  std::string down_after = "10m";
  std::string mountpoint;  // "" without a mount
  DevProcess metaserver;
  std::vector<DevProcess> chunkservers;  // [0] is number 1

  Address metaserver_address() const { return {"127.0.0.1", metaserver.port}; }
};

std::string encode(const DevState& state);
Result<DevState> decode_dev_state(const std::string& text);  // invalid, whatever the text is

// ~/.local/share/cairn/dev, or below $XDG_DATA_HOME.
std::string default_dev_directory();

}  // namespace cairn::tools

// A whole cluster on this machine: one metaserver, n chunkservers labelled as hosts h1..hn, and a mount.
//
// Not thread-safe; one command at a time changes a cluster (DIR/lock). Every step says what it does on standard error.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/meta/admin.h"
#include "tools/cairn/dev_state.h"
#include "tools/cairn/unmount.h"

namespace cairn::tools {

// What can be killed and started.
struct Who {
  enum class Kind : uint8_t { metaserver, chunkserver, mount } kind = Kind::metaserver;
  size_t number = 0;  // of a chunkserver, 1..n
  std::string text() const;
};

struct DevProcessStatus {
  Who who;
  bool running = false;
  int pid = 0;          // 0 when not running
  std::string address;  // HOST:PORT, or the mount point
};

class DevCluster {
 public:
  struct Wishes {  // "" and 0: as it is, or the default for a new cluster
    std::string policy, cell, quarantine, down_after, mountpoint;
    size_t chunkservers = 0;
    bool mount = true;
  };
  // Opens what lies in directory, or begins a new cluster there. Fails if the wishes contradict what is there.
  static Result<DevCluster> create_or_open(const std::string& directory, const Wishes& wishes);
  static Result<DevCluster> open(const std::string& directory);  // not_found if there is none
  // Without the lock, for a look.
  static Result<DevCluster> look(const std::string& directory);

  // Starts what does not run, and waits until all chunkservers are up and the mount answers.
  Status up();
  Status start(const Who& who);
  Status kill(const Who& who);     // SIGKILL; returns when it is gone
  Status down(Flushing flushing);  // unmounts, then ends all with SIGTERM
  Status purge();                  // removes the directory; nothing may run

  Result<Who> parse_who(const std::string& text) const;
  std::vector<DevProcessStatus> processes() const;
  Result<ClusterStatus> cluster_status() const;
  const DevState& state() const { return state_; }
  const std::string& directory() const { return directory_; }

 private:
  explicit DevCluster(std::string directory) : directory_(std::move(directory)) {}
  static Result<DevCluster> load(const std::string& directory, bool locked);
  Status lock();
  Status save() const;
  Status start_metaserver();
  Status launch_chunkserver(size_t number);
  Status wait_for_port(DevProcess& one, const std::string& name);
  Status wait_for_metaserver();
  Status wait_until_up(const std::vector<size_t>& numbers);
  Status start_mount();
  Status stop_mount(Flushing flushing);
  Status stop_servers();
  ProcessId mount_process() const;  // of the daemon, if the mount answers
  std::string log_of(const std::string& name) const { return directory_ + "/logs/" + name + ".log"; }
  std::string port_file(const std::string& name) const { return directory_ + "/" + name + ".port"; }

  std::string directory_;  // absolute
  DevState state_;
  UniqueFd lock_;
};

}  // namespace cairn::tools

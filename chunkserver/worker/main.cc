// cairn-worker: a Worker beside a chunkserver, until a signal or the chunkserver's end. cairn-chunkserver starts it.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <fstream>
#include <sstream>

#include "chunkserver/identity.h"
#include "chunkserver/worker/worker.h"
#include "common/base/config.h"
#include "common/base/daemon.h"
#include "common/base/errno_error.h"
#include "common/probes/kill_point.h"

namespace cairn {
namespace {

constexpr const char* kVersion = "cairn-worker 0.1.0";
// Below the chunkserver, which shares the cores: when both want one, serving bytes gets three quarters of it, and a
// request that arrives pushes a task off its core. Where a core is free a task runs as fast as at 0.
constexpr int kNiceness = 5;

struct Flags {
  std::string data;
  std::string metaserver;
  std::string log_level = "info";
  std::string listen = "127.0.0.1:0";
  std::string advertise_host;
  uint32_t slots = 1;
  int parent = 0;
};

void describe(CLI::App& app, Flags& flags) {
  app.description(
      "The task worker beside a chunkserver of a CairnFS cluster: runs the operators of near-data jobs (cairn task "
      "run)\n"
      "over the shards in the chunkserver's data directory, which it reads and never writes. Results that are too "
      "large "
      "for\nthe metaserver it keeps in DIR/tasks until their job is over.\n"
      "cairn-chunkserver starts one for each of its data directories and restarts it (--task-slots); by hand:\n"
      "Example: cairn-worker --data /disk1/cairn --metaserver 10.0.0.1:4000 --slots 4");
  app.footer(
      "It asks the metaserver for tasks. Ending it at any moment loses nothing: its tasks are given to others.\n"
      " Cells that do not lie in the data directory come from their chunkservers, and what is missing or "
      "damaged\n"
      "is rebuilt from other shards, as a mount does it.");
  app.set_version_flag("--version", kVersion);
  app.add_option("--data", flags.data, "The chunkserver's data directory, which must have registered before")
      ->required()
      ->type_name("DIR");
  app.add_option("--metaserver", flags.metaserver, "The cluster's metaserver")->required()->type_name("HOST:PORT");
  app.add_option("--slots", flags.slots, "Tasks that run at once, each on a thread")
      ->check(CLI::Range(1u, kMaxTaskSlots))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--listen", flags.listen, "Where large results are fetched from it; port 0 takes a free one")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  app.add_option("--advertise-host", flags.advertise_host, "What others are told instead of the host of --listen")
      ->type_name("HOST");
  app.add_option("--parent", flags.parent, "End when this process, which started it, has ended")->type_name("PID");
  app.add_option("--log-level", flags.log_level, "trace, debug, info, warn, error or off")->capture_default_str();
}

// The kernel sends the signal when the thread that started us ends; it may have ended already.
Status end_with_parent(int parent) {
  if (parent == 0) return {};
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return file_error("prctl", "PR_SET_PDEATHSIG", errno);
  if (::getppid() == parent) return {};
  return {Errc::unavailable, fmt::format("the process {} that started it has ended", parent)};
}

Result<ServerId> own_server(const std::string& directory) {
  const std::string path = directory + "/identity.toml";
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file)
    return {Errc::not_found,
            path + " cannot be read: is this the data directory of a chunkserver that has been started?"};
  ASSIGN(const Identity identity, decode_identity(text.str()));
  if (raw(identity.server) == 0)
    return {Errc::unavailable,
            directory + " has no server id yet: its chunkserver has not registered with a metaserver"};
  return identity.server;
}

Status serve(const Flags& flags) {
  TRY(end_with_parent(flags.parent));
  TRY(arm_kill_point_from_environment());
  const sigset_t ends = block_end_signals();
  if (::setpriority(PRIO_PROCESS, 0, kNiceness) != 0) spdlog::warn("niceness {}: {}", kNiceness, std::strerror(errno));
  ASSIGN(const Address metaserver, parse_address(flags.metaserver));
  ASSIGN(const ServerId own, own_server(flags.data));
  ASSIGN(const Address listen, parse_address(flags.listen));
  Worker worker(real_network(), real_clock(), real_disk(),
                {metaserver, flags.data, own, flags.slots, listen, flags.advertise_host});
  TRY(worker.start());
  wait_for_end(ends);
  worker.stop();
  return {};
}

}  // namespace
}  // namespace cairn

int main(int argc, char** argv) {
  cairn::Flags flags;
  CLI::App app;
  cairn::describe(app, flags);
  CLI11_PARSE(app, argc, argv);
  return cairn::run_server("cairn-worker", flags.log_level, [&] { return cairn::serve(flags); });
}

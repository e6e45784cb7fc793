#include "tools/cairn/dev_cluster.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <time.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/fuse/mount_table.h"
#include "common/rpc/meta_client.h"
#include "tools/cairn/command_line.h"
#include "tools/cairn/locate.h"

namespace cairn::tools {
namespace {

namespace fs = std::filesystem;

constexpr Duration kStartTimeout = 30s;
constexpr Duration kStopGrace = 20s;
constexpr Duration kPoll = 30ms;
constexpr size_t kDefaultChunkservers = 6;

void pause_between_looks() {
  const timespec wait{0, static_cast<long>(kPoll.count())};
  ::nanosleep(&wait, nullptr);
}

std::string name_of_chunkserver(size_t number) { return fmt::format("chunkserver-{}", number); }

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return {Errc::not_found, fmt::format("{} cannot be read", path)};
  return text.str();
}

// The server's "HOST:PORT" or "PORT".
uint16_t port_in(std::string_view text) {
  if (const size_t colon = text.rfind(':'); colon != std::string_view::npos) text.remove_prefix(colon + 1);
  uint16_t port = 0;
  std::from_chars(text.data(), text.data() + text.size(), port);
  return port;
}

Status agree(const std::string& what, const std::string& wished, const std::string& is, const std::string& directory) {
  if (wished.empty() || wished == is) return {};
  return Error{
      Errc::invalid,
      fmt::format("the cluster in {} has {} {}, not {}; leave the option out, use another --dir, or begin anew: "
                  "cairn dev down --purge --dir {}",
                  directory, what, is, wished, directory)};
}

}  // namespace

std::string Who::text() const {
  switch (kind) {
    case Kind::metaserver:
      return "metaserver";
    case Kind::chunkserver:
      return std::to_string(number);
    case Kind::mount:
      return "mount";
  }
  return "?";
}

Result<DevCluster> DevCluster::load(const std::string& directory, bool locked) {
  DevCluster cluster(directory);
  if (!fs::exists(directory + "/cluster.json")) {
    return {Errc::not_found,
            fmt::format("there is no dev cluster in {}; make one by: cairn dev up --dir {}", directory, directory)};
  }
  if (locked) TRY(cluster.lock());
  ASSIGN(const std::string text, read_file(directory + "/cluster.json"));
  Result<DevState> state = decode_dev_state(text);
  if (!state.ok()) {
    return {Errc::invalid, fmt::format("{}/cluster.json is not understood: {}", directory, state.error().what)};
  }
  cluster.state_ = std::move(*state);
  return cluster;
}

Result<DevCluster> DevCluster::open(const std::string& directory) { return load(directory, true); }
Result<DevCluster> DevCluster::look(const std::string& directory) { return load(directory, false); }

Result<DevCluster> DevCluster::create_or_open(const std::string& directory, const Wishes& wishes) {
  if (fs::exists(directory + "/cluster.json")) {
    ASSIGN(DevCluster cluster, load(directory, true));
    DevState& state = cluster.state_;
    TRY(agree("the policy", wishes.policy, state.policy, directory));
    TRY(agree("the cell size", wishes.cell, state.cell, directory));
    TRY(agree("the quarantine", wishes.quarantine, state.quarantine, directory));
    TRY(agree("the time until a server is down", wishes.down_after, state.down_after, directory));
    if (wishes.chunkservers != 0 && wishes.chunkservers < state.chunkservers.size()) {
      TRY(agree("chunkservers:", std::to_string(wishes.chunkservers), std::to_string(state.chunkservers.size()),
                directory));
    }
    if (wishes.chunkservers > state.chunkservers.size()) state.chunkservers.resize(wishes.chunkservers);
    if (!wishes.mountpoint.empty() && wishes.mountpoint != state.mountpoint) {
      if (running(cluster.mount_process())) TRY(agree("the mount", wishes.mountpoint, state.mountpoint, directory));
      state.mountpoint = wishes.mountpoint;
    }
    return cluster;
  }
  DevCluster cluster(directory);
  std::error_code error;
  fs::create_directories(directory + "/logs", error);
  if (error)
    return {Errc::io, fmt::format("cannot make {}: {}; name another place by --dir", directory, error.message())};
  TRY(cluster.lock());
  if (!wishes.policy.empty()) cluster.state_.policy = wishes.policy;
  if (!wishes.quarantine.empty()) cluster.state_.quarantine = wishes.quarantine;
  if (!wishes.down_after.empty()) cluster.state_.down_after = wishes.down_after;
  cluster.state_.cell = wishes.cell;
  cluster.state_.chunkservers.resize(wishes.chunkservers != 0 ? wishes.chunkservers : kDefaultChunkservers);
  if (wishes.mount) cluster.state_.mountpoint = wishes.mountpoint.empty() ? directory + "/mnt" : wishes.mountpoint;
  return cluster;
}

Status DevCluster::lock() {
  lock_ = UniqueFd(::open((directory_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock_.valid()) return Error{Errc::io, fmt::format("{}/lock: {}", directory_, std::strerror(errno))};
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return {};
  say(fmt::format("waiting for another cairn dev command on {}", directory_));
  while (::flock(lock_.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return Error{Errc::io, fmt::format("{}/lock: {}", directory_, std::strerror(errno))};
  }
  return {};
}

// Replaced as a whole, so that a command that is killed leaves the old or the new state.
Status DevCluster::save() const {
  const std::string path = directory_ + "/cluster.json";
  std::ofstream file(path + ".new", std::ios::trunc);
  file << encode(state_) << std::flush;
  if (!file) return Error{Errc::io, fmt::format("{} cannot be written; is the disk full?", path)};
  file.close();
  std::error_code error;
  fs::rename(path + ".new", path, error);
  if (error) return Error{Errc::io, fmt::format("{}: {}", path, error.message())};
  return {};
}

Status DevCluster::up() {
  std::error_code error;
  fs::create_directories(directory_ + "/logs", error);
  if (error) return Error{Errc::io, fmt::format("cannot make {}/logs: {}", directory_, error.message())};
  TRY(start_metaserver());
  std::vector<size_t> numbers;
  for (size_t number = 1; number <= state_.chunkservers.size(); ++number) {
    const bool first_start = state_.chunkservers[number - 1].port == 0;
    TRY(launch_chunkserver(number));
    // New ones one after the other: so the metaserver gives number N the id N.
    if (first_start) TRY(wait_until_up({number}));
    numbers.push_back(number);
  }
  TRY(wait_until_up(numbers));
  say(fmt::format("{} chunkservers are up", numbers.size()));
  return start_mount();
}

Status DevCluster::start(const Who& who) {
  switch (who.kind) {
    case Who::Kind::metaserver:
      return start_metaserver();
    case Who::Kind::mount:
      return start_mount();
    case Who::Kind::chunkserver:
      TRY(launch_chunkserver(who.number));
      return wait_until_up({who.number});
  }
  return {};
}

Status DevCluster::start_metaserver() {
  if (running(state_.metaserver.process)) return wait_for_metaserver();
  ASSIGN(const std::string program, sibling_program("cairn-metaserver"));
  say("starting the metaserver");
  std::error_code error;
  fs::remove(port_file("metaserver"), error);
  fs::create_directories(directory_ + "/metaserver", error);
  std::vector<std::string> words = {program,
                                    "--data",
                                    directory_ + "/metaserver",
                                    "--listen",
                                    fmt::format("127.0.0.1:{}", state_.metaserver.port),
                                    "--port-file",
                                    port_file("metaserver"),
                                    "--policy",
                                    state_.policy,
                                    "--quarantine",
                                    state_.quarantine,
                                    "--down-after",
                                    state_.down_after};
  if (!state_.cell.empty()) words.insert(words.end(), {"--cell", state_.cell});
  ASSIGN(state_.metaserver.process, start_detached(words, log_of("metaserver")));
  TRY(save());
  TRY(wait_for_port(state_.metaserver, "metaserver"));
  return wait_for_metaserver();
}

Status DevCluster::launch_chunkserver(size_t number) {
  DevProcess& one = state_.chunkservers[number - 1];
  if (running(one.process)) return {};
  ASSIGN(const std::string program, sibling_program("cairn-chunkserver"));
  const std::string name = name_of_chunkserver(number);
  say(fmt::format("starting chunkserver {}", number));
  std::error_code error;
  fs::remove(port_file(name), error);
  fs::create_directories(directory_ + "/" + name, error);
  ASSIGN(one.process,
         start_detached({program, "--data", directory_ + "/" + name, "--listen", fmt::format("127.0.0.1:{}", one.port),
                         "--metaserver", state_.metaserver_address().text(), "--host", fmt::format("h{}", number),
                         "--port-file", port_file(name)},
                        log_of(name)));
  return save();
}

Status DevCluster::wait_for_port(DevProcess& one, const std::string& name) {
  const Instant deadline = real_clock().now() + kStartTimeout;
  while (true) {
    if (const Result<std::string> text = read_file(port_file(name)); text.ok() && text->ends_with('\n')) {
      if (const uint16_t port = port_in(*text); port != 0) {
        one.port = port;
        return save();
      }
    }
    if (!running(one.process)) {
      return Error{Errc::unavailable,
                   fmt::format("the {} ended at its start; {}:{}", name, log_of(name), tail_of(log_of(name), 8))};
    }
    if (real_clock().now() > deadline) {
      return Error{Errc::timed_out,
                   fmt::format("the {} does not say its port; {}:{}", name, log_of(name), tail_of(log_of(name), 8))};
    }
    pause_between_looks();
  }
}

Status DevCluster::wait_for_metaserver() {
  const Instant deadline = real_clock().now() + kStartTimeout;
  while (true) {
    const Result<ClusterStatus> status = cluster_status();
    if (status.ok()) return {};
    if (!running(state_.metaserver.process)) {
      return Error{Errc::unavailable, fmt::format("the metaserver ended at its start; {}:{}", log_of("metaserver"),
                                                  tail_of(log_of("metaserver"), 8))};
    }
    if (real_clock().now() > deadline) {
      return Error{Errc::timed_out, fmt::format("the metaserver does not answer: {}; its log is {}",
                                                status.error().what, log_of("metaserver"))};
    }
    pause_between_looks();
  }
}

Status DevCluster::wait_until_up(const std::vector<size_t>& numbers) {
  for (const size_t number : numbers) TRY(wait_for_port(state_.chunkservers[number - 1], name_of_chunkserver(number)));
  const Instant deadline = real_clock().now() + kStartTimeout;
  while (true) {
    ASSIGN(const ClusterStatus status, cluster_status());
    size_t missing = 0;
    for (const size_t number : numbers) {
      const DevProcess& one = state_.chunkservers[number - 1];
      const bool up = std::any_of(status.servers.begin(), status.servers.end(), [&](const ServerInfo& server) {
        return server.address.port == one.port && answers(server.health);
      });
      if (!up) missing = number;
    }
    if (missing == 0) break;
    const std::string name = name_of_chunkserver(missing);
    if (!running(state_.chunkservers[missing - 1].process)) {
      return Error{Errc::unavailable,
                   fmt::format("{} ended at its start; {}:{}", name, log_of(name), tail_of(log_of(name), 8))};
    }
    if (real_clock().now() > deadline) {
      return Error{Errc::timed_out, fmt::format("{} does not report to the metaserver; {}:{}", name, log_of(name),
                                                tail_of(log_of(name), 8))};
    }
    pause_between_looks();
  }
  return {};
}

ProcessId DevCluster::mount_process() const {
  const Result<std::vector<MountEntry>> mounts = read_mounts();
  if (state_.mountpoint.empty() || !mounts.ok()) return {};
  const std::string place = absolute_path(state_.mountpoint);
  const auto mount = mount_of(*mounts, place);
  if (!mount || mount->mountpoint != place) return {};
  const Result<int> pid = daemon_pid(place);
  if (!pid.ok()) return {};
  const Result<ProcessId> process = identify(*pid);
  return process.ok() ? *process : ProcessId{};
}

Status DevCluster::start_mount() {
  if (state_.mountpoint.empty() || running(mount_process())) return {};
  TRY(stop_mount(Flushing::required));  // what a killed daemon left
  std::error_code error;
  fs::create_directories(state_.mountpoint, error);
  if (error)
    return Error{Errc::io, fmt::format("cannot make the mount point {}: {}", state_.mountpoint, error.message())};
  say(fmt::format("mounting at {}", state_.mountpoint));
  ASSIGN(const std::string program, sibling_program("cairn"));
  ASSIGN(const int code, run_and_wait({program, "mount", state_.metaserver_address().text(), state_.mountpoint, "--log",
                                       log_of("mount")}));
  if (code != 0) return Error{Errc::io, fmt::format("the mount failed; its log is {}", log_of("mount"))};
  return save();
}

Status DevCluster::stop_mount(Flushing flushing) {
  if (state_.mountpoint.empty()) return {};
  const std::string place = absolute_path(state_.mountpoint);
  ASSIGN(const std::vector<MountEntry> mounts, read_mounts());
  const auto mount = mount_of(mounts, place);
  if (!mount || mount->mountpoint != place) return {};
  std::string note;
  const Status done = unmount(place, flushing, note);
  if (!note.empty()) say(note);
  return done;
}

Status DevCluster::kill(const Who& who) {
  ProcessId process;
  switch (who.kind) {
    case Who::Kind::metaserver:
      process = state_.metaserver.process;
      break;
    case Who::Kind::chunkserver:
      process = state_.chunkservers[who.number - 1].process;
      break;
    case Who::Kind::mount:
      process = mount_process();
      break;
  }
  if (!running(process)) return Error{Errc::not_found, fmt::format("{} does not run", who.text())};
  TRY(send_signal(process, SIGKILL));
  return wait_until_gone(process, kStopGrace);
}

Status DevCluster::down(Flushing flushing) {
  TRY(stop_mount(flushing));
  return stop_servers();
}

Status DevCluster::stop_servers() {
  // All are told first, so that they end side by side; the chunkservers before the metaserver that they report to.
  for (const DevProcess& one : state_.chunkservers) TRY(send_signal(one.process, SIGTERM));
  for (size_t number = 1; number <= state_.chunkservers.size(); ++number) {
    ASSIGN(const bool killed, terminate(state_.chunkservers[number - 1].process, kStopGrace));
    if (killed)
      say(fmt::format("chunkserver {} did not end by itself and was killed; its log is {}", number,
                      log_of(name_of_chunkserver(number))));
  }
  ASSIGN(const bool killed, terminate(state_.metaserver.process, kStopGrace));
  if (killed)
    say(fmt::format("the metaserver did not end by itself and was killed; its log is {}", log_of("metaserver")));
  return {};
}

// Removes only what a dev cluster makes: a --dir that was named by mistake keeps its other files.
Status DevCluster::purge() {
  for (const DevProcessStatus& one : processes()) {
    if (one.running) return Error{Errc::busy, fmt::format("{} still runs", one.who.text())};
  }
  std::error_code error;
  std::vector<std::string> names = {"metaserver",   "metaserver.port",  "logs",
                                    "cluster.json", "cluster.json.new", "lock"};
  for (size_t number = 1; number <= state_.chunkservers.size(); ++number) {
    names.push_back(name_of_chunkserver(number));
    names.push_back(name_of_chunkserver(number) + ".port");
  }
  for (const std::string& name : names) {
    fs::remove_all(directory_ + "/" + name, error);
    if (error) return Error{Errc::io, fmt::format("cannot remove {}/{}: {}", directory_, name, error.message())};
  }
  fs::remove(directory_ + "/mnt", error);  // only when empty; so is the directory itself
  fs::remove(directory_, error);
  return {};
}

Result<Who> DevCluster::parse_who(const std::string& text) const {
  if (text == "metaserver") return Who{Who::Kind::metaserver, 0};
  if (text == "mount") return Who{Who::Kind::mount, 0};
  size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= 1 && number <= state_.chunkservers.size()) {
    return Who{Who::Kind::chunkserver, number};
  }
  return {Errc::invalid,
          fmt::format("\"{}\" is nobody here: 1 to {}, metaserver or mount", text, state_.chunkservers.size())};
}

std::vector<DevProcessStatus> DevCluster::processes() const {
  std::vector<DevProcessStatus> out;
  const auto add = [&out](Who who, const ProcessId& process, const std::string& address) {
    const bool alive = running(process);
    out.push_back({who, alive, alive ? process.pid : 0, address});
  };
  add({Who::Kind::metaserver, 0}, state_.metaserver.process, state_.metaserver_address().text());
  for (size_t number = 1; number <= state_.chunkservers.size(); ++number) {
    const DevProcess& one = state_.chunkservers[number - 1];
    add({Who::Kind::chunkserver, number}, one.process, Address{"127.0.0.1", one.port}.text());
  }
  if (!state_.mountpoint.empty()) add({Who::Kind::mount, 0}, mount_process(), state_.mountpoint);
  return out;
}

Result<ClusterStatus> DevCluster::cluster_status() const {
  ASSIGN(const std::unique_ptr<MetaClient> client, connect_metaserver(state_.metaserver_address()));
  return client->status();
}

}  // namespace cairn::tools

// cairn lock list: who holds which locks over all mounts, and who waits for them.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/cairn/command_line.h"
#include "tools/cairn/locate.h"
#include "tools/cairn/text_table.h"

namespace cairn::tools {
namespace {

using Json = nlohmann::ordered_json;
constexpr uint32_t kRowsPerCall = 1000;

struct Arguments {
  std::string path, metaserver;
  bool json = false;
};

const char* name_of(LockKind kind) { return kind == LockKind::flock ? "flock" : "posix"; }
const char* name_of(LockMode mode) { return mode == LockMode::exclusive ? "exclusive" : "shared"; }

// The inode of a path, or nothing where the path is the mount itself: then all locks are meant.
Result<InodeId> inode_meant(const std::string& path) {
  if (path.empty()) return InodeId{0};
  ASSIGN(const MountEntry mount, mount_at_or_above(path));
  if (absolute_path(path) == mount.mountpoint) return InodeId{0};
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return {Errc::not_found, fmt::format("{}: {}", path, std::strerror(errno))};
  return InodeId{found.st_ino};
}

Result<std::vector<LockInfo>> fetch(const Arguments& arguments) {
  ASSIGN(const Address address, find_metaserver(arguments.metaserver, arguments.path));
  ASSIGN(const InodeId inode, inode_meant(arguments.path));
  ASSIGN(const std::unique_ptr<MetaClient> client, connect_metaserver(address));
  std::vector<LockInfo> all;
  LockListCall call{.inode = inode, .limit = kRowsPerCall};
  while (true) {
    ASSIGN(LockPage page, client->list_locks(call));
    for (LockInfo& lock : page.locks) all.push_back(std::move(lock));
    if (page.complete || page.locks.empty()) return all;
    call.skip = all.size();
  }
}

Json to_json(const LockInfo& info) {
  const HeldLock& lock = info.lock;
  Json row = {{"inode", raw(lock.inode)},
              {"type", name_of(lock.owner.kind)},
              {"mode", name_of(lock.mode)},
              {"first", lock.range.first},
              {"last", lock.range.last == kLockEnd ? Json(nullptr) : Json(lock.range.last)},
              {"state", info.waiting ? "waiting" : "held"},
              {"token", info.waiting ? Json(nullptr) : Json(lock.token)},
              {"owner", fmt::format("{:016x}", lock.owner.id)},
              {"pid", lock.pid},
              {"session", raw(info.session)},
              {"session_name", info.session_name},
              {"host", info.host},
              {"session_pid", info.session_pid}};
  return row;
}

void print(const std::vector<LockInfo>& locks) {
  if (locks.empty()) {
    fmt::print("no locks\n");
    return;
  }
  std::vector<std::vector<std::string>> rows = {
      {">inode", "type", "mode", ">first", ">last", "state", ">token", ">pid", "holder", "host"}};
  for (const LockInfo& info : locks) {
    const HeldLock& lock = info.lock;
    rows.push_back({std::to_string(raw(lock.inode)), name_of(lock.owner.kind), name_of(lock.mode),
                    std::to_string(lock.range.first),
                    lock.range.last == kLockEnd ? "end" : std::to_string(lock.range.last),
                    info.waiting ? "waiting" : "held", info.waiting ? "" : std::to_string(lock.token),
                    std::to_string(lock.pid), info.session_name, info.host});
  }
  fmt::print("{}", text_table(std::move(rows)));
}

int run(const Arguments& arguments) {
  const Result<std::vector<LockInfo>> locks = fetch(arguments);
  if (!locks.ok()) return fail("lock list", locks.error());
  if (!arguments.json) {
    print(*locks);
    return kOk;
  }
  Json rows = Json::array();
  for (const LockInfo& lock : *locks) rows.push_back(to_json(lock));
  fmt::print("{}\n", Json{{"locks", rows}}.dump(2));
  return kOk;
}

}  // namespace

void add_lock(CLI::App& app, int& exit_code) {
  CLI::App* group = app.add_subcommand("lock", "The locks (flock, fcntl) of all mounts");
  group->require_subcommand(1);
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = group->add_subcommand("list", "Who holds which locks, and who waits for them, in their order");
  command->footer(
      "type    flock, or posix: fcntl locks of a process and of an open file (OFD), which the kernel does not tell "
      "apart\n"
      "first   first and last byte, counted from 0; \"end\" is the file's end however it grows (null in --json)\n"
      "token   ascends with each grant of the cluster, over restarts too: whoever acts for the holder can send it "
      "along,\n"
      "        and what has seen a larger one refuses (fencing)\n"
      "pid     of the program, on the host of the holder's mount\n"
      "Who waits stands behind who holds. A lock ends with its program or, if a mount is gone, with its session (20 "
      "s).\n"
      "Examples:\n  cairn lock list                       of the only cluster mounted here\n"
      "  cairn lock list /mnt/cairn/app.db     of one file\n"
      "  cairn lock list -m 10.0.0.1:7000 --json | jq '.locks[] | select(.state == \"waiting\")'");
  command->add_option("PATH", arguments->path, "A file or directory under a mount; the mount itself means all locks");
  command->add_option("-m,--metaserver", arguments->metaserver, "HOST:PORT; needs no mount, and lists all locks")
      ->excludes(command->get_option("PATH"));
  command->add_flag("--json", arguments->json, "For programs");
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace cairn::tools

#include "tests/campaign/mounting.h"

#include <algorithm>

#include "common/base/random.h"
#include "tests/campaign/workloads.h"

namespace cairn {

std::unique_ptr<Filesystem> mount_patiently(CairnWorld& world, SimMachine& machine, FilesystemOptions options,
                                            uint64_t number) {
  const FilesystemOptions given = world.mount_options(machine);
  options.metaserver = given.metaserver;
  options.name = given.name;
  Random random(mix64(machine.seed + number));  // another nonce for each session
  const Instant patience = machine.clock.now() + 120s;
  while (true) {
    options.seed = random() | 1;
    auto mounted = Filesystem::mount(machine.network, machine.clock, options);
    if (mounted.ok()) return std::move(mounted).value();
    // The session of a mount that crashed holds the tree for its TTL, and gets another when the metaserver restarts.
    world.story().tell("{}: mount: {}", machine.name, mounted.error().what);
    if (machine.clock.now() > patience) world.story().wrong("cannot mount");
    world.sleep(100ms);
  }
}

std::map<std::string, InodeId> list_directory(CairnWorld& world, Filesystem& files, InodeId directory) {
  Story& story = world.story();
  std::map<std::string, InodeId> found;
  for (uint64_t cookie = 0;;) {
    const DirectoryPage page = expect(world, "readdir", files.read_directory(directory, cookie, 100, false));
    for (const Entry& entry : page.entries) {
      if (!found.emplace(entry.name, entry.attributes.inode).second) story.wrong("readdir: {} twice", entry.name);
      cookie = entry.cookie;
    }
    if (page.complete) return found;
    if (page.entries.empty()) story.wrong("readdir: an empty page that is not the last");
  }
}

void wait_for_old_sessions(CairnWorld& world, const std::string& name, int64_t own) {
  world.wait_until("the sessions of a dead " + name + " have ended", 10min, [&] {
    const std::vector<SessionStatus> sessions = world.status().sessions;
    return std::ranges::count(sessions, name, &SessionStatus::name) <= own;
  });
}

}  // namespace cairn

// cairn sync: what sync(1) does, which the kernel does not tell a FUSE filesystem.
#include <memory>

#include "tools/cairn/command_line.h"
#include "tools/cairn/locate.h"
#include "tools/cairn/unmount.h"

namespace cairn::tools {

void add_sync(CLI::App& app, int& exit_code) {
  auto path = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("sync", "Returns when everything written through a mount is safe");
  command->footer(
      "sync(1) does not reach the mount's buffers, because the kernel does not forward it; this does.\n"
      "Example:\n  cairn sync /mnt/cairn");
  command->add_option("PATH", *path, "The mount, or any path under it")->required();
  command->callback([path, &exit_code] {
    const Result<MountEntry> mount = mount_at_or_above(*path);
    if (!mount.ok()) {
      exit_code = fail("sync", mount.error());
      return;
    }
    const Status flushed = flush_mount(mount->mountpoint);
    exit_code = flushed.ok() ? kOk : fail("sync", flushed.error());
  });
}

}  // namespace cairn::tools

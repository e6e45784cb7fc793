// cairn umount.
#include <fmt/format.h>

#include <memory>

#include "tools/cairn/command_line.h"
#include "tools/cairn/locate.h"
#include "tools/cairn/unmount.h"

namespace cairn::tools {

void add_umount(CLI::App& app, int& exit_code) {
  struct Arguments {
    std::string mountpoint;
    bool force = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("umount", "Unmounts, and waits until everything is safe");
  command->footer(
      "Flushes every file, unmounts, and returns when the mount's daemon has ended. umount(8) returns before that.\n"
      "Example:\n  cairn umount /mnt/cairn");
  command->add_option("MOUNTPOINT", arguments->mountpoint, "Where it is mounted")->required();
  command->add_flag("--force", arguments->force, "Unmount although not everything can be stored: unsaved data is lost");
  command->callback([arguments, &exit_code] {
    std::string note;
    const Status done = unmount(absolute_path(arguments->mountpoint),
                                arguments->force ? Flushing::attempted : Flushing::required, note);
    if (!note.empty()) say("cairn umount: " + note);
    exit_code = done.ok() ? kOk : fail("umount", done.error());
  });
}

}  // namespace cairn::tools

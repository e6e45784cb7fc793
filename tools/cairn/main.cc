// cairn: the command line for users and administrators. One subcommand a file.
#include <csignal>

#include "tools/cairn/command_line.h"

int main(int argc, char** argv) {
  using namespace cairn::tools;
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app{
      "CairnFS: a filesystem that you mount; any m servers of ec(k,m) may be lost.\n\n"
      "A first look:\n"
      "  cairn dev up                       a metaserver, six chunkservers and a mount on this machine\n"
      "  cairn status                       is everything safe, and what to do if not\n"
      "  cairn mount HOST:PORT /mnt/cairn   mount an existing cluster"};
  app.name("cairn");
  app.require_subcommand(1);
  app.set_version_flag("--version", "cairn " CAIRN_VERSION);
  app.get_formatter()->column_width(34);
  int exit_code = kOk;
  add_mount(app, exit_code);
  add_umount(app, exit_code);
  add_sync(app, exit_code);
  add_status(app, exit_code);
  add_node(app, exit_code);
  add_layout(app, exit_code);
  add_lock(app, exit_code);
  add_cache(app, exit_code);
  add_task(app, exit_code);
  add_bench(app, exit_code);
  add_dev(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return end_parse(app, error);
  }
  return exit_code;
}

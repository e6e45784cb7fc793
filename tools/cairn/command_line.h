// What all subcommands share: exit codes, how an error is told, --json.
//
// Results go to standard output, everything else (progress, errors) to standard error.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "common/base/result.h"

namespace cairn::tools {

enum ExitCode : int {
  kOk = 0,
  kFailed = 1,    // it was not done; the sentence on standard error says what to do
  kUsage = 2,     // the command line was not understood
  kDataLost = 3,  // a mount ended and not everything that was written could be stored
};

// "cairn SUBCOMMAND: what" on standard error; returns kFailed.
int fail(const std::string& subcommand, const Error& error);
// Says what is wrong with a command line, and prints help where that was asked for; the exit code.
int end_parse(const CLI::App& app, const CLI::ParseError& error);
// A line of progress on standard error.
void say(const std::string& line);

// Each adds a subcommand, which writes its exit code when it has run.
void add_mount(CLI::App& app, int& exit_code);
void add_umount(CLI::App& app, int& exit_code);
void add_sync(CLI::App& app, int& exit_code);
void add_status(CLI::App& app, int& exit_code);
void add_node(CLI::App& app, int& exit_code);
void add_cache(CLI::App& app, int& exit_code);
void add_layout(CLI::App& app, int& exit_code);
void add_lock(CLI::App& app, int& exit_code);
void add_task(CLI::App& app, int& exit_code);
void add_bench(CLI::App& app, int& exit_code);
void add_dev(CLI::App& app, int& exit_code);
void add_dev_kill_points(CLI::App& dev);

}  // namespace cairn::tools

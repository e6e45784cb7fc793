// What every way of running an operator shares: its options, its files, and where its table goes.
//
//   cairn task try  stats --column amount FILES... --out amounts.csv      here, over plain files
//   cairn task run  stats --column amount PATHS... --out amounts.csv      on the servers of a cluster
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/meta/jobs.h"
#include "common/tasks/registry.h"
#include "common/tasks/table.h"
#include "tools/cairn/command_line.h"

namespace cairn::tools {

// Where a table goes, and in which form.
struct TableTarget {
  std::string out;  // empty: standard output
  bool csv = false, json = false, force = false;
};
inline TableFormat format_of(const TableTarget& target) {
  return target.json ? TableFormat::json_lines : TableFormat::csv;
}
// --out, --force, --csv, --json.
void add_target(CLI::App& command, const std::shared_ptr<TableTarget>& target);
// Before the work begins: exists, unless --force.
Status check_target(const TableTarget& target);
// Hands `write` a sink for the result: standard output, which gets it as it comes, or a file, which appears when all of
// it is there.
Status deliver(const TableTarget& target, const std::function<Status(const tasks::TextSink& sink)>& write);
Status deliver(const TableTarget& target, const tasks::Table& table);

struct OperatorCommand {
  std::string op;
  tasks::Arguments given;  // to the operator
  std::vector<std::string> files;
  std::shared_ptr<TableTarget> target = std::make_shared<TableTarget>();
};
// Subcommand OPERATOR of parent, with the operator's own options, FILES and a target. files_help: what FILES may be.
CLI::App* add_operator(CLI::App& parent, const tasks::OperatorInfo& info, const std::shared_ptr<OperatorCommand>& into,
                       const std::string& files_help);

}  // namespace cairn::tools

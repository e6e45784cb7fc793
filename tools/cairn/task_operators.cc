#include "tools/cairn/task_operators.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>

#include "tools/cairn/output_file.h"

namespace cairn::tools {

namespace {

// For an option whose text is a file's.
std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  out << file.rdbuf();
  if (!file) throw CLI::ValidationError(path, "cannot be read");
  return out.str();
}

}  // namespace

void add_target(CLI::App& command, const std::shared_ptr<TableTarget>& target) {
  command.add_option("--out", target->out, "Write the result there, whole or not at all")->type_name("PATH");
  command.add_flag("--force", target->force, "Replace what --out names");
  CLI::Option* csv = command.add_flag("--csv", target->csv, "CSV with a header (this is how it is written)");
  command.add_flag("--json", target->json, "JSON, one object a line")->excludes(csv);
}

Status check_target(const TableTarget& target) {
  if (target.out.empty() || target.force || ::access(target.out.c_str(), F_OK) != 0) return {};
  return {Errc::exists, target.out + " exists; --force replaces it"};
}

Status deliver(const TableTarget& target, const std::function<Status(const tasks::TextSink& sink)>& write) {
  if (target.out.empty()) {
    const auto print = [](std::string_view text) -> Status {
      if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return {};
      return {Errc::io, "standard output does not take the result"};
    };
    return write(print);
  }
  std::optional<OutputFile> file;  // made when there is something to write
  const auto append = [&](std::string_view text) -> Status {
    if (!file) {
      ASSIGN(OutputFile created, OutputFile::create(target.out));
      file.emplace(std::move(created));
    }
    return file->append(text);
  };
  TRY(write(append));
  TRY(append({}));
  return file->commit(target.force);
}

Status deliver(const TableTarget& target, const tasks::Table& table) {
  return deliver(target, [&](const tasks::TextSink& sink) { return sink(text_of(table, target.json)); });
}

CLI::App* add_operator(CLI::App& parent, const tasks::OperatorInfo& info, const std::shared_ptr<OperatorCommand>& into,
                       const std::string& files_help) {
  into->op = info.name;
  CLI::App* command = parent.add_subcommand(info.name, info.summary);
  command->footer(info.explains);
  for (const tasks::OptionInfo& option : info.options) {
    const std::string name = option.name;
    const bool positional = option.kind == tasks::OptionInfo::Kind::positional;
    if (*option.value == '\0') {
      command->add_flag_callback(
          "--" + name, [into, name] { into->given[name] = "true"; }, option.help);
      continue;
    }
    command
        ->add_option_function<std::string>(
            positional ? option.value : "--" + name,
            [into, name, is_file = option.is_file](const std::string& text) {
              into->given[name] = is_file ? content_of(text) : text;
            },
            option.help)
        ->type_name(positional ? "" : option.value)
        ->required(option.kind != tasks::OptionInfo::Kind::optional);
  }
  command->add_option("FILES", into->files, files_help)->type_name("")->required();
  add_target(*command, into->target);
  return command;
}

}  // namespace cairn::tools

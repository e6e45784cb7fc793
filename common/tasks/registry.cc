#include "common/tasks/registry.h"

#include <fmt/format.h>

namespace cairn::tasks {
namespace {

std::string names_of_operators() {
  std::string out;
  for (const OperatorInfo& info : operators()) out += std::string(out.empty() ? "" : ", ") + info.name;
  return out;
}

const OptionInfo* find_option(const OperatorInfo& info, std::string_view name) {
  for (const OptionInfo& option : info.options) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

Status check_arguments(const OperatorInfo& info, const Arguments& arguments) {
  for (const auto& [name, text] : arguments) {
    if (find_option(info, name) == nullptr)
      return {Errc::invalid, fmt::format("{} has no option \"{}\"", info.name, name)};
    if (text.size() > kMaxArgumentBytes)
      return {Errc::invalid, fmt::format("{}: --{} is longer than {} bytes", info.name, name, kMaxArgumentBytes)};
  }
  for (const OptionInfo& option : info.options) {
    if (option.kind != OptionInfo::Kind::optional && !arguments.contains(option.name))
      return {Errc::invalid, fmt::format("{} needs --{} {}", info.name, option.name, option.value)};
  }
  return {};
}

}  // namespace

std::span<const OperatorInfo> operators() {
  static const std::vector<OperatorInfo> all = {
      bsearch_operator(),  checksum_operator(), convert_operator(), dedup_report_operator(), exec_operator(),
      generate_operator(), grep_operator(),     read_operator(),    sort_operator(),         stats_operator(),
      top_operator(),      wc_operator(),       write_operator()};
  return all;
}

const OperatorInfo* find_operator(std::string_view name) {
  for (const OperatorInfo& info : operators()) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

Result<std::unique_ptr<Operator>> make_operator(const Job& job) {
  const OperatorInfo* info = find_operator(job.op);
  if (info == nullptr)
    return {Errc::invalid, fmt::format("there is no operator \"{}\"; there are: {}", job.op, names_of_operators())};
  if (job.files.empty() || job.files.size() > kMaxFiles)
    return {Errc::invalid, fmt::format("{} files; a job has 1 .. {}", job.files.size(), kMaxFiles)};
  for (const InputFile& file : job.files) {
    if (file.head.size() > kMaxHeadBytes || file.head.size() > file.size)
      return {Errc::invalid, file.name + ": an impossible header"};
  }
  TRY(check_arguments(*info, job.arguments));
  return info->make(job);
}

}  // namespace cairn::tasks

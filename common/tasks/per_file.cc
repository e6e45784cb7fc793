#include "common/tasks/per_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "common/base/config.h"
#include "common/tasks/arguments.h"

namespace cairn::tasks {

Result<PerFile> PerFile::texts(const Job& job, const std::string& name) {
  PerFile all;
  const auto found = job.arguments.find(name);
  if (found == job.arguments.end()) return all;
  const auto wrong = [&](std::string_view item) {
    return Error{Errc::invalid,
                 fmt::format("--{} \"{}\": a value, or VALUE*COUNT,VALUE*COUNT,... is wanted", name, item)};
  };
  uint64_t end = 0;
  for (std::string_view rest = found->second;;) {
    const size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const size_t star = item.find('*');
    uint64_t count = 1;
    if (star != std::string_view::npos) {
      const std::string_view digits = item.substr(star + 1);
      const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
      if (error != std::errc{} || stop != digits.data() + digits.size() || count == 0 || count > kMaxFiles)
        return wrong(item);
    }
    const bool one_for_all = comma == std::string_view::npos && all.runs_.empty() && star == std::string_view::npos;
    end = one_for_all ? kMaxFiles : end + count;
    if (item.substr(0, star).empty()) return wrong(item);
    all.runs_.push_back({end, std::string(item.substr(0, star)), 0});
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  if (end < job.files.size())
    return Error{Errc::invalid, fmt::format("--{} has {} values for {} files", name, end, job.files.size())};
  return all;
}

Result<PerFile> PerFile::numbers(const Job& job, const std::string& name, uint64_t low, uint64_t high) {
  ASSIGN(PerFile all, texts(job, name));
  for (Run& run : all.runs_) {
    const Result<uint64_t> number = parse_size(run.text);
    if (!number.ok() || *number < low || *number > high)
      return Error{Errc::invalid,
                   fmt::format("--{} \"{}\": a whole number from {} to {} is wanted", name, run.text, low, high)};
    run.number = *number;
  }
  return all;
}

uint64_t PerFile::largest() const {
  uint64_t most = 0;
  for (const Run& run : runs_) most = std::max(most, run.number);
  return most;
}

const PerFile::Run& PerFile::run(uint32_t file) const {
  const auto found = std::ranges::upper_bound(runs_, uint64_t{file}, {}, &Run::end);
  return found == runs_.end() ? runs_.back() : *found;
}

std::string per_file_text(const std::vector<std::string>& values) {
  std::string text;
  for (size_t i = 0; i < values.size();) {
    const auto end = std::find_if(values.begin() + static_cast<ptrdiff_t>(i), values.end(),
                                  [&](const std::string& other) { return other != values[i]; });
    const auto count = static_cast<size_t>(end - values.begin()) - i;
    text += fmt::format("{}{}*{}", text.empty() ? "" : ",", values[i], count);
    i += count;
  }
  return text;
}

}  // namespace cairn::tasks

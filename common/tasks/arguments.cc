#include "common/tasks/arguments.h"

#include <fmt/format.h>

#include <charconv>

#include "common/base/config.h"
#include "common/tasks/numbers.h"

namespace cairn::tasks {

bool flag_of(const Arguments& arguments, const std::string& name) { return arguments.contains(name); }

std::string text_of(const Arguments& arguments, const std::string& name, const std::string& absent) {
  const auto found = arguments.find(name);
  return found == arguments.end() ? absent : found->second;
}

Result<uint64_t> count_of(const Arguments& arguments, const std::string& name, uint64_t low, uint64_t high,
                          uint64_t absent) {
  const auto found = arguments.find(name);
  if (found == arguments.end()) return absent;
  const std::string& text = found->second;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < low || value > high)
    return {Errc::invalid, fmt::format("--{} \"{}\": a whole number from {} to {} is wanted", name, text, low, high)};
  return value;
}

Result<uint64_t> size_of(const Arguments& arguments, const std::string& name, const std::string& absent, uint64_t least,
                         uint64_t most) {
  ASSIGN(const uint64_t size, parse_size(text_of(arguments, name, absent)));
  if (size >= least && size <= most) return size;
  return {Errc::invalid, fmt::format("--{}: from {} to {}", name, format_size(least), format_size(most))};
}

Result<std::vector<double>> numbers_of(const Arguments& arguments, const std::string& name, char separator) {
  constexpr size_t kMost = 1000;
  std::vector<double> out;
  const auto found = arguments.find(name);
  if (found == arguments.end()) return out;
  std::string_view rest = found->second;
  while (true) {
    const size_t end = rest.find(separator);
    const std::optional<double> number = parse_number(rest.substr(0, end));
    if (!number || out.size() == kMost)
      return {Errc::invalid, fmt::format("--{} \"{}\": at most {} numbers with \"{}\" between are wanted", name,
                                         found->second, kMost, separator)};
    out.push_back(*number);
    if (end == std::string_view::npos) return out;
    rest.remove_prefix(end + 1);
  }
}

Result<char> delimiter_of(const Arguments& arguments) {
  const std::string text = text_of(arguments, "delimiter", ",");
  if (text == "tab" || text == "\t") return '\t';
  if (text.size() == 1 && std::string_view(",;|:!#$%&*/^~ ").find(text[0]) != std::string_view::npos) return text[0];
  return {Errc::invalid,
          fmt::format("--delimiter \"{}\": one of , ; | : ! # $ % & * / ^ ~, a space, or the word tab", text)};
}

}  // namespace cairn::tasks

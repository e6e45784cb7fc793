// Numbers as people and CSV files write them. Pure.
#pragma once

#include <optional>
#include <string_view>

namespace cairn::tasks {

// A finite decimal number, "-12.5e3" or "+7", with spaces around it or not; the whole of the text. Rounded to the
// nearest double, as Python's float() and strtod() do. nullopt for anything else, and for what no double can hold.
std::optional<double> parse_number(std::string_view text);

}  // namespace cairn::tasks

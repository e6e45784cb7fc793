// Columns of text for people. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cairn::tools {

// Rows of equal width in columns; the first row is the header. A column whose name begins with ">" is aligned right.
std::string text_table(std::vector<std::vector<std::string>> rows, const std::string& indent = "  ");

std::string human_bytes(uint64_t bytes);                       // 1536 -> "1.5 KiB"
std::string human_milliseconds(int64_t ms);                    // 61'000 -> "1 min 1 s"
std::string counted(uint64_t count, const std::string& noun);  // "1 chunk", "2 chunks"

}  // namespace cairn::tools

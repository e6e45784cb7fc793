// Reads the head of a CSV file, its first record: what InputFile::head wants.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace cairn::tasks {

// The bytes [at, end) of the file, or the first piece of them; empty only at end, or where the file ends too early.
using PieceOfFile = std::function<Result<std::string_view>(uint64_t at, uint64_t end)>;

// Empty for an empty file. invalid, with its name: the record is longer than kMaxHeadBytes.
Result<std::string> read_csv_head(const std::string& name, uint64_t size, const PieceOfFile& piece);

}  // namespace cairn::tasks

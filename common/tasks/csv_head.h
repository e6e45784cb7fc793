// Reads the head of a CSV file, its first record: what InputFile::head wants.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/tasks/piece_of_file.h"

namespace cairn::tasks {

// Empty for an empty file. invalid, with its name: the record is longer than kMaxHeadBytes.
Result<std::string> read_csv_head(const std::string& name, uint64_t size, const PieceOfFile& piece);

}  // namespace cairn::tasks

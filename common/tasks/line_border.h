// Where lines begin in a file: for splits that must hold whole ones (Needs::whole_lines).
#pragma once

#include "common/base/result.h"
#include "common/tasks/job.h"
#include "common/tasks/piece_of_file.h"

namespace cairn::tasks {

// Where the first line that begins at or behind `at` begins, or the file's end. invalid, with name and offset: a line
// is longer than kMaxRecordBytes.
Result<uint64_t> line_at_or_behind(const InputFile& file, uint64_t at, const PieceOfFile& piece);

// The split from the first line that begins in it to the last one's end, as neighbours do it too: each line is in one
// of them. Empty if none begins in it.
Result<Split> of_whole_lines(Split split, const InputFile& file, const PieceOfFile& piece);

}  // namespace cairn::tasks

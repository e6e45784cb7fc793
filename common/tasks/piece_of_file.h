// How operators read a file, without knowing where it lies.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "common/base/result.h"

namespace cairn::tasks {

// The bytes [at, end) of one file, or the first piece of them, valid until the next call; empty only if at is end, or
// where the file ends too early. Any range in any order, though in order is what most are fast at.
using PieceOfFile = std::function<Result<std::string_view>(uint64_t at, uint64_t end)>;

}  // namespace cairn::tasks

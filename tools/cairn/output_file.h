// A result that appears under its name whole, or not at all.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace cairn::tools {

// Writes a file beside it, syncs it, and gives it its name: afterwards the file has all of the bytes, or is as it was.
// Unless replace, exists if there is something of that name, also if that came meanwhile.
Status write_output_file(const std::string& path, std::string_view bytes, bool replace);

}  // namespace cairn::tools

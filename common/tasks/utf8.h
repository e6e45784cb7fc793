// Whether bytes are UTF-8. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cairn::tasks {

// The offset of the first byte that is not part of a well-formed sequence (Unicode, table 3-7: no overlong forms, no
// surrogates, nothing beyond U+10FFFF), or npos.
size_t find_invalid_utf8(std::string_view text);
// As WHATWG and Unicode recommend: U+FFFD for each maximal piece that is not well-formed.
std::string replace_invalid_utf8(std::string_view text);

}  // namespace cairn::tasks

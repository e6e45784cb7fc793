// What may be an extended attribute, and how much of them one inode may have.
#pragma once

#include <string_view>

#include "common/base/result.h"

namespace cairn::ops {

inline constexpr uint32_t kMaxXattrNameBytes = 255;       // as XATTR_NAME_MAX
inline constexpr uint32_t kMaxXattrListBytes = 65536;     // all names with their ends: as XATTR_LIST_MAX
inline constexpr uint32_t kMaxXattrTotalBytes = 1 << 20;  // all values

// too_big, not_supported (a namespace that nobody would act upon), not_permitted (cairn.*).
Status check_xattr_name(std::string_view name);

}  // namespace cairn::ops

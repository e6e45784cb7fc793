// What people write in flags, config files and xattrs: sizes, durations, addresses and policies, both ways.
//
// Every error is Errc::invalid, quotes the text and says what would be right. Spaces are not accepted.
#pragma once

#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/types.h"

namespace cairn {

// "4096", "256K", "64M", "1G", "2T": powers of 1024; "256KiB" is the same.
Result<uint64_t> parse_size(std::string_view text);
std::string format_size(uint64_t bytes);  // exact and shortest: 262144 -> "256K", 1000 -> "1000"

// "500ms", "10s", "10m", "2h", "7d"; a bare "0". At most 100 years.
Result<Duration> parse_duration(std::string_view text);
std::string format_duration(Duration duration);  // exact, in the largest unit that divides it: "10m", "1500ms"

// "HOST:PORT", "10.0.0.1:4000", "[::1]:4000". The port may be 0 (any); the host may not be empty.
Result<Address> parse_address(std::string_view text);

// "ec(4,2)": 1 <= k <= 32, 0 <= m <= 8.
Result<Code> parse_code(std::string_view text);
std::string format_code(const Code& code);

// A policy as the xattr cairn.policy has it: "ec(4,2)" or "ec(4,2)/64K".
struct PolicyText {
  Code code;
  uint32_t cell_bytes = 0;  // 0: not named. Else a multiple of 4096 up to 1 MiB.
  auto operator<=>(const PolicyText&) const = default;
};
Result<PolicyText> parse_policy(std::string_view text);
std::string format_policy(const PolicyText& policy);

// As in parse_policy; for a cell size that was given on its own. Fails on 0.
Result<uint32_t> parse_cell_bytes(std::string_view text);

}  // namespace cairn

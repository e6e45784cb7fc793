// What people write in flags, config files and xattrs: sizes, durations, addresses and codes, both ways.
// Not here: whole policies, with cell size and failure domain (common/meta/policy.h).
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

}  // namespace cairn

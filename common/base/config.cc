#include "common/base/config.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace cairn {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};
constexpr std::array kSizeUnits{Unit{"T", uint64_t{1} << 40}, Unit{"G", uint64_t{1} << 30},
                                Unit{"M", uint64_t{1} << 20}, Unit{"K", uint64_t{1} << 10}};
constexpr std::array kTimeUnits{Unit{"d", 86'400'000'000'000},
                                Unit{"h", 3'600'000'000'000},
                                Unit{"m", 60'000'000'000},
                                Unit{"s", 1'000'000'000},
                                Unit{"ms", 1'000'000},
                                Unit{"us", 1'000},
                                Unit{"ns", 1}};
constexpr uint64_t kLongestDuration = uint64_t{100} * 365 * 86'400'000'000'000;

// The digits at the front of text, which loses them. False if there are none or they do not fit.
bool take_number(std::string_view& text, uint64_t& number) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{}) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

template <size_t n>
uint64_t factor_of(std::string_view unit, const std::array<Unit, n>& units) {
  for (const Unit& one : units) {
    if (unit == one.name) return one.factor;
  }
  return 0;
}

template <typename... Parts>
Error invalid(fmt::format_string<Parts...> format, Parts&&... parts) {
  return Error{Errc::invalid, fmt::format(format, std::forward<Parts>(parts)...)};
}

}  // namespace

Result<uint64_t> parse_size(std::string_view text) {
  std::string_view unit = text;
  uint64_t number = 0;
  if (!take_number(unit, number))
    return invalid("size \"{}\": write a number and a unit, like 4096, 256K, 64M or 1G", text);
  if (unit.ends_with("iB")) unit.remove_suffix(2);
  const uint64_t factor = unit.empty() ? 1 : factor_of(unit, kSizeUnits);
  if (factor == 0)
    return invalid("size \"{}\": the unit is one of K, M, G, T (powers of 1024), or none for bytes", text);
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(number, factor, &bytes)) return invalid("size \"{}\": larger than 64 bits can hold", text);
  return bytes;
}

std::string format_size(uint64_t bytes) {
  for (const Unit& unit : kSizeUnits) {
    if (bytes != 0 && bytes % unit.factor == 0) return fmt::format("{}{}", bytes / unit.factor, unit.name);
  }
  return std::to_string(bytes);
}

Result<Duration> parse_duration(std::string_view text) {
  std::string_view unit = text;
  uint64_t number = 0;
  if (!take_number(unit, number))
    return invalid("duration \"{}\": write a number and a unit, like 500ms, 10s, 10m or 2h", text);
  if (unit.empty() && number == 0) return Duration{0};
  const uint64_t factor = factor_of(unit, kTimeUnits);
  if (factor == 0) return invalid("duration \"{}\": the unit is one of ns, us, ms, s, m, h, d", text);
  uint64_t ns = 0;
  if (__builtin_mul_overflow(number, factor, &ns) || ns > kLongestDuration) {
    return invalid("duration \"{}\": longer than 100 years", text);
  }
  return Duration{static_cast<int64_t>(ns)};
}

std::string format_duration(Duration duration) {
  const int64_t ns = duration.count();
  if (ns == 0) return "0s";
  for (const Unit& unit : kTimeUnits) {
    const auto factor = static_cast<int64_t>(unit.factor);
    if (ns % factor == 0) return fmt::format("{}{}", ns / factor, unit.name);
  }
  return fmt::format("{}ns", ns);
}

Result<Address> parse_address(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return invalid("address \"{}\": write HOST:PORT, like 127.0.0.1:4000", text);
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return invalid("address \"{}\": write an IPv6 address in brackets, like [::1]:4000", text);
  }
  if (host.find_first_of("[]") != std::string_view::npos) {
    return invalid("address \"{}\": brackets stand around a whole IPv6 address, like [::1]:4000", text);
  }
  if (host.empty()) return invalid("address \"{}\": the host is missing; 0.0.0.0 means every interface", text);
  std::string_view port = text.substr(colon + 1);
  uint64_t number = 0;
  if (!take_number(port, number) || !port.empty() || number > 65535) {
    return invalid("address \"{}\": the port is a number from 0 to 65535", text);
  }
  return Address{std::string(host), static_cast<uint16_t>(number)};
}

Result<Code> parse_code(std::string_view text) {
  std::string_view rest = text;
  uint64_t k = 0;
  uint64_t m = 0;
  const bool well_formed =
      take_prefix(rest, "ec(") && take_number(rest, k) && take_prefix(rest, ",") && take_number(rest, m) && rest == ")";
  if (!well_formed) {
    return invalid(
        "policy \"{}\": write ec(k,m), like ec(4,2): k data shards, any m of k+m may be lost; ec(1,2) is three copies",
        text);
  }
  if (k < 1 || k > kMaxDataShards) return invalid("policy \"{}\": k is from 1 to {}", text, kMaxDataShards);
  if (m > kMaxParityShards) return invalid("policy \"{}\": m is from 0 to {}", text, kMaxParityShards);
  return Code{static_cast<uint8_t>(k), static_cast<uint8_t>(m)};
}

std::string format_code(const Code& code) { return fmt::format("ec({},{})", code.d, code.m); }

}  // namespace cairn

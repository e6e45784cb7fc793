#include "metaserver/policy.h"

#include <charconv>

namespace cairn {
inline namespace storage_policies {

namespace {

bool is_failure_domain(std::string_view text) { return text == "site" || text == "rack" || text == "host" || text == "disk"; }

Error bad(std::string_view text, const char* why) {
  return {Errc::invalid, fmt::format("policy '{}': {}; write for example ec(4,2) or ec(4,2)/64K", text.substr(0, 80), why)};
}

// Takes a decimal number from the front; none if there is none or it is out of range.
std::optional<uint32_t> take_number(std::string_view& text, uint32_t most) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value > most) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::string cell_text(uint32_t cell_bytes) {
  if (cell_bytes % (1u << 20) == 0) return fmt::format("{}M", cell_bytes >> 20);
  if (cell_bytes % 1024 == 0) return fmt::format("{}K", cell_bytes >> 10);
  return fmt::format("{}", cell_bytes);
}

}  // namespace

Result<uint32_t> parse_cell_bytes(std::string_view text) {
  std::string_view rest = text;
  const auto number = take_number(rest, kMaxCellBytes);
  uint64_t bytes = number.value_or(0);
  if (rest == "K" || rest == "k") {
    bytes *= 1024;
  } else if (rest == "M" || rest == "m") {
    bytes *= 1024 * 1024;
  } else if (!rest.empty()) {
    bytes = 0;
  }
  if (bytes == 0 || bytes > kMaxCellBytes || bytes % kBlockBytes != 0) {
    return Error{Errc::invalid, fmt::format("cell size '{}' is not a multiple of 4096 up to 1M", text.substr(0, 80))};
  }
  return static_cast<uint32_t>(bytes);
}

Result<PolicyText> parse_policy(std::string_view text) {
  std::string_view rest = text;
  PolicyText parsed;
  if (!take(rest, "ec(")) return bad(text, "it does not begin with ec(");
  const auto k = take_number(rest, kMaxDataShards);
  if (!k || *k < 1) return bad(text, "k is not 1 to 32");
  if (!take(rest, ",")) return bad(text, "no comma after k");
  take(rest, " ");
  const auto m = take_number(rest, kMaxParityShards);
  if (!m) return bad(text, "m is not 0 to 8");
  if (!take(rest, ")")) return bad(text, "no ) after m");
  parsed.policy = Code{static_cast<uint8_t>(*k), static_cast<uint8_t>(*m)};
  while (!rest.empty()) {
    if (!take(rest, "/")) return bad(text, "something else than / follows");
    const std::string_view part = rest.substr(0, rest.find('/'));
    rest.remove_prefix(part.size());
    if (is_failure_domain(part) && !parsed.failure_domain) {
      parsed.failure_domain = std::string(part);
    } else if (!parsed.cell_bytes && !parsed.failure_domain) {
      ASSIGN(parsed.cell_bytes, parse_cell_bytes(part));
    } else {
      return bad(text, "a part is given twice, or is no failure domain");
    }
  }
  return parsed;
}

std::string policy_text(const StorageClass& storage_class, const StorageClass& defaults) {
  std::string text = fmt::format("ec({},{})", storage_class.policy.d, storage_class.policy.m);
  if (storage_class.cell_bytes != defaults.cell_bytes) text += "/" + cell_text(storage_class.cell_bytes);
  if (storage_class.failure_domain != defaults.failure_domain) text += "/" + storage_class.failure_domain;
  return text;
}

std::string policy_text(const StorageClass& storage_class) {
  return fmt::format("ec({},{})/{}/{}", storage_class.policy.d, storage_class.policy.m, cell_text(storage_class.cell_bytes),
                     storage_class.failure_domain);
}

Status check_class(const StorageClass& storage_class) {
  const auto refuse = [&](const char* why) {
    return Error{Errc::invalid, fmt::format("storage class '{}': {}", storage_class.name.substr(0, 80), why)};
  };
  if (storage_class.name.empty() || storage_class.name.size() > 255) return refuse("its name has not 1 to 255 bytes");
  if (storage_class.policy.d < 1 || storage_class.policy.d > kMaxDataShards) return refuse("k is not 1 to 32");
  if (storage_class.policy.m > kMaxParityShards) return refuse("m is not 0 to 8");
  if (storage_class.cell_bytes == 0 || storage_class.cell_bytes > kMaxCellBytes || storage_class.cell_bytes % kBlockBytes != 0) {
    return refuse("its cell size is not a multiple of 4096 up to 1M");
  }
  if (!is_failure_domain(storage_class.failure_domain)) return refuse("its failure domain is not site, rack, host or disk");
  return {};
}

}  // namespace storage_policies
}  // namespace cairn

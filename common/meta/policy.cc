#include "common/meta/policy.h"

#include <fmt/format.h>

#include "common/base/config.h"

namespace cairn {

namespace {

bool is_failure_domain(std::string_view text) {
  return text == "site" || text == "rack" || text == "host" || text == "disk";
}

}  // namespace

Result<uint32_t> parse_cell_bytes(std::string_view text) {
  ASSIGN(const uint64_t bytes, parse_size(text));
  if (bytes == 0 || bytes > kMaxCellBytes || bytes % kBlockBytes != 0) {
    return Error{Errc::invalid,
                 fmt::format("cell size \"{}\": a multiple of 4K, from 4K to {}", text, format_size(kMaxCellBytes))};
  }
  return static_cast<uint32_t>(bytes);
}

Result<PolicyText> parse_policy(std::string_view text) {
  const size_t code_end = std::min(text.find('/'), text.size());
  PolicyText parsed;
  ASSIGN(parsed.policy, parse_code(text.substr(0, code_end)));
  for (std::string_view rest = text.substr(code_end); !rest.empty();) {
    rest.remove_prefix(1);  // the slash
    const std::string_view part = rest.substr(0, rest.find('/'));
    rest.remove_prefix(part.size());
    if (is_failure_domain(part) && !parsed.failure_domain) {
      parsed.failure_domain = std::string(part);
    } else if (!parsed.cell_bytes && !parsed.failure_domain) {
      ASSIGN(parsed.cell_bytes, parse_cell_bytes(part));
    } else {
      return Error{Errc::invalid,
                   fmt::format("policy \"{}\": \"{}\" is given twice, or is no failure domain (site, rack, host, disk)",
                               text.substr(0, 80), part.substr(0, 80))};
    }
  }
  return parsed;
}

std::string policy_text(const StorageClass& storage_class, const StorageClass& defaults) {
  std::string text = fmt::format("ec({},{})", storage_class.policy.d, storage_class.policy.m);
  if (storage_class.cell_bytes != defaults.cell_bytes) text += "/" + format_size(storage_class.cell_bytes);
  if (storage_class.failure_domain != defaults.failure_domain) text += "/" + storage_class.failure_domain;
  return text;
}

std::string policy_text(const StorageClass& storage_class) {
  return fmt::format("ec({},{})/{}/{}", storage_class.policy.d, storage_class.policy.m,
                     format_size(storage_class.cell_bytes), storage_class.failure_domain);
}

Status check_class(const StorageClass& storage_class) {
  const auto refuse = [&](const char* why) {
    return Error{Errc::invalid, fmt::format("storage class '{}': {}", storage_class.name.substr(0, 80), why)};
  };
  if (storage_class.name.empty() || storage_class.name.size() > 255) return refuse("its name has not 1 to 255 bytes");
  if (storage_class.policy.d < 1 || storage_class.policy.d > kMaxDataShards) return refuse("k is not 1 to 32");
  if (storage_class.policy.m > kMaxParityShards) return refuse("m is not 0 to 8");
  if (storage_class.cell_bytes == 0 || storage_class.cell_bytes > kMaxCellBytes ||
      storage_class.cell_bytes % kBlockBytes != 0) {
    return refuse("its cell size is not a multiple of 4096 up to 1M");
  }
  if (!is_failure_domain(storage_class.failure_domain))
    return refuse("its failure domain is not site, rack, host or disk");
  return {};
}

}  // namespace cairn

// Storage policies as people write them: in the xattr cairn.policy, in flags and in status.
//
//   ec(4,2)             4 data and 2 parity shards, the default cell
//   ec(4,2)/64K         cells of 64 KiB: a multiple of 4096 bytes up to 1M, with K or M or as bytes
//   ec(4,2)/64K/rack    no two shards in one rack: site, rack, host or disk
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/meta/cluster.h"

namespace cairn {

inline constexpr std::string_view kPolicyXattr = "cairn.policy";

struct PolicyText {
  Code policy;
  std::optional<uint32_t> cell_bytes;
  std::optional<std::string> failure_domain;
};
Result<PolicyText> parse_policy(std::string_view text);    // invalid, with what is wrong
Result<uint32_t> parse_cell_bytes(std::string_view text);  // "64K", "1M", "4096"
// The shortest text that parse_policy makes this class from, when what is left out is taken from `defaults`.
std::string policy_text(const StorageClass& storage_class, const StorageClass& defaults);
// The full text: the name of classes that a policy xattr creates.
std::string policy_text(const StorageClass& storage_class);
// invalid unless placement, stripes and names can work with it.
Status check_class(const StorageClass& storage_class);

}  // namespace cairn

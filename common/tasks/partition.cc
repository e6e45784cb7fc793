#include "common/tasks/partition.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "common/base/config.h"

namespace cairn::tasks {
namespace {

constexpr uint64_t kMaxPartitions = 65'536;

// How many runs of neighbours it takes if none may have more bytes; UINT64_MAX if a single file has more.
uint64_t runs_below(const std::vector<PartitionedFile>& files, uint64_t most) {
  uint64_t runs = 0, bytes = most;
  for (const PartitionedFile& file : files) {
    if (file.bytes > most) return UINT64_MAX;
    if (runs == 0 || bytes + file.bytes > most) {
      ++runs;
      bytes = 0;
    }
    bytes += file.bytes;
  }
  return runs;
}

// The largest run is as small as it can be: the smallest bound for which so many runs are enough.
std::vector<uint32_t> evened(const std::vector<PartitionedFile>& files, uint64_t count) {
  uint64_t low = 0, high = 0;
  for (const PartitionedFile& file : files) high += file.bytes;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    (runs_below(files, middle) <= count ? high : low) = runs_below(files, middle) <= count ? middle : middle + 1;
  }
  std::vector<uint32_t> out;
  uint64_t bytes = 0;
  uint32_t now = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    // As many files are left as partitions that have none yet: each begins one.
    const bool must = i > 0 && files.size() - i <= count - 1 - now;
    if (i > 0 && now + 1 < count && (must || bytes + files[i].bytes > high)) {
      ++now;
      bytes = 0;
    }
    bytes += files[i].bytes;
    out.push_back(now);
  }
  return out;
}

// First fit, the largest first (first-fit decreasing).
std::vector<uint32_t> bins(const std::vector<PartitionedFile>& files, uint64_t most) {
  std::vector<size_t> order(files.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::greater(), [&](size_t i) { return files[i].bytes; });
  std::vector<uint64_t> left;  // of each bin
  std::vector<uint32_t> out(files.size());
  for (const size_t i : order) {
    auto bin = std::ranges::find_if(left, [&](uint64_t room) { return room >= files[i].bytes; });
    if (bin == left.end()) bin = left.insert(left.end(), std::max(most, files[i].bytes));
    *bin -= files[i].bytes;
    out[i] = static_cast<uint32_t>(bin - left.begin());
  }
  return out;
}

// The same partitions, numbered in the order of their first files.
std::vector<uint32_t> renumbered(const std::vector<uint64_t>& names) {
  std::map<uint64_t, uint32_t> numbers;
  std::vector<uint32_t> out;
  for (const uint64_t name : names) out.push_back(numbers.try_emplace(name, numbers.size()).first->second);
  return out;
}

}  // namespace

Result<PartitionRule> parse_partition_rule(std::string_view text) {
  using Kind = PartitionRule::Kind;
  if (text == "locality") return PartitionRule{Kind::locality, 1};
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    const Result<uint64_t> number = parse_size(text.substr(colon + 1));
    const bool good = number.ok() && *number > 0;
    if (good && text.substr(0, colon) == "count" && *number <= kMaxPartitions)
      return PartitionRule{Kind::count, *number};
    if (good && text.substr(0, colon) == "bytes") return PartitionRule{Kind::bytes, *number};
  }
  return {Errc::invalid, fmt::format("--partition \"{}\": count:N (up to {}), bytes:SIZE or locality is wanted", text,
                                     kMaxPartitions)};
}

std::vector<uint32_t> partition(const PartitionRule& rule, const std::vector<PartitionedFile>& files) {
  if (rule.kind == PartitionRule::Kind::count) return evened(files, rule.number);
  std::vector<uint64_t> names;
  if (rule.kind == PartitionRule::Kind::locality) {
    for (const PartitionedFile& file : files) names.push_back(file.holder);
  } else {
    const std::vector<uint32_t> all = bins(files, rule.number);
    names.assign(all.begin(), all.end());
  }
  return renumbered(names);
}

}  // namespace cairn::tasks

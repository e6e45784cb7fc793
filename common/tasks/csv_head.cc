#include "common/tasks/csv_head.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/tasks/csv_record.h"
#include "common/tasks/job.h"

namespace cairn::tasks {
namespace {

constexpr uint64_t kFirstBytes = 4096;  // most heads are shorter

}  // namespace

Result<std::string> read_csv_head(const std::string& name, uint64_t size, const PieceOfFile& piece) {
  std::string head;
  for (uint64_t wanted = kFirstBytes;; wanted *= 4) {
    wanted = std::min<uint64_t>({wanted, size, kMaxHeadBytes});
    ASSIGN(const std::string_view more, piece(head.size(), wanted));
    head += more;
    if (const auto first = first_csv_record(head, head.size() == size)) return std::string(*first);
    if (more.empty() || head.size() >= kMaxHeadBytes)
      return {Errc::invalid, fmt::format("{}: the header, its first line, is longer than {} bytes; is it a CSV file?",
                                         name, kMaxHeadBytes)};
  }
}

}  // namespace cairn::tasks

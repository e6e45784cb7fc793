#include "common/tasks/new_content.h"

#include <fmt/format.h>

#include "common/base/checksum.h"
#include "common/tasks/arguments.h"

namespace cairn::tasks {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 44;  // of a file

}  // namespace

Result<ContentOrders> ContentOrders::of(const Job& job) {
  ContentOrders orders;
  ASSIGN(orders.kind_, parse_content_kind(text_of(job.arguments, "kind", "bytes")));
  ASSIGN(orders.seed_, count_of(job.arguments, "seed", 0, UINT64_MAX, 0));
  ASSIGN(orders.sizes_, PerFile::numbers(job, "size", 0, kMaxBytes));
  if (orders.kind_ != ContentKind::csv) return orders;
  for (uint32_t file = 0; file < job.files.size(); ++file) {
    const uint64_t size = orders.content(job.files, file, 0).size;
    if (size > 0 && size < Content::kMinCsvBytes)
      return {Errc::invalid,
              fmt::format("{}: CSV of {} bytes; at least {}", job.files[file].name, size, Content::kMinCsvBytes)};
  }
  return orders;
}

ContentOf ContentOrders::content(const std::vector<InputFile>& files, uint32_t file, uint64_t round) const {
  return {kind_, seed_, file, round, sizes_.empty() ? files[file].size : sizes_.number(file)};
}

uint64_t ContentOrders::largest_size(const Arguments& arguments) {
  const Result<PerFile> sizes = PerFile::numbers({"", arguments, {}}, "size", 0, kMaxBytes);
  return sizes.ok() ? sizes->largest() : 0;
}

Status fill(NewContent& into, const ContentOf& of, uint32_t* crc32c_of_all) {
  Content content(of);
  uint64_t at = 0;
  uint32_t crc = 0;
  for (std::string_view piece = content.next(); !piece.empty(); piece = content.next()) {
    TRY(into.write(at, piece));
    crc = crc32c(bytes_of(piece), crc);
    at += piece.size();
  }
  if (crc32c_of_all != nullptr) *crc32c_of_all = crc;
  return into.sync(of.size);
}

}  // namespace cairn::tasks

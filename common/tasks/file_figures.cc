#include "common/tasks/file_figures.h"

namespace cairn::tasks {
namespace {

constexpr size_t kFirstFigure = 2;  // of a row; behind file and partition

}  // namespace

Result<FileOrders> FileOrders::of(const Job& job) {
  FileOrders orders;
  ASSIGN(orders.times_, PerFile::numbers(job, "times", 0, kMaxTimes));
  ASSIGN(orders.partitions_, PerFile::texts(job, "partition"));
  return orders;
}

void FileFigures::add(const FileFigures& other) {
  bytes += other.bytes;
  took = other.took > Duration::max() - took ? Duration::max() : took + other.took;
  errors += other.errors;
}

void FileFigures::encode(ByteWriter& out) const {
  out.u64(times).u64(bytes).u64(static_cast<uint64_t>(took.count())).u64(errors);
}

std::optional<FileFigures> FileFigures::decode(ByteReader& in) {
  FileFigures figures{in.u64(), in.u64(), {}, 0};
  const uint64_t took = in.u64();
  figures.errors = in.u64();
  if (!in.ok() || took > INT64_MAX) return std::nullopt;
  figures.took = Duration(static_cast<int64_t>(took));
  return figures;
}

Status counted(const Status& status, FileFigures& figures) {
  if (status.ok()) return {};
  const Errc code = status.code();
  if (code != Errc::io && code != Errc::corrupt && code != Errc::no_space) return status;
  ++figures.errors;
  return {};
}

std::vector<std::string> figure_columns() {
  return {"file", "partition", "reads", "writes", "bytes", "seconds", "errors"};
}

std::vector<Value> figure_row(const InputFile& file, Value partition, uint64_t reads, uint64_t writes,
                              const FileFigures& figures) {
  return {file.name,     std::move(partition), reads,
          writes,        figures.bytes,        std::chrono::duration<double>(figures.took).count(),
          figures.errors};
}

void add_figures(std::vector<Value>& sum, const std::vector<Value>& row) {
  for (size_t column = kFirstFigure; column < row.size(); ++column) {
    if (auto* const seconds = std::get_if<double>(&sum.at(column))) {
      *seconds += std::get<double>(row[column]);
    } else {
      std::get<uint64_t>(sum.at(column)) += std::get<uint64_t>(row[column]);
    }
  }
}

}  // namespace cairn::tasks

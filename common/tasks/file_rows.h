// The partial of an operator that does something to each file as a whole: a row for each file that was worked on.
//
// Row is a movable value with encode(ByteWriter&) const and static std::optional<Row> decode(ByteReader&). A file that
// was worked on twice is an error of merge, one that never was an error of finish.
#pragma once

#include <fmt/format.h>

#include <map>
#include <optional>
#include <vector>

#include "common/tasks/file_work.h"

namespace cairn::tasks {

template <typename Row>
class FileRowsPartial : public Partial {
 public:
  using Partial::Partial;

  Status work(const Split& split, FileWork& files) final {
    ASSIGN(Row row, work_on(split, files));
    return add(split.file, std::move(row));
  }
  Status merge(Partial& other) final {
    for (auto& [file, row] : static_cast<FileRowsPartial&>(other).rows_) TRY(add(file, std::move(row)));
    return {};
  }
  void encode(ByteWriter& out) const final {
    out.u32(static_cast<uint32_t>(rows_.size()));
    for (const auto& [file, row] : rows_) {
      out.u32(file);
      row.encode(out);
    }
  }
  bool decode(ByteReader& in) final {
    for (uint32_t count = in.count(sizeof(uint32_t)); count > 0; --count) {
      const uint32_t file = in.u32();
      std::optional<Row> row = Row::decode(in);
      if (!in.ok() || !row || file >= files_.size() || (!rows_.empty() && file <= rows_.rbegin()->first)) return false;
      rows_.emplace_hint(rows_.end(), file, *std::move(row));
    }
    return in.ok();
  }
  Result<Table> finish() final {
    Table table{columns(), {}};
    for (uint32_t file = 0; file < files_.size(); ++file) {
      const auto found = rows_.find(file);
      if (found == rows_.end()) return {Errc::invalid, files_[file].name + ": nothing was done to it"};
      ASSIGN(std::vector<Value> row, values(file, found->second));
      table.rows.push_back(std::move(row));
    }
    return table;
  }
  void not_taken(uint32_t file, const std::string& why) final {
    if (const auto found = rows_.find(file); found != rows_.end()) was_not_taken(found->second, why);
  }

 protected:
  virtual Result<Row> work_on(const Split& split, FileWork& files) = 0;
  virtual void was_not_taken(Row& row, const std::string& why) = 0;
  virtual std::vector<std::string> columns() const = 0;
  virtual Result<std::vector<Value>> values(uint32_t file, const Row& row) const = 0;

 private:
  Status add(uint32_t file, Row row) {
    if (rows_.emplace(file, std::move(row)).second) return {};
    return {Errc::invalid, files_[file].name + ": it was worked on twice"};
  }
  std::map<uint32_t, Row> rows_;
};

}  // namespace cairn::tasks

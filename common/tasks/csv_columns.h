// Named columns of CSV files: where they stand in each file, and their texts in each record.
//
// Each file has a header of its own, its first record; the same column may stand elsewhere in another file. A UTF-8
// byte order mark in front of it is skipped. Empty lines are no records.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/tasks/csv_record.h"
#include "common/tasks/job.h"
#include "common/tasks/record_splitter.h"

namespace cairn::tasks {

// Immutable, for any thread.
class CsvColumns {
 public:
  // Finds each of the names in each header. invalid: no header, a bad one, a column that is not there (names the file
  // and lists its columns) or that is there twice.
  static Result<CsvColumns> find(const std::vector<InputFile>& files, char delimiter,
                                 const std::vector<std::string>& names);

  char delimiter() const { return delimiter_; }
  size_t header_bytes(uint32_t file) const { return files_[file].header_bytes; }
  size_t width(uint32_t file) const { return files_[file].width; }  // fields of each record
  size_t position(uint32_t file, size_t name) const { return files_[file].positions[name]; }

 private:
  struct OneFile {
    size_t header_bytes = 0, width = 0;
    std::vector<uint32_t> positions;  // of each name
  };
  char delimiter_ = ',';
  std::vector<OneFile> files_;
};

// Reads records one after the other. One thread; columns outlives it.
class CsvFields {
 public:
  explicit CsvFields(const CsvColumns& columns) : columns_(columns) {}
  // A fault if the record is not as RFC 4180 has it, or has more or fewer fields than the header.
  std::optional<Fault> read(const Record& record);
  bool present() const { return present_; }  // false for the header and for empty lines
  // The text of the i-th name; valid until the next call.
  std::string_view text(size_t i) { return record_.field(columns_.position(file_, i)); }
  uint64_t offset_of(size_t i) const { return record_.offset_of(columns_.position(file_, i)); }

 private:
  const CsvColumns& columns_;
  CsvRecord record_;
  uint32_t file_ = 0;
  bool present_ = false;
};

}  // namespace cairn::tasks

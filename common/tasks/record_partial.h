// The partial of an operator on records: cuts splits into records, stitches those on borders, keeps the first fault.
//
//   split --RecordSplitter--> whole records ----------------+
//                   \-------> Seam --FileRanges--> stitched -+--> RecordState::map     (the operator's own part)
//
// An operator on records writes a RecordState, nothing else. Since each record of the files is mapped exactly once, in
// no particular order, the state's map and merge must give the same for every order: counts, exact sums, extremes,
// sorted lists; no sums in floating point (exact_sum.h).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/tasks/operator.h"
#include "common/tasks/record_splitter.h"

namespace cairn::tasks {

// What is wrong with a record: makes the job fail, with the first of them in the order of files and offsets.
struct Fault {
  uint64_t offset;   // from the record's first byte
  std::string what;  // "the quote is not closed"; at most kMaxFaultBytes are kept
};
inline constexpr size_t kMaxFaultBytes = 4096;

class RecordState {
 public:
  virtual ~RecordState() = default;
  virtual std::optional<Fault> map(const Record& record) = 0;
  virtual void merge(RecordState& other) = 0;  // of the same operator; other is left unusable
  virtual void encode(ByteWriter& out) const = 0;
  virtual bool decode(ByteReader& in) = 0;  // into an empty state; false for what encode() cannot have written
  virtual Result<Table> finish() = 0;
};

class RecordPartial final : public Partial, private RecordSink {
 public:
  RecordPartial(const std::vector<InputFile>& files, RecordFormat format, std::unique_ptr<RecordState> state)
      : Partial(files), format_(format), state_(std::move(state)), ranges_(files) {}

  Status merge(Partial& other) override;
  void encode(ByteWriter& out) const override;
  bool decode(ByteReader& in) override;
  Result<Table> finish() override;

 protected:
  Status start(const Split& split) override;
  void feed(std::string_view bytes) override { splitter_->feed(bytes); }
  Status close() override;

 private:
  struct PlacedFault {
    uint32_t file;
    uint64_t offset;  // in the file
    std::string what;
  };
  void on_record(const Record& record) override;
  void on_too_long(uint32_t file, uint64_t offset) override;
  void keep_first(PlacedFault fault);

  const RecordFormat format_;
  std::unique_ptr<RecordState> state_;
  FileRanges<Seam> ranges_;
  std::optional<PlacedFault> first_fault_;
  Split split_;
  std::optional<RecordSplitter> splitter_;  // of split_, while it is mapped
};

}  // namespace cairn::tasks

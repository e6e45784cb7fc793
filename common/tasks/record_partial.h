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

#include "common/tasks/fault.h"
#include "common/tasks/operator.h"
#include "common/tasks/record_splitter.h"

namespace cairn::tasks {

class RecordState {
 public:
  virtual ~RecordState() = default;
  virtual std::optional<Fault> map(const Record& record) = 0;
  virtual void merge(RecordState& other) = 0;  // of the same operator; other is left unusable
  virtual void encode(ByteWriter& out) const = 0;
  virtual bool decode(ByteReader& in) = 0;  // into an empty state; false for what encode() cannot have written
  virtual Result<Table> finish() = 0;
  // As those of a Partial (operator.h), of states that are larger than memory.
  virtual void use_runs(RunStore&) {}
  virtual Status settle() { return {}; }
  virtual Status write(const TextSink& sink, bool json_lines);
};

class RecordPartial final : public StreamPartial, private RecordSink {
 public:
  RecordPartial(const std::vector<InputFile>& files, RecordFormat format, std::unique_ptr<RecordState> state)
      : StreamPartial(files), format_(format), state_(std::move(state)), ranges_(files), first_fault_(files) {}

  Status merge(Partial& other) override;
  void encode(ByteWriter& out) const override;
  bool decode(ByteReader& in) override;
  Result<Table> finish() override;
  void use_runs(RunStore& store) override { state_->use_runs(store); }
  Status settle() override { return state_->settle(); }
  Status write(const TextSink& sink, bool json_lines) override;

 protected:
  Status start(const Split& split) override;
  void feed(std::string_view bytes) override { splitter_->feed(bytes); }
  Status close() override;

 private:
  Status check() const;  // each byte was mapped, and nothing is wrong
  void on_record(const Record& record) override;
  void on_too_long(uint32_t file, uint64_t offset) override;

  const RecordFormat format_;
  std::unique_ptr<RecordState> state_;
  FileRanges<Seam> ranges_;
  FirstFault first_fault_;
  Split split_;
  std::optional<RecordSplitter> splitter_;  // of split_, while it is mapped
};

}  // namespace cairn::tasks

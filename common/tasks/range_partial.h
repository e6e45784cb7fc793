// The partial of an operator on bytes: a small summary of each contiguous range, joined where ranges meet.
//
// Summary is a movable value:
//   void add(std::string_view)           the next bytes of the split
//   void close()                         the split ends
//   Status join(Summary& right)          becomes the summary of both ranges together
//   void encode(ByteWriter&) const, static std::optional<Summary> decode(ByteReader&, const RangeAt&)
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "common/tasks/file_ranges.h"
#include "common/tasks/operator.h"

namespace cairn::tasks {

template <typename Summary>
class RangePartial final : public StreamPartial {
 public:
  using Fresh = std::function<Summary()>;  // of no bytes
  using Row = std::function<std::vector<Value>(const InputFile&, const Summary&)>;

  RangePartial(const std::vector<InputFile>& files, std::vector<std::string> columns, Fresh fresh, Row row)
      : StreamPartial(files),
        columns_(std::move(columns)),
        fresh_(std::move(fresh)),
        row_(std::move(row)),
        ranges_(files) {}

  Status merge(Partial& other) override { return ranges_.merge(static_cast<RangePartial&>(other).ranges_, join); }
  void encode(ByteWriter& out) const override { ranges_.encode(out); }
  bool decode(ByteReader& in) override { return ranges_.decode(in); }
  // A row for each file, in the order of the job.
  Result<Table> finish() override {
    Table table{columns_, {}};
    for (uint32_t file = 0; file < files_.size(); ++file) {
      ASSIGN(const Summary* summary, ranges_.whole(file));
      if (summary != nullptr) {
        table.rows.push_back(row_(files_[file], *summary));
      } else {
        Summary nothing = fresh_();
        nothing.close();
        table.rows.push_back(row_(files_[file], nothing));
      }
    }
    return table;
  }

 protected:
  Status start(const Split& split) override {
    split_ = split;
    current_.emplace(fresh_());
    return {};
  }
  void feed(std::string_view bytes) override { current_->add(bytes); }
  Status close() override {
    current_->close();
    return ranges_.add(split_.file, split_.begin, split_.end, *std::move(current_), join);
  }

 private:
  static Status join(const RangeAt&, Summary& left, Summary& right) { return left.join(right); }

  const std::vector<std::string> columns_;
  const Fresh fresh_;
  const Row row_;
  FileRanges<Summary> ranges_;
  Split split_;
  std::optional<Summary> current_;  // of split_, while it is mapped
};

}  // namespace cairn::tasks

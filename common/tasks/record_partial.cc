#include "common/tasks/record_partial.h"

#include <fmt/format.h>

#include <utility>

namespace cairn::tasks {

Status RecordState::write(const TextSink& sink, bool json_lines) {
  ASSIGN(const Table table, finish());
  return sink(text_of(table, json_lines));
}

Status RecordPartial::start(const Split& split) {
  split_ = split;
  splitter_.emplace(format_, split, files_[split.file].size, static_cast<RecordSink&>(*this));
  return {};
}

Status RecordPartial::close() {
  Seam seam = splitter_->finish();
  splitter_.reset();
  return ranges_.add(split_.file, split_.begin, split_.end, std::move(seam),
                     [this](const RangeAt& at, Seam& left, Seam& right) { return join_seams(at, left, right, *this); });
}

Status RecordPartial::merge(Partial& other_partial) {
  auto& other = static_cast<RecordPartial&>(other_partial);
  state_->merge(*other.state_);
  first_fault_.merge(other.first_fault_);
  return ranges_.merge(
      other.ranges_, [this](const RangeAt& at, Seam& left, Seam& right) { return join_seams(at, left, right, *this); });
}

void RecordPartial::on_record(const Record& record) {
  // Behind the first fault nothing counts any more.
  if (first_fault_.lies_before(record.file, record.offset)) return;
  if (std::optional<Fault> fault = state_->map(record))
    first_fault_.keep(record.file, record.offset + fault->offset, std::move(fault->what));
}

void RecordPartial::on_too_long(uint32_t file, uint64_t offset) {
  std::string what = fmt::format("the record that begins here is longer than {} MiB", kMaxRecordBytes >> 20);
  if (format_.framing == Framing::csv) what += "; is there a quote that is not closed?";
  first_fault_.keep(file, offset, std::move(what));
}

void RecordPartial::encode(ByteWriter& out) const {
  first_fault_.encode(out);
  ranges_.encode(out);
  state_->encode(out);
}

bool RecordPartial::decode(ByteReader& in) {
  return first_fault_.decode(in) && ranges_.decode(in) && state_->decode(in) && in.ok();
}

Status RecordPartial::check() const {
  for (uint32_t file = 0; file < files_.size(); ++file) {
    const Result<const Seam*> whole = ranges_.whole(file);
    if (!whole.ok()) return whole.error();
  }
  return first_fault_.status();
}

Result<Table> RecordPartial::finish() {
  TRY(check());
  return state_->finish();
}

Status RecordPartial::write(const TextSink& sink, bool json_lines) {
  TRY(check());
  return state_->write(sink, json_lines);
}

}  // namespace cairn::tasks

#include "common/tasks/record_partial.h"

#include <fmt/format.h>

#include <tuple>
#include <utility>

namespace cairn::tasks {

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
  if (other.first_fault_) keep_first(*std::move(other.first_fault_));
  return ranges_.merge(
      other.ranges_, [this](const RangeAt& at, Seam& left, Seam& right) { return join_seams(at, left, right, *this); });
}

void RecordPartial::on_record(const Record& record) {
  // Behind the first fault nothing counts any more.
  if (first_fault_ && std::tie(first_fault_->file, first_fault_->offset) < std::tie(record.file, record.offset)) return;
  if (std::optional<Fault> fault = state_->map(record))
    keep_first({record.file, record.offset + fault->offset, std::move(fault->what)});
}

void RecordPartial::on_too_long(uint32_t file, uint64_t offset) {
  std::string what = fmt::format("the record that begins here is longer than {} MiB", kMaxRecordBytes >> 20);
  if (format_.framing == Framing::csv) what += "; is there a quote that is not closed?";
  keep_first({file, offset, std::move(what)});
}

void RecordPartial::keep_first(PlacedFault fault) {
  if (fault.what.size() > kMaxFaultBytes) fault.what.resize(kMaxFaultBytes);
  const auto place = [](const PlacedFault& one) { return std::tie(one.file, one.offset, one.what); };
  if (!first_fault_ || place(fault) < place(*first_fault_)) first_fault_ = std::move(fault);
}

void RecordPartial::encode(ByteWriter& out) const {
  out.boolean(first_fault_.has_value());
  if (first_fault_) out.u32(first_fault_->file).u64(first_fault_->offset).string(first_fault_->what);
  ranges_.encode(out);
  state_->encode(out);
}

bool RecordPartial::decode(ByteReader& in) {
  if (in.boolean()) {
    PlacedFault fault{in.u32(), in.u64(), in.string(kMaxFaultBytes)};
    if (!in.ok() || fault.file >= files_.size() || fault.offset > files_[fault.file].size) return false;
    first_fault_ = std::move(fault);
  }
  return ranges_.decode(in) && state_->decode(in) && in.ok();
}

Result<Table> RecordPartial::finish() {
  for (uint32_t file = 0; file < files_.size(); ++file) {
    const Result<const Seam*> whole = ranges_.whole(file);
    if (!whole.ok()) return whole.error();
  }
  if (first_fault_)
    return {Errc::invalid, fmt::format("{}: offset {}: {}", files_[first_fault_->file].name, first_fault_->offset,
                                       first_fault_->what)};
  return state_->finish();
}

}  // namespace cairn::tasks

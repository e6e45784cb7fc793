#include "common/tasks/fault.h"

#include <fmt/format.h>

#include <tuple>
#include <utility>

namespace cairn::tasks {

void FirstFault::keep(uint32_t file, uint64_t offset, std::string what) {
  if (what.size() > kMaxFaultBytes) what.resize(kMaxFaultBytes);
  if (!first_ || std::tie(file, offset, what) < std::tie(first_->file, first_->offset, first_->what))
    first_ = Placed{file, offset, std::move(what)};
}

void FirstFault::merge(FirstFault& other) {
  if (other.first_) keep(other.first_->file, other.first_->offset, std::move(other.first_->what));
}

bool FirstFault::lies_before(uint32_t file, uint64_t offset) const {
  return first_ && std::tie(first_->file, first_->offset) < std::tie(file, offset);
}

Status FirstFault::status() const {
  if (!first_) return {};
  return {Errc::invalid, fmt::format("{}: offset {}: {}", files_[first_->file].name, first_->offset, first_->what)};
}

void FirstFault::encode(ByteWriter& out) const {
  out.boolean(first_.has_value());
  if (first_) out.u32(first_->file).u64(first_->offset).string(first_->what);
}

bool FirstFault::decode(ByteReader& in) {
  if (!in.boolean()) return in.ok();
  Placed fault{in.u32(), in.u64(), in.string(kMaxFaultBytes)};
  if (!in.ok() || fault.file >= files_.size() || fault.offset > files_[fault.file].size) return false;
  first_ = std::move(fault);
  return true;
}

}  // namespace cairn::tasks

#include "tests/campaign/shared_files.h"

#include <fmt/format.h>

#include <algorithm>

namespace cairn {

namespace {
constexpr size_t kKept = 500;  // more than can be written while one read is under way
}

uint64_t RegisterModel::begin_write(Instant now) {
  writes_[++last_] = {now};
  ever_.insert(last_);
  return last_;
}

void RegisterModel::end_write(uint64_t value, Instant now) {
  if (const auto write = writes_.find(value); write != writes_.end())
    write->second.ended = std::min(write->second.ended, now);
}

std::optional<std::string> RegisterModel::objection(uint64_t value, Instant began, Instant ended) {
  if (!certain_) {
    if (!ever_.contains(value)) return fmt::format("it shows {}, which nobody wrote", value);
    // Writes that were under way during the read may still show; all earlier ones are behind this one, or lost.
    std::erase_if(writes_, [&](const auto& one) { return one.second.ended < began; });
    writes_[value] = {Instant{0}, ended};
    certain_ = true;
    certain_since_ = ended;
    return std::nullopt;
  }
  // Under way when that read was: it may be of before it.
  if (began < certain_since_ && ever_.contains(value)) return std::nullopt;
  if (value == 0 && !writes_.contains(0)) writes_[0] = {Instant{0}, Instant{0}};
  const auto shown = writes_.find(value);
  if (shown == writes_.end()) return fmt::format("it shows {}, which is not among what was written", value);
  if (shown->second.began >= ended) return fmt::format("it shows {} before that was written", value);
  for (const auto& [other, write] : writes_) {
    if (write.began > shown->second.ended && write.ended < began)
      return fmt::format("it shows {}, which {} had replaced before the read began", value, other);
  }
  shown->second.ended = std::min(shown->second.ended, ended);
  // Reads that began long ago may still show what was replaced since.
  while (writes_.size() > kKept && writes_.begin()->second.ended < began) writes_.erase(writes_.begin());
  return std::nullopt;
}

void RegisterModel::forget() { certain_ = false; }

}  // namespace cairn

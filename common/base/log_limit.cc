#include "common/base/log_limit.h"

#include <fmt/format.h>

#include <algorithm>

namespace cairn {

std::optional<std::string> LogLimit::admit(Instant now) {
  Lock lock(mutex_);
  const int64_t earned = (now - refilled_) / interval_;
  if (earned > 0) {
    allowance_ = static_cast<uint32_t>(std::min<int64_t>(burst_, allowance_ + std::min<int64_t>(earned, burst_)));
    refilled_ = now;
  }
  if (allowance_ == 0) {
    ++left_out_;
    return std::nullopt;
  }
  if (allowance_ == burst_) refilled_ = now;  // a full allowance earns nothing: count from here
  --allowance_;
  const uint64_t left_out = std::exchange(left_out_, 0);
  return left_out == 0 ? std::string() : fmt::format(" ({} more like this were left out)", left_out);
}

}  // namespace cairn

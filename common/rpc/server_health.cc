#include "common/rpc/server_health.h"

#include <algorithm>

namespace cairn {
namespace {

constexpr Duration kRecent = 2s;
constexpr uint32_t kFailedLately = 1000;
constexpr int64_t kMostForLoad = 499;
constexpr int64_t kForEachCall = 16;  // one call under way weighs as much as 1.6 ms of latency
constexpr int64_t kMicrosecondsEach = 100;

}  // namespace

void ServerHealth::on_answer(Duration latency) {
  end_call();
  const int64_t us = latency / 1us;
  average_us_ += (us - average_us_) / 8;
}

void ServerHealth::on_abandon(Duration waited) {
  if (waited / 1us > average_us_) {
    on_answer(waited);
  } else {
    end_call();
  }
}

void ServerHealth::on_failure(Instant now) {
  end_call();
  failed_at_ = now;
}

uint32_t ServerHealth::reluctance(Instant now) const {
  const auto load = static_cast<uint32_t>(
      std::clamp<int64_t>(average_us_ / kMicrosecondsEach + under_way_ * kForEachCall, 0, kMostForLoad));
  if (failed_at_.ns == INT64_MIN) return load;
  const Duration age = now - failed_at_;
  if (age < kRecent) return kFailedLately + load;
  const int64_t halvings = 1 + (age - kRecent) / 1s;
  return load + (halvings < 16 ? kFailedLately >> halvings : 0);
}

}  // namespace cairn

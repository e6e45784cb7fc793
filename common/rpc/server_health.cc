#include "common/rpc/server_health.h"

#include <algorithm>

namespace cairn {
namespace {

constexpr Duration kRecent = 2s;
constexpr uint32_t kMostRelapses = 4;
constexpr uint32_t kFailedLately = 1000;
constexpr int64_t kMostForLoad = 499;
constexpr int64_t kForEachCall = 16;  // one call under way weighs as much as 1.6 ms of latency
constexpr int64_t kMicrosecondsEach = 100;

}  // namespace

void ServerHealth::on_answer(Duration latency) {
  relapses_ = 0;
  took(latency);
}

void ServerHealth::took(Duration time) {
  end_call();
  const int64_t us = time / 1us;
  average_us_ += (us - average_us_) / 8;
}

void ServerHealth::on_abandon(Duration waited) {
  if (waited / 1us > average_us_) {
    took(waited);
  } else {
    end_call();
  }
}

void ServerHealth::on_failure(Instant now) {
  end_call();
  on_no_connection(now);
}

// A host that has vanished answers no attempt to connect, and each costs seconds. Failures while the last one is still
// held against it come from calls of that time, and are not another one.
void ServerHealth::on_no_connection(Instant now) {
  if (failed_at_.ns != INT64_MIN && now - failed_at_ >= held_against_it() && relapses_ < kMostRelapses) ++relapses_;
  failed_at_ = now;
}

Duration ServerHealth::usual_latency() const { return average_us_ * 1us; }

Duration ServerHealth::held_against_it() const { return kRecent * (1 << relapses_); }

uint32_t ServerHealth::reluctance(Instant now) const {
  const auto load = static_cast<uint32_t>(
      std::clamp<int64_t>(average_us_ / kMicrosecondsEach + under_way_ * kForEachCall, 0, kMostForLoad));
  if (failed_at_.ns == INT64_MIN) return load;
  const Duration age = now - failed_at_;
  if (age < held_against_it()) return kFailedLately + load;
  const int64_t halvings = 1 + (age - held_against_it()) / 1s;
  return load + (halvings < 16 ? kFailedLately >> halvings : 0);
}

}  // namespace cairn

// The last calls that were judged in a run, with when each began and what it was told: what a reader of a failure wants
// to see first.
#pragma once

#include <fmt/format.h>

#include <deque>
#include <string>

#include "tests/campaign/story.h"

namespace cairn {

class RecentCalls {
 public:
  void add(std::string call) {
    calls_.push_back(std::move(call));
    if (calls_.size() > kKept) calls_.pop_front();
  }
  void tell(Story& story) const {
    story.tell("the last {} calls, in the order of their answers:", calls_.size());
    for (const std::string& call : calls_) story.tell("  {}", call);
  }

 private:
  static constexpr size_t kKept = 40;
  std::deque<std::string> calls_;
};

}  // namespace cairn

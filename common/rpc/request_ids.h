// Request ids of one session, and which of them are not yet answered.
//
// Each mutating request says the lowest unanswered one, and the metaserver forgets the outcomes below it. An id whose
// caller gave up counts as answered: nobody will repeat it. Not thread-safe: its owner's mutex guards it.
#pragma once

#include <algorithm>
#include <vector>

#include "common/base/types.h"

namespace cairn {

class RequestIds {
 public:
  RequestId start() {
    unanswered_.push_back(++last_);
    return RequestId{last_};
  }
  // Requires that one is unanswered.
  RequestId lowest_unanswered() const { return RequestId{unanswered_.front()}; }
  void finish(RequestId id) { unanswered_.erase(std::ranges::lower_bound(unanswered_, raw(id))); }
  bool all_answered() const { return unanswered_.empty(); }
  // How far the next id is above the lowest unanswered one.
  uint64_t spread() const { return unanswered_.empty() ? 0 : last_ + 1 - unanswered_.front(); }

 private:
  uint64_t last_ = 0;
  std::vector<uint64_t> unanswered_;  // ascending; as many as there are threads calling
};

}  // namespace cairn

#include "common/tasks/quote_survey.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace cairn::tasks {

bool odd_quotes(std::string_view bytes) { return std::count(bytes.begin(), bytes.end(), '"') % 2 != 0; }

void QuoteSurvey::add(size_t split, std::string_view bytes) { odd_[split] ^= odd_quotes(bytes); }

void QuoteSurvey::finish() {
  std::vector<size_t> order(splits_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const Split &left = splits_[a], &right = splits_[b];
    return std::tie(left.file, left.begin, left.end) < std::tie(right.file, right.begin, right.end);
  });
  bool inside = false;  // an empty split at the beginning stands before the one with bytes
  for (const size_t i : order) {
    if (splits_[i].begin == 0) inside = false;
    splits_[i].starts_inside_quotes = inside;
    inside ^= odd_[i] != 0;
  }
}

}  // namespace cairn::tasks

// Lists of rows, for the queries. Only for state/*_queries.cc.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "metaserver/store/ordered_store.h"

namespace cairn::queries {

// Makes a list of a range of rows: one(key, value) gives each element or what is wrong with the row. Stops at `limit`.
template <typename T, typename One>
Result<std::vector<T>> list(const StoreView& view, const std::string& from, const std::string& to, size_t limit,
                            One one) {
  std::vector<T> found;
  Status damaged;
  if (limit == 0) return found;
  TRY(view.scan(from, to, [&](std::string_view key, std::string_view value) {
    Result<T> element = one(key, value);
    if (!element.ok()) {
      damaged = element.error();
      return false;
    }
    found.push_back(std::move(*element));
    return found.size() < limit;
  }));
  TRY(damaged);
  return found;
}

}  // namespace cairn::queries

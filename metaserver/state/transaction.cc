#include "metaserver/state/transaction.h"

#include <cassert>

namespace cairn {

Transaction::Transaction(std::shared_ptr<const StoreView> base) : base_(std::move(base)) { assert(base_ != nullptr); }

Result<std::optional<std::string>> Transaction::get(std::string_view key) const {
  if (const auto found = overlay_.find(key); found != overlay_.end()) return Value(found->second);
  return base_->get(key);
}

Status Transaction::scan(std::string_view from, std::string_view to, const Visit& visit) const {
  auto pending = overlay_.lower_bound(from);
  const auto in_range = [&] { return pending != overlay_.end() && (to.empty() || pending->first < to); };
  bool go_on = true;
  // Visits the pending rows in front of `key` (all of them: no key), skipping what this batch erased.
  const auto visit_pending = [&](const std::string_view* key) {
    while (go_on && in_range() && (key == nullptr || pending->first < *key)) {
      if (pending->second) go_on = visit(pending->first, *pending->second);
      ++pending;
    }
  };
  TRY(base_->scan(from, to, [&](std::string_view key, std::string_view value) {
    visit_pending(&key);
    if (!go_on) return false;
    if (in_range() && pending->first == key) {  // the batch has its own idea of this row
      if (pending->second) go_on = visit(key, *pending->second);
      ++pending;
    } else {
      go_on = visit(key, value);
    }
    return go_on;
  }));
  if (go_on) visit_pending(nullptr);
  return {};
}

void Transaction::put(std::string_view key, std::string value) { change(key, std::move(value)); }
void Transaction::erase(std::string_view key) { change(key, std::nullopt); }

void Transaction::change(std::string_view key, Value value) {
  const auto found = overlay_.find(key);
  if (found == overlay_.end()) {
    undo_.push_back({std::string(key), std::nullopt});
    overlay_.emplace(std::string(key), std::move(value));
  } else {
    undo_.push_back({std::string(key), std::move(found->second)});
    found->second = std::move(value);
  }
}

void Transaction::savepoint() { undo_.clear(); }

void Transaction::rollback() {
  for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) {
    if (undo->before) {
      overlay_.find(undo->key)->second = std::move(*undo->before);
    } else {
      overlay_.erase(undo->key);
    }
  }
  undo_.clear();
}

std::vector<StoreWrite> Transaction::take() {
  std::vector<StoreWrite> batch;
  batch.reserve(overlay_.size());
  while (!overlay_.empty()) {
    auto row = overlay_.extract(overlay_.begin());
    batch.push_back({std::move(row.key()), std::move(row.mapped())});
  }
  undo_.clear();
  return batch;
}

}  // namespace cairn

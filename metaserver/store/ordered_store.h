// The ordered key-value store behind the state machine. rocks_store.h is the real one, memory_store.h the one that
// simulations crash: one test suite runs against both.
//
// Keys and values are bytes; keys are ordered as unsigned bytes. write() is atomic and visible at once, but durable
// only after flush(), or whenever the store likes: after a crash the store is as it was after some earlier write(),
// never between two, and never older than the last flush(). The applied log index is part of each batch (under
// kAppliedKey), so the log can be replayed from it. One writer; any number of readers. no_space: the disk is full, and
// nothing of the batch was written; the store may refuse everything until resume().
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace cairn {

struct StoreWrite {
  std::string key;
  std::optional<std::string> value;  // none: erase
};

// A consistent view, also while the writer goes on.
class StoreView {
 public:
  virtual ~StoreView() = default;
  virtual Result<std::optional<std::string>> get(std::string_view key) const = 0;
  // Calls visit for each row with from <= key < to (to empty: no end), ascending, until it returns false.
  using Visit = std::function<bool(std::string_view key, std::string_view value)>;
  virtual Status scan(std::string_view from, std::string_view to, const Visit& visit) const = 0;
};

class OrderedStore {
 public:
  virtual ~OrderedStore() = default;
  virtual std::shared_ptr<const StoreView> view() const = 0;       // of everything written so far
  virtual Status write(const std::vector<StoreWrite>& batch) = 0;  // a later entry of the same key wins
  virtual Status flush() = 0;
  // After no_space: takes writes again, if the disk has room by now. The views stay readable all the time.
  virtual Status resume() { return {}; }
};

}  // namespace cairn

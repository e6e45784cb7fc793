// The ordered store in memory, for simulations and tests: it can crash.
//
//   each key    versions: (number of the write, value or erased), ascending
//   a view      sees, of each key, the last version up to its number
//   flush()     nothing before it is ever lost; older versions that no view can see are forgotten
//   crash(n)    the state is that after write n, which is at least the flushed one: as if the process had died
//
// Any thread. Nothing is called while the mutex is held.
#pragma once

#include <map>
#include <set>

#include "common/base/thread.h"
#include "metaserver/store/ordered_store.h"

namespace cairn {

class MemoryStore final : public OrderedStore {
 public:
  MemoryStore();
  ~MemoryStore() override;

  std::shared_ptr<const StoreView> view() const override;
  Status write(const std::vector<StoreWrite>& batch) override;
  Status flush() override;

  // Forgets writes after one of those that may be the last to survive, chosen by the seed. Views opened before are no
  // longer to be used.
  void crash(uint64_t seed);
  uint64_t writes() const;   // so far
  uint64_t flushed() const;  // the last write that survives any crash

  struct State;

 private:
  std::shared_ptr<State> state_;  // shared with the views
};

}  // namespace cairn

// The pending changes of a batch of commands over a view of the store.
//
//   reads:  overlay (this batch)  ->  base view (everything before)
//   savepoint() .. rollback()     what one command changed is taken back, the commands before it stay
//   take()                        the batch for OrderedStore::write(), one entry per key, ascending
//
// It is itself a StoreView, so queries.h and the typed reads of tables.h also work in the middle of a batch.
// Used by one thread. The base view is shared and lives as long as the transaction.
#pragma once

#include <map>

#include "metaserver/store/ordered_store.h"

namespace cairn {

class Transaction final : public StoreView {
 public:
  explicit Transaction(std::shared_ptr<const StoreView> base);

  Result<std::optional<std::string>> get(std::string_view key) const override;
  // visit must not change the transaction: collect first, then change.
  Status scan(std::string_view from, std::string_view to, const Visit& visit) const override;
  void put(std::string_view key, std::string value);
  void erase(std::string_view key);

  // From here on changes can be taken back. There is one savepoint at a time; a new one replaces the old.
  void savepoint();
  void rollback();  // to the last savepoint

  // The changes of the whole batch; the transaction is spent after that.
  std::vector<StoreWrite> take();
  bool empty() const { return overlay_.empty(); }
  size_t changed_rows() const { return overlay_.size(); }

 private:
  using Value = std::optional<std::string>;  // none: erased in this batch
  struct Undo {
    std::string key;
    std::optional<Value> before;  // none: the overlay did not know the key
  };
  void change(std::string_view key, Value value);

  std::shared_ptr<const StoreView> base_;
  std::map<std::string, Value, std::less<>> overlay_;
  std::vector<Undo> undo_;  // since the savepoint, oldest first
};

}  // namespace cairn

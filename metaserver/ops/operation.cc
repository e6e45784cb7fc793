#include "metaserver/ops/operation.h"

namespace cairn {

Operation::Operation(Transaction& transaction, LogIndex at, SessionId who, int64_t when_ns)
    : rows(transaction), index(at), session(who), wall_ns(when_ns) {}

Time Operation::now() const { return {wall_ns / 1'000'000'000, static_cast<uint32_t>(wall_ns % 1'000'000'000)}; }

Result<InodeRow*> Operation::find(InodeId id) {
  if (const auto held = inodes_.find(id); held != inodes_.end())
    return held->second.erased ? nullptr : &held->second.row;
  ASSIGN(std::optional<InodeRow> row, find_inode(rows, id));
  if (!row) return static_cast<InodeRow*>(nullptr);
  return &inodes_.emplace(id, Held{std::move(*row)}).first->second.row;
}

Result<InodeRow*> Operation::inode(InodeId id) {
  ASSIGN(InodeRow* const row, find(id));
  if (row == nullptr) return Error{Errc::stale_handle, fmt::format("inode {} does not exist", raw(id))};
  return row;
}

Result<InodeRow*> Operation::directory(InodeId id) {
  ASSIGN(InodeRow* const row, inode(id));
  if (!is_directory(*row)) return Error{Errc::not_directory, fmt::format("inode {} is not a directory", raw(id))};
  if (row->attributes.links == 0) return Error{Errc::not_found, fmt::format("directory {} was removed", raw(id))};
  return row;
}

Result<InodeRow*> Operation::regular_file(InodeId id) {
  ASSIGN(InodeRow* const row, inode(id));
  if (is_directory(*row)) return Error{Errc::is_directory, fmt::format("inode {} is a directory", raw(id))};
  if (!is_regular(*row)) return Error{Errc::invalid, fmt::format("inode {} is not a regular file", raw(id))};
  return row;
}

void Operation::touch_ctime(InodeRow& inode) {
  touch(inode);
  inode.attributes.ctime = now();
}

void Operation::touch_names(InodeRow& parent) {
  touch_ctime(parent);
  parent.attributes.mtime = now();
}

InodeRow& Operation::create(InodeRow row) {
  const InodeId id = row.attributes.inode;
  return inodes_.insert_or_assign(id, Held{std::move(row)}).first->second.row;
}

void Operation::erase(InodeId id) { inodes_[id].erased = true; }

Result<queries::Counters*> Operation::counters() {
  if (!counters_) {
    ASSIGN(counters_, queries::counters(rows));
  }
  return &*counters_;
}

Result<InodeId> Operation::next_inode() {
  ASSIGN(queries::Counters* const sums, counters());
  return InodeId{sums->next_inode++};
}

Status Operation::settle() {
  if (!ledger_.empty()) {
    ASSIGN(queries::Counters* const sums, counters());
    TRY(ledger_.settle(rows, *sums, {.index = index, .wall_ns = wall_ns, .writer = session}));
  }
  for (const auto& [id, held] : inodes_) {
    if (held.erased) {
      rows.erase(keys::inode(id));
    } else if (held.row.attributes.version == raw(index)) {
      rows.put(keys::inode(id), encode_row(held.row));
    }
  }
  if (counters_) rows.put(kCountersKey, encode_row(CountersRow{*counters_}));
  return {};
}

}  // namespace cairn

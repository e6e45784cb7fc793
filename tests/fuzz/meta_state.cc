#include "tests/fuzz/meta_state.h"

#include <xxhash.h>

#include "metaserver/state/queries.h"
#include "tests/fuzz/fuzz.h"
#include "tests/metaserver/state/machine.h"

namespace cairn::fuzz {
namespace {

MetaState make_small() {
  Machine machine(7);
  const SessionId session = machine.open_session();
  const ChunkInfo open = machine.open_chunk(session);
  const ChunkInfo sealed = machine.open_chunk(session);
  const InodeId dir = machine.make(session, kRootInode, "d", S_IFDIR | 0755).attributes.inode;
  machine.make(session, dir, "in");
  const InodeId file = machine.make(session, kRootInode, "a").attributes.inode;
  const InodeId small = machine.make(session, kRootInode, "b").attributes.inode;
  const InodeId orphan = machine.make(session, kRootInode, "o").attributes.inode;
  machine.make(session, kRootInode, "l", S_IFLNK | 0777);
  bool fine = machine.done(session, LinkNode{file, kRootInode, "a2"}).ok();
  for (const auto& [chunk, offset] :
       {std::pair{open, 0}, {sealed, 8192}, {open, 16384}, {open, 4096}, {sealed, 4096}}) {
    fine = fine && machine.commit_extent(session, chunk, file, static_cast<uint64_t>(offset), 8192).ok();
  }
  fine = fine && machine.commit_extent(session, open, orphan, 0, 100).ok();
  fine = fine && machine.done(session, RemoveName{kRootInode, "o", false}).ok();
  fine = fine && machine.done(session, SealChunks{{sealed.chunk}}).ok();
  fine = fine && machine.done(session, Commit{{{small, {}, 0, {5, 6}, std::string("inline data")}}, {}}).ok();
  fine = fine && machine.done(session, SetXattr{dir, "user.colour", "blue", 0}).ok();
  fine = fine && machine.done(session, SetXattr{dir, "cairn.policy", "ec(3,1)/8K", 0}).ok();
  require(fine, "the small state can be made");

  MetaState state;
  state.session = session;
  state.next_request = machine.requests[session] + 1;
  const Status scanned = machine.view()->scan({}, {}, [&](std::string_view key, std::string_view value) {
    state.rows.push_back({std::string(key), std::string(value)});
    return true;
  });
  require(scanned.ok(), "the small state can be read");
  state.applied = queries::applied(*machine.view())->index;
  state.incarnation = *queries::incarnation(*machine.view());
  return state;
}

}  // namespace

const MetaState& MetaState::small() {
  static const MetaState state = make_small();
  return state;
}

std::unique_ptr<MemoryStore> MetaState::store() const {
  auto store = std::make_unique<MemoryStore>();
  require(store->write(rows).ok() && store->flush().ok(), "a store in memory can be written");
  return store;
}

uint64_t visible_hash(const StoreView& view) {
  uint64_t hash = 0;
  const Status scanned = view.scan({}, {}, [&](std::string_view key, std::string_view value) {
    const char table = key.empty() ? '\0' : key.front();
    if (key == kAppliedKey || table == static_cast<char>(Table::outcome) ||
        table == static_cast<char>(Table::outcome_window)) {
      return true;
    }
    hash = XXH64(key.data(), key.size(), hash);
    hash = XXH64(value.data(), value.size(), hash);
    return true;
  });
  require(scanned.ok(), "a store in memory can be scanned");
  return hash;
}

}  // namespace cairn::fuzz

// The state before the first command.
#include <sys/stat.h>

#include "metaserver/state/rows.h"
#include "metaserver/state/state_machine.h"

namespace cairn {

std::vector<StoreWrite> genesis(const Genesis& genesis) {
  const int64_t wall_ns = std::max<int64_t>(genesis.wall_ns, 0);
  StorageClass storage_class = genesis.default_class;
  storage_class.id = kDefaultClass;

  InodeRow root;
  root.parent = kRootInode;
  root.map = MapId{raw(kRootInode)};
  root.next_cookie = 3;
  root.attributes.mode = S_IFDIR | 0755;
  root.attributes.links = 2;
  root.attributes.generation = 1;
  root.attributes.storage_class = kDefaultClass;
  root.attributes.atime = root.attributes.mtime = root.attributes.ctime =
      Time{wall_ns / 1'000'000'000, static_cast<uint32_t>(wall_ns % 1'000'000'000)};

  queries::Counters counters;
  counters.inodes = 1;
  counters.map_epoch = Epoch{1};
  counters.next_inode = raw(kRootInode) + 1;
  counters.next_chunk = counters.next_session = counters.next_writer_epoch = 1;
  counters.next_server = 1;
  counters.next_class = raw(kDefaultClass) + 1;

  return {
      {std::string(kIdentityKey), encode_row(IdentityRow{genesis.incarnation, wall_ns})},
      {std::string(kCountersKey), encode_row(CountersRow{counters})},
      {std::string(kAppliedKey), encode_row(AppliedRow{{LogIndex{0}, wall_ns}})},
      {keys::inode(kRootInode), encode_row(root)},
      {keys::storage_class(kDefaultClass), encode_row(ClassRow{LogIndex{0}, storage_class})},
      {keys::class_name(storage_class.name), encode_row(ClassNameRow{kDefaultClass})},
  };
}

}  // namespace cairn

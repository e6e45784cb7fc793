// Who a data directory is: identity.toml in it, made at its first start and kept for ever.
//
//   format = 1
//   uuid = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
//   incarnation = "5c77c972a01b2c3d"      of the cluster that it belongs to; "0" until its first registration
//   server = 7                            the id that the metaserver gave it; 0 until then
//
// A directory belongs to one cluster (incarnation of one database). Calls from another are refused, and its metaserver
// is not reported to: nothing is ever deleted for a cluster that the data does not belong to.
// Any thread.
#pragma once

#include <memory>
#include <string>

#include "common/base/disk.h"
#include "common/base/thread.h"
#include "common/base/types.h"

namespace cairn {

struct Identity {
  std::string uuid;
  Incarnation incarnation{};  // 0: not yet registered
  ServerId server{};          // 0: not yet registered
};

// Text of the file, and back. invalid, with the reason, for anything else.
std::string encode_identity(const Identity& identity);
Result<Identity> decode_identity(const std::string& text);
// A version 4 UUID from 64 bits of injected randomness.
std::string make_uuid(uint64_t seed);

class IdentityFile {
 public:
  // Reads the directory's identity, or makes one from the seed if there is none. invalid if the file is not readable as
  // one: a person has to look, since guessing could mix two clusters. The same if shards lie there without an identity.
  static Result<std::unique_ptr<IdentityFile>> open(Disk& disk, std::string directory, uint64_t seed);

  Identity get() const;
  // Takes what the metaserver said; durable on return. stale_epoch if the directory belongs to another cluster.
  Status adopt(Incarnation incarnation, ServerId server);
  // Whether a call is for this directory: unavailable before the first registration, stale_epoch (naming both) if it is
  // for another cluster, stale_boot if it is for another server (0: the caller did not say), whose address this was.
  Status check(Incarnation incarnation, ServerId server = ServerId{}) const;

 private:
  IdentityFile(Disk& disk, std::string directory, Identity identity);
  Status write(const Identity& identity);

  Disk& disk_;
  const std::string directory_;
  mutable Mutex mutex_;  // guards identity_
  Identity identity_;
};

}  // namespace cairn

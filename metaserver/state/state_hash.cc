#include <xxhash.h>

#include "common/base/bytes.h"
#include "metaserver/state/metadata_keys.h"
#include "metaserver/state/state_machine.h"

namespace cairn {

namespace {

struct FreeHash {
  void operator()(XXH64_state_t* state) const { XXH64_freeState(state); }
};

}  // namespace

Result<uint64_t> state_hash(const StoreView& view) {
  const std::unique_ptr<XXH64_state_t, FreeHash> hash(XXH64_createState());
  XXH64_reset(hash.get(), 0);
  // With their lengths, so that bytes cannot move between key and value.
  const auto add = [&](std::string_view bytes) {
    const std::string length = ByteWriter().u64(bytes.size()).take();
    XXH64_update(hash.get(), length.data(), length.size());
    XXH64_update(hash.get(), bytes.data(), bytes.size());
  };
  TRY(view.scan({}, {}, [&](std::string_view key, std::string_view value) {
    if (key == kAppliedKey) return true;
    add(key);
    add(value);
    return true;
  }));
  return uint64_t{XXH64_digest(hash.get())};
}

}  // namespace cairn

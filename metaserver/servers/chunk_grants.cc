#include "metaserver/servers/chunk_grants.h"

#include <fmt/format.h>

#include <algorithm>

#include "metaserver/state/queries.h"

namespace cairn {

uint64_t shard_limit_of(const Code& code) {
  constexpr uint64_t kMiB = 1u << 20;
  return std::max<uint64_t>(2, kChunkDataBytes / code.d / kMiB) * kMiB;
}

Result<std::vector<ChunkInfo>> grant_chunks(Committer& committer, Cluster& cluster, const OrderedStore& store,
                                            const Mutation& mutation, const GrantChunks& request) {
  if (request.count < 1 || request.count > kMaxGrantedChunks) {
    return Error{Errc::invalid, fmt::format("{} chunks were asked for; 1 to {} are granted at once", request.count,
                                            kMaxGrantedChunks)};
  }
  const auto view = store.view();
  ASSIGN(auto stored, queries::outcome(*view, mutation.session, mutation.request));
  if (!stored) {
    ASSIGN(const auto open, queries::open_chunks(*view, mutation.session));
    if (open.size() + request.count > kMaxOpenChunks) {
      return Error{Errc::busy, fmt::format("session {} has {} open chunks, and at most {} at once: seal some first",
                                           raw(mutation.session), open.size(), kMaxOpenChunks)};
    }
    ASSIGN(const StorageClass storage_class, queries::storage_class(*view, request.storage_class));
    ASSIGN(const auto placements, cluster.place({storage_class.policy, storage_class.failure_domain, request.avoid},
                                                request.count, shard_limit_of(storage_class.policy)));
    CreateChunks create;
    for (const Placement& placement : placements) {
      create.chunks.push_back({storage_class.id, placement.code, placement.servers, storage_class.cell_bytes,
                               shard_limit_of(placement.code)});
    }
    stored = committer.propose(Command{mutation, 0, std::move(create)});
  }
  if (!stored->ok()) return stored->error();
  auto* chunks = std::get_if<std::vector<ChunkInfo>>(&stored->value());
  if (chunks == nullptr) return Error{Errc::invalid, "this request id was used for another request before"};
  return std::move(*chunks);
}

}  // namespace cairn

#include "metaserver/servers/errands.h"

#include <algorithm>

#include "common/probes/planted_bug.h"

namespace cairn {

bool confirms(const Status& answer) {
  if (planted(PlantedBug::delete_on_no_answer)) return true;
  return answer.ok() || answer.code() == Errc::not_found;
}

void Errands::add(const Errand& errand, const std::vector<ServerId>& servers) {
  State& state = errands_[Key{errand.kind, errand.chunk, errand.place}];
  if (state.servers != servers || state.errand.length != errand.length) state.confirmed = 0;
  state.errand = errand;
  state.servers = servers;
}

void Errands::move(const Errand& errand, const std::vector<ServerId>& servers) {
  const auto it = errands_.find(Key{errand.kind, errand.chunk, errand.place});
  if (it == errands_.end() || it->second.servers == servers) return;
  State& state = it->second;
  for (size_t shard = 0; shard < std::max(servers.size(), state.servers.size()); ++shard) {
    const bool same = shard < servers.size() && shard < state.servers.size() && servers[shard] == state.servers[shard];
    if (!same) state.confirmed &= ~(uint64_t{1} << shard);
  }
  state.servers = servers;
}

std::vector<ErrandCall> Errands::calls(const std::function<bool(ServerId)>& may_ask) const {
  std::vector<ErrandCall> calls;
  for (const auto& [key, state] : errands_) {
    for (size_t shard = 0; shard < state.servers.size(); ++shard) {
      if (((state.confirmed >> shard) & 1) != 0 || !may_ask(state.servers[shard])) continue;
      calls.push_back({state.errand, state.servers[shard], static_cast<uint8_t>(shard)});
    }
  }
  std::stable_sort(calls.begin(), calls.end(),
                   [](const ErrandCall& a, const ErrandCall& b) { return a.server < b.server; });
  return calls;
}

void Errands::confirm(const ErrandCall& call) {
  const auto it = errands_.find(Key{call.errand.kind, call.errand.chunk, call.errand.place});
  if (it == errands_.end() || call.shard >= it->second.servers.size() || it->second.servers[call.shard] != call.server)
    return;
  if (it->second.errand.length != call.errand.length) return;  // it has grown since the call was made
  it->second.confirmed |= uint64_t{1} << call.shard;
}

std::vector<Errand> Errands::take_done() {
  std::vector<Errand> done;
  for (auto it = errands_.begin(); it != errands_.end();) {
    if (!it->second.done()) {
      ++it;
      continue;
    }
    done.push_back(it->second.errand);
    it = errands_.erase(it);
  }
  return done;
}

void Errands::drop(Errand::Kind kind, ChunkId chunk) {
  auto it = errands_.lower_bound(Key{kind, chunk, 0});
  while (it != errands_.end() && it->first.kind == kind && it->first.chunk == chunk) it = errands_.erase(it);
}

}  // namespace cairn

#include "common/rpc/server_pool.h"

#include <fmt/format.h>

#include <algorithm>

namespace cairn {
namespace {

constexpr size_t kIdlePerServer = 32;
constexpr Duration kConnectTimeout = 2s;   // within one cluster; a refusal comes at once
constexpr Duration kSilence = 1s;          // after a connect that timed out
constexpr Duration kRefreshInterval = 1s;  // a dead server must not make every call fetch the map

// A read's reply frame is 32 bytes and a record's header usually one block: both come with the first receive, and the
// cell with the second, straight and aligned.
constexpr uint32_t kReadAheadBytes = 32 + 4096;

}  // namespace

ServerPool::ServerPool(Network& network, Clock& clock, AddressLookup lookup)
    : network_(network), clock_(clock), lookup_(std::move(lookup)) {}

Result<ServerPool::Taken> ServerPool::take(ServerId server, bool fresh, Instant deadline) {
  std::vector<std::unique_ptr<Connection>> dead;  // closed without the mutex
  {
    Lock lock(mutex_);
    auto& idle = servers_[server].idle;
    if (fresh) dead.swap(idle);
    if (!idle.empty()) {
      Taken taken{std::move(idle.back()), true};
      idle.pop_back();
      return taken;
    }
  }
  ASSIGN(auto stream, connect(server, deadline));
  return Taken{std::make_unique<Connection>(std::move(stream), kReadAheadBytes), false};
}

Result<std::unique_ptr<Stream>> ServerPool::connect(ServerId server, Instant deadline) {
  {
    Lock lock(mutex_);
    const Server& state = servers_[server];
    if (clock_.now() < state.silent_until) {
      return Error{Errc::unavailable, fmt::format("chunkserver {} did not answer a moment ago", raw(server))};
    }
  }
  const auto attempt = [&](const Address& address) {
    auto stream = network_.connect(address, std::min(deadline, clock_.now() + kConnectTimeout));
    Lock lock(mutex_);
    Server& state = servers_[server];
    if (stream.ok()) {
      state.silent_until = Instant{INT64_MIN};
    } else {
      state.health.on_no_connection(clock_.now());
      if (stream.code() == Errc::timed_out) state.silent_until = clock_.now() + kSilence;
      if (stream.code() != Errc::timed_out) stream = Error{Errc::unavailable, stream.error().what};
    }
    return stream;
  };
  bool refreshed = may_refresh(server, false);
  auto address = lookup_(server, refreshed);
  if (!address.ok() && !refreshed && may_refresh(server, true)) {
    refreshed = true;
    address = lookup_(server, true);
  }
  if (!address.ok()) {  // not "it is not there": we could not find out
    return Error{Errc::unavailable,
                 fmt::format("the address of chunkserver {}: {}", raw(server), address.error().what)};
  }
  auto stream = attempt(*address);
  if (stream.ok() || refreshed || !may_refresh(server, true)) return stream;
  const auto now_at = lookup_(server, true);
  if (!now_at.ok() || *now_at == *address) return stream;
  return attempt(*now_at);
}

// Whether to fetch the map: when the address is known to be stale, or there is need and it was not done just now.
bool ServerPool::may_refresh(ServerId server, bool needed) {
  Lock lock(mutex_);
  Server& state = servers_[server];
  if (!needed && !state.address_is_stale) return false;
  const Instant now = clock_.now();
  if (state.refreshed_at.ns != INT64_MIN && now - state.refreshed_at < kRefreshInterval) return false;
  state.refreshed_at = now;
  state.address_is_stale = false;
  return true;
}

void ServerPool::give_back(ServerId server, std::unique_ptr<Connection> connection) {
  Lock lock(mutex_);
  auto& idle = servers_[server].idle;
  if (idle.size() < kIdlePerServer) idle.push_back(std::move(connection));
}

void ServerPool::address_changed(ServerId server) {
  std::vector<std::unique_ptr<Connection>> dead;
  Lock lock(mutex_);
  Server& state = servers_[server];
  dead.swap(state.idle);
  state.address_is_stale = true;
  lock.unlock();
}

void ServerPool::started(ServerId server) {
  Lock lock(mutex_);
  servers_[server].health.on_start();
}

void ServerPool::answered(ServerId server, Duration latency) {
  Lock lock(mutex_);
  servers_[server].health.on_answer(latency);
}

void ServerPool::abandoned(ServerId server, Duration waited) {
  Lock lock(mutex_);
  servers_[server].health.on_abandon(waited);
}

void ServerPool::failed(ServerId server) {
  Lock lock(mutex_);
  servers_[server].health.on_failure(clock_.now());
}

uint32_t ServerPool::reluctance(ServerId server) const {
  Lock lock(mutex_);
  const auto at = servers_.find(server);
  return at == servers_.end() ? 0 : at->second.health.reluctance(clock_.now());
}

Duration ServerPool::usual_latency() const {
  std::vector<Duration> each;
  {
    Lock lock(mutex_);
    for (const auto& [server, state] : servers_) each.push_back(state.health.usual_latency());
  }
  if (each.empty()) return Duration::zero();
  const auto middle = each.begin() + static_cast<ptrdiff_t>((each.size() - 1) / 2);
  std::ranges::nth_element(each, middle);
  return *middle;
}

}  // namespace cairn

#include "tests/sim/sim_network.h"

#include <algorithm>

#include "tests/sim/sim_stream.h"

namespace cairn {
namespace {

constexpr size_t kBacklog = 128;
constexpr Duration kLongestKeepAlive = 60s;  // until the peers of a machine that went dark notice it
constexpr Duration kConnectPatience = 127s;  // after that TCP itself gives up

}  // namespace

class SimListener : public Listener {
 public:
  SimListener(SimNetwork& network, std::shared_ptr<SimPort> port, std::string host, Address address)
      : network_(network), port_(std::move(port)), host_(std::move(host)), address_(std::move(address)) {}
  ~SimListener() override {
    close();
    const auto found = network_.ports_.find({host_, address_.port});
    if (found != network_.ports_.end() && found->second == port_) network_.ports_.erase(found);
  }

  Result<std::unique_ptr<Stream>> accept() override {
    SimScheduler& scheduler = network_.scheduler_;
    for (;;) {
      if (port_->shut) return Error{Errc::unavailable, "listener " + address_.text() + " is shut down"};
      Instant next = Instant::never();
      if (!port_->backlog.empty()) {
        auto& [arrival, link] = port_->backlog.front();
        next = arrival;
        if (arrival <= scheduler.now()) {
          auto stream = std::make_unique<SimStream>(network_, link, 1, link->ends[0].host + ":0");
          link->ends[1].process = scheduler.current_process();
          port_->backlog.pop_front();
          return std::unique_ptr<Stream>(std::move(stream));
        }
      }
      (void)scheduler.park(port_.get(), next);
    }
  }
  Address address() const override { return address_; }
  void shut_down() override { close(); }

 private:
  void close() {
    port_->shut = true;
    for (auto& [arrival, link] : port_->backlog) {
      link->ends[1].closed = true;
      link->ends[0].reset = network_.scheduler_.now();
      link->wake(network_.scheduler_);
    }
    port_->backlog.clear();
    network_.scheduler_.wake(port_.get(), true);
  }

  SimNetwork& network_;
  const std::shared_ptr<SimPort> port_;
  const std::string host_;
  const Address address_;
};

// The network as the processes of one host see it.
class SimHostNetwork : public Network {
 public:
  SimHostNetwork(SimNetwork& network, std::string name) : network_(network), name_(std::move(name)) {}

  Result<std::unique_ptr<Stream>> connect(const Address& to, Instant deadline) override {
    SimScheduler& scheduler = network_.scheduler_;
    const std::string host = to.host == "localhost" || to.host == "127.0.0.1" ? name_ : to.host;
    if (!network_.hosts_.contains(host)) return Error{Errc::unavailable, "resolve " + to.text() + ": no such host"};
    // There and back; while the way is cut or the host is dark, nobody answers.
    Instant answered = scheduler.now() + network_.latency() + network_.latency();
    deadline = std::min(deadline, scheduler.now() + kConnectPatience);
    for (;;) {
      const bool reachable =
          network_.flows(name_, host) && network_.flows(host, name_) && !network_.dark_.contains(host);
      if (reachable && scheduler.now() >= answered) break;
      if (scheduler.now() >= deadline)
        return Error{Errc::timed_out, "connect to " + to.text() + ": the deadline passed"};
      (void)scheduler.park(&network_.cuts_, std::min(deadline, reachable ? answered : Instant::never()));
    }
    const auto port = network_.ports_.find({host, to.port});
    if (port == network_.ports_.end() || port->second->shut) {
      return Error{Errc::unavailable, "connect to " + to.text() + ": connection refused"};
    }
    if (port->second->backlog.size() >= kBacklog) {
      return Error{Errc::unavailable, "connect to " + to.text() + ": the backlog is full"};
    }
    auto link = std::make_shared<SimLink>();
    link->ends[0].host = name_;
    link->ends[0].process = scheduler.current_process();
    link->ends[1].host = host;
    link->ends[1].process = port->second->process;
    network_.links_.push_back(link);
    port->second->backlog.emplace_back(scheduler.now() + network_.latency(), link);
    scheduler.wake(port->second.get(), false);
    return std::unique_ptr<Stream>(std::make_unique<SimStream>(network_, std::move(link), 0, to.text()));
  }

  Result<std::unique_ptr<Listener>> listen(const Address& at) override {
    Address bound = at;
    while (bound.port == 0) {
      const uint16_t candidate = network_.next_port_++;
      if (candidate != 0 && !network_.ports_.contains({name_, candidate})) bound.port = candidate;
    }
    auto& slot = network_.ports_[{name_, bound.port}];
    if (slot) return Error{Errc::unavailable, "listen on " + at.text() + ": address in use"};
    slot = std::make_shared<SimPort>();
    slot->process = network_.scheduler_.current_process();
    return std::unique_ptr<Listener>(std::make_unique<SimListener>(network_, slot, name_, bound));
  }

  Result<size_t> wait_readable(std::span<Stream* const> streams, Instant deadline) override {
    SimScheduler& scheduler = network_.scheduler_;
    std::vector<SimStream*> waited;
    for (Stream* stream : streams) {
      waited.push_back(dynamic_cast<SimStream*>(stream));
      if (waited.back() == nullptr)
        return Error{Errc::invalid, "wait_readable: " + stream->peer() + " is not simulated"};
    }
    for (;;) {
      std::vector<size_t> ready;
      Instant until = deadline;
      for (size_t i = 0; i < waited.size(); ++i) {
        if (waited[i]->readable()) ready.push_back(i);
        until = std::min(until, waited[i]->next_arrival());
      }
      if (!ready.empty()) return ready[network_.random_.below(ready.size())];
      if (scheduler.now() >= deadline)
        return Error{Errc::timed_out, "wait for any of several peers: the deadline passed"};
      for (SimStream* stream : waited) stream->wait_on(&waited);
      (void)scheduler.park(&waited, until);
      for (SimStream* stream : waited) stream->wait_on(nullptr);
    }
  }

 private:
  SimNetwork& network_;
  const std::string name_;
};

SimNetwork::SimNetwork(SimScheduler& scheduler, uint64_t seed) : SimNetwork(scheduler, seed, Options{}) {}

SimNetwork::SimNetwork(SimScheduler& scheduler, uint64_t seed, Options options)
    : scheduler_(scheduler), random_(seed), options_(options) {
  scheduler_.on_death([this](SimProcess process) { process_died(process); });
}

SimNetwork::~SimNetwork() = default;

Network& SimNetwork::host(const std::string& name) {
  auto& slot = hosts_[name];
  if (!slot) slot = std::make_unique<SimHostNetwork>(*this, name);
  return *slot;
}

Duration SimNetwork::latency() {
  const auto shortest = static_cast<uint64_t>(options_.shortest_latency.count());
  const auto longest = static_cast<uint64_t>(options_.longest_latency.count());
  return Duration{static_cast<int64_t>(random_.between(shortest, std::max(shortest, longest)))};
}

Duration SimNetwork::stall() {
  if (options_.stall_one_in == 0 || !random_.one_in(options_.stall_one_in)) return {};
  return Duration{static_cast<int64_t>(random_.below(static_cast<uint64_t>(options_.longest_stall.count())))};
}

bool SimNetwork::flows(const std::string& from, const std::string& to) const {
  return from == to || cuts_.empty() || !cuts_.contains({from, to});
}

template <typename Visit>
void SimNetwork::for_each_link(Visit visit) {
  std::erase_if(links_, [&](const std::weak_ptr<SimLink>& weak) {
    const std::shared_ptr<SimLink> link = weak.lock();
    if (!link || (link->ends[0].closed && link->ends[1].closed)) return true;
    visit(*link);
    return false;
  });
}

void SimNetwork::wake_all() {
  scheduler_.wake(&cuts_, true);
  for_each_link([this](SimLink& link) { link.wake(scheduler_); });
}

void SimNetwork::partition(const std::string& a, const std::string& b) {
  cut_one_way(a, b);
  cut_one_way(b, a);
}

void SimNetwork::cut_one_way(const std::string& from, const std::string& to) { cuts_.emplace(from, to); }

void SimNetwork::heal(const std::string& a, const std::string& b) {
  cuts_.erase({a, b});
  cuts_.erase({b, a});
  wake_all();
}

void SimNetwork::heal_all() {
  cuts_.clear();
  wake_all();
}

void SimNetwork::isolate(const std::string& name) {
  for (const auto& [other, unused] : hosts_) {
    if (other != name) partition(name, other);
  }
}

void SimNetwork::break_streams(const std::string& a, const std::string& b) {
  for_each_link([&](SimLink& link) {
    const bool meant =
        (link.ends[0].host == a && link.ends[1].host == b) || (link.ends[0].host == b && link.ends[1].host == a);
    if (!meant) return;
    link.ends[0].reset = link.ends[1].reset = scheduler_.now();
    link.wake(scheduler_);
  });
}

void SimNetwork::set_power(const std::string& name, bool on) {
  if (on) {
    dark_.erase(name);
    return wake_all();
  }
  dark_.insert(name);
}

// The kernel's part of a death: it closes what the process had open. Without power, nobody does.
void SimNetwork::process_died(SimProcess process) {
  for (auto port = ports_.begin(); port != ports_.end();) {
    if (port->second->process != process) {
      ++port;
      continue;
    }
    port->second->shut = true;
    port = ports_.erase(port);
  }
  for_each_link([&](SimLink& link) {
    for (int side = 0; side < 2; ++side) {
      SimEnd& dead = link.ends[side];
      SimEnd& peer = link.ends[1 - side];
      if (dead.process != process || dead.closed) continue;
      const bool silent = dark_.contains(dead.host);
      dead.shut = dead.closed = true;
      SimDirection& way = link.ways[side];
      if (silent) {
        // What was under way is lost with the machine or already there; then nothing, until keep-alives fail.
        const auto longest = static_cast<uint64_t>(kLongestKeepAlive.count());
        peer.reset = std::min(peer.reset, scheduler_.now() + Duration{static_cast<int64_t>(random_.below(longest))});
      } else if (random_.one_in(2)) {
        peer.reset = std::min(peer.reset, scheduler_.now() + latency());  // it had not read everything
      } else if (way.end == Instant::never()) {
        way.end = scheduler_.now() + latency();
        if (!way.segments.empty()) way.end = std::max(way.end, way.segments.back().arrival);
      }
    }
    link.wake(scheduler_);
  });
}

}  // namespace cairn

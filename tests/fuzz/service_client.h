// A client that talks to one server of a simulation, in good messages and in garbage.
#pragma once

#include "common/rpc/rpc_connection.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sim/sim_network.h"

namespace cairn::fuzz {

template <typename Stub>
class ServiceClient {
 public:
  ServiceClient(SimScheduler& scheduler, Network& network, Address server)
      : scheduler_(scheduler), network_(network), server_(std::move(server)) {}

  // Good frames are answered, whatever their fields say: the reply. `tail` follows the request.
  template <typename Request, typename Reply>
  void call(void (Stub::*put)(const Request&), void (Stub::*get)(Reply&), const Request& request, Reply& reply,
            const std::string& tail = {}) {
    RpcConnection<Stub>& to = connection();
    const auto frame = to.encode(put, request);
    const iovec pieces[] = {{const_cast<uint8_t*>(frame.data()), frame.size()},
                            {const_cast<char*>(tail.data()), tail.size()}};
    require(to.stream().write_all(pieces, Instant::never()).ok(), "a server takes a request");
    const auto answer = to.reader().read(Instant::never());
    require(answer.ok(), "a good frame is answered");
    const Status decoded = to.decode(*answer, get, reply);
    if (!decoded.ok()) broken(decoded.error().what);
  }
  std::string read_tail(uint64_t bytes) {
    std::string tail(bytes, '\0');
    const Status read =
        connection().reader().read_tail({reinterpret_cast<uint8_t*>(tail.data()), tail.size()}, Instant::never());
    require(read.ok(), "the tail that a reply announces follows it");
    return tail;
  }

  // The frame of a request, for garbage().
  template <typename Request>
  std::string frame_of(void (Stub::*put)(const Request&), const Request& request) {
    return std::string(text_of(connection().encode(put, request)));
  }
  // On a connection of its own, which ends afterwards: what the server makes of it is its own affair.
  void garbage(const std::string& bytes) {
    auto stream = network_.connect(server_, Instant::never());
    require(stream.ok(), "a server takes connections");
    const Instant deadline = scheduler_.now() + 1s;
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    if (!(*stream)->write_all({&piece, 1}, deadline).ok()) return;
    uint8_t answer[4096];
    for (bool open = true; open;) {
      const auto got = (*stream)->read_some(answer, deadline);
      open = got.ok() && *got > 0;
    }
  }

 private:
  RpcConnection<Stub>& connection() {
    if (!connection_) {
      auto stream = network_.connect(server_, Instant::never());
      require(stream.ok(), "a server takes connections");
      connection_ = std::make_unique<RpcConnection<Stub>>(std::move(*stream), 4096);
    }
    return *connection_;
  }

  SimScheduler& scheduler_;
  Network& network_;
  const Address server_;
  std::unique_ptr<RpcConnection<Stub>> connection_;
};

}  // namespace cairn::fuzz

// A Network that counts the bytes of its streams as they pass the sockets: what a task moves is measured, not
// estimated.
//
// Everything goes on to the network behind it. Any thread; streams must be gone before this is.
#pragma once

#include <atomic>
#include <cstdint>

#include "common/base/network.h"

namespace cairn {

class CountingNetwork : public Network {
 public:
  explicit CountingNetwork(Network& inner) : inner_(inner) {}

  Result<std::unique_ptr<Stream>> connect(const Address& to, Instant deadline) override;
  Result<std::unique_ptr<Listener>> listen(const Address& at) override { return inner_.listen(at); }  // not counted
  Result<size_t> wait_readable(std::span<Stream* const> streams, Instant deadline) override;

  uint64_t received() const { return received_.load(std::memory_order_relaxed); }
  uint64_t sent() const { return sent_.load(std::memory_order_relaxed); }

 private:
  class CountedStream;
  Network& inner_;
  std::atomic<uint64_t> received_ = 0, sent_ = 0;
};

}  // namespace cairn

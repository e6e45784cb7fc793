// A Thrift server with raw tails: framed binary protocol, a thread for each connection, bounded in connections and sizes.
//
//   request:  [u32 big-endian length][Thrift frame][tail of the request, if the method has one]
//   reply:    [u32 big-endian length][Thrift frame][tail of the reply, if the method has one]
//
// Methods without a tail are plain TFramedTransport + TBinaryProtocol: any Thrift client can call them.
// A handler that has a request tail must read exactly its bytes, also when it fails; otherwise the connection is closed.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "common/base/network.h"

namespace apache::thrift {
class TProcessor;
}

namespace cairn {

// The tails of the call that is being handled, given to the handler of one connection.
class CallTails {
 public:
  virtual ~CallTails() = default;
  // Reads the next into.size() bytes of the request's tail.
  virtual Status read_tail(std::span<uint8_t> into) = 0;
  // Reads and forgets them: for a request that is refused.
  virtual Status skip_tail(uint64_t bytes) = 0;
  // Sent behind the reply. Memory must stay valid until the next call on this connection; the file is kept alive.
  virtual void reply_with(std::span<const iovec> pieces) = 0;
  virtual void reply_with_file(std::shared_ptr<File> file, uint64_t offset, uint64_t length) = 0;  // may be called twice: header, then cell
};

class RpcServer {
 public:
  struct Limits {
    uint32_t connections = 4096;           // one more is closed at once
    uint32_t frame_bytes = 16u << 20;      // a larger frame closes its connection
  };
  // Makes the Thrift processor of one connection. It lives as long as the connection.
  using ProcessorFactory = std::function<std::shared_ptr<apache::thrift::TProcessor>(CallTails&)>;

  RpcServer(Network& network, Clock& clock, ProcessorFactory factory, Limits limits);
  ~RpcServer();  // stops
  Status start(const Address& at);
  Address address() const;
  void stop();   // no new calls; waits for those being handled; closes all connections

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn

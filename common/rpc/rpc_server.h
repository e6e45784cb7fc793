// A Thrift server with raw tails: framed binary protocol, a thread for each connection, bounded in connections, sizes,
// memory and time (docs/limits.md).
//
//   request:  [u32 big-endian length][Thrift frame][tail of the request, if the method has one]
//   reply:    [u32 big-endian length][Thrift frame][tail of the reply, if the method has one]
//
// Methods without a tail are plain TFramedTransport + TBinaryProtocol: any Thrift client can call them.
// A handler that has a request tail must take exactly its bytes, also when it fails: read_tail or skip_tail.
// A handler that cannot know how many bytes follow (its request says nonsense) throws: the caller gets a
// TApplicationException and the connection is closed, because the next frame cannot be found. The same goes for a
// method that does not exist. A frame that is no call, is too long or does not parse closes its connection without an
// answer. Nothing that arrives on one connection touches another. Errors of an operation are not exceptions: they stand
// in the reply (answer() in wire.h).
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

// The tails of the call that is being handled, given to the handler of one connection. For that connection's thread.
class CallTails {
 public:
  virtual ~CallTails() = default;
  // Reads the next into.size() bytes of the request's tail. After an error the connection is closed; the handler just
  // returns.
  virtual Status read_tail(std::span<uint8_t> into) = 0;
  // Reads and forgets them: for a request that is refused.
  virtual Status skip_tail(uint64_t bytes) = 0;
  // Sent behind the reply, in the order they were given; a reply with an error must have none. Memory must stay valid
  // until the next call on this connection; the file is kept alive. Both may be called more than once (header, then
  // cell).
  virtual void reply_with(std::span<const iovec> pieces) = 0;
  virtual void reply_with_file(std::shared_ptr<File> file, uint64_t offset, uint64_t length) = 0;
};

class RpcServer {
 public:
  struct Limits {
    // For one more, the connection that has waited longest for its peer's next request is closed, if that is longer
    // than idle_grace; otherwise the new one is. A call that is being handled is left alone.
    uint32_t connections = 4096;
    Duration idle_grace = 1s;
    uint32_t frame_bytes = 16u << 20;    // a larger frame closes its connection; so does a larger reply
    uint64_t request_bytes = 64u << 20;  // of all large requests together: more wait (message_memory.h)
    uint64_t reply_bytes = 256u << 20;   // of all large replies together: readers that are too slow are cut off
    Duration io_timeout = 60s;           // for a whole frame from its first byte, for a tail, and for taking an answer
    Duration stop_grace = 5s;            // stop() lets calls finish so long before it cuts their connections
  };
  // Makes the Thrift processor of one connection. It lives as long as the connection. Called on the connection's
  // thread.
  using ProcessorFactory = std::function<std::shared_ptr<apache::thrift::TProcessor>(CallTails&)>;

  RpcServer(Network& network, Clock& clock, ProcessorFactory factory, Limits limits);
  RpcServer(Network& network, Clock& clock, ProcessorFactory factory)
      : RpcServer(network, clock, std::move(factory), Limits{}) {}
  ~RpcServer();                     // stops
  Status start(const Address& at);  // once
  Address address() const;          // after start; with the port that was given for port 0
  // No new calls; waits for those being handled; closes all connections; joins. A handler that waits for something (a
  // long poll) must be woken by its owner first. Once, or again without effect.
  void stop();
  uint32_t connections() const;    // open now
  uint64_t request_bytes() const;  // of large requests that are in memory
  uint64_t reply_bytes() const;    // of large replies on their way

 private:
  class Connection;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn

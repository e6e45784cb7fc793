// Byte streams between processes, the third of the three edges: TCP here, simulated in tests/sim (delays, breaks,
// partitions).
//
// A Stream has one reader and one writer at a time, which may be two threads. A broken stream stays broken; its owner
// makes a new one. Errors: unavailable (refused, reset, closed), timed_out (the deadline passed; the stream is then
// unusable, because part of a message may be out).
#pragma once

#include <sys/uio.h>

#include <memory>
#include <span>

#include "common/base/clock.h"
#include "common/base/disk.h"
#include "common/base/result.h"
#include "common/base/types.h"

namespace cairn {

class Stream {
 public:
  virtual ~Stream() = default;
  virtual Status write_all(std::span<const iovec> pieces, Instant deadline) = 0;
  // Sends a range of a file, by sendfile where both have descriptors. What lies behind the end of the file is sent
  // as zeros, so that exactly length bytes go out.
  virtual Status send_file(File& file, uint64_t offset, uint64_t length, Instant deadline) = 0;
  // At least one byte, at most into.size(); 0 only when the peer has closed.
  virtual Result<size_t> read_some(std::span<uint8_t> into, Instant deadline) = 0;
  // Ends both directions: blocked readers and writers return unavailable. Callable from any thread.
  virtual void shut_down() = 0;
  virtual std::string peer() const = 0;          // for logs
  virtual int descriptor() const { return -1; }  // for poll; -1 where there is none
  // Exactly into.size() bytes, or an error.
  virtual Status read_exact(std::span<uint8_t> into, Instant deadline);
};

class Listener {
 public:
  virtual ~Listener() = default;
  virtual Result<std::unique_ptr<Stream>> accept() = 0;  // blocks; fails only for good: after shut_down()
  virtual Address address() const = 0;                   // with the port that was given for port 0
  virtual void shut_down() = 0;                          // from any thread
};

class Network {
 public:
  virtual ~Network() = default;
  virtual Result<std::unique_ptr<Stream>> connect(const Address& to, Instant deadline) = 0;
  virtual Result<std::unique_ptr<Listener>> listen(const Address& at) = 0;
  // Blocks until one of the streams can be read without waiting (bytes, or its end). Returns its position.
  virtual Result<size_t> wait_readable(std::span<Stream* const> streams, Instant deadline) = 0;
};

// The body of send_file where a descriptor is missing: reads pieces of the file and writes them.
Status send_file_by_copy(Stream& stream, File& file, uint64_t offset, uint64_t length, Instant deadline);

// TCP. The first call makes the process ignore SIGPIPE (unless it handles it), because sendfile cannot be told not to
// raise it.
Network& real_network();

}  // namespace cairn

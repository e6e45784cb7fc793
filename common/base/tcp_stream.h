// One TCP connection as a Stream, and waiting for sockets. For real_network.cc and tests; others use network.h.
//
// The socket blocks. A call without a deadline (Instant::never()), or a read whose deadline is more than a second away,
// is one plain system call; others first try without waiting and poll only when they would block.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <span>
#include <string>
#include <string_view>

#include "common/base/network.h"
#include "common/base/unique_fd.h"

namespace cairn {

// Takes a connected socket, blocking or not, and sets the options that every connection of a cluster has.
Result<std::unique_ptr<Stream>> make_tcp_stream(UniqueFd fd, std::string peer);

// Until one of the descriptors has events (or an error); timed_out at the deadline.
Status poll_until(std::span<pollfd> waited, Instant deadline, std::string_view operation, std::string_view object);
Status wait_for_socket(int fd, short events, Instant deadline, std::string_view operation, std::string_view object);

std::string describe_peer(const sockaddr_storage& address, socklen_t size);  // "10.0.0.1:4000"

}  // namespace cairn

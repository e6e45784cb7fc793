#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <csignal>
#include <system_error>

#include "common/base/errno_error.h"
#include "common/base/log_limit.h"
#include "common/base/network.h"
#include "common/base/tcp_stream.h"
#include "common/base/unique_fd.h"

namespace cairn {
namespace {

constexpr int kScarcityPauseMs = 100;  // between tries to accept when descriptors or memory have run out

using AddressList = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

// Numeric hosts do not reach the resolver. A name does, and that may take longer than a deadline.
Result<AddressList> resolve(const Address& address, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV | AI_NUMERICHOST;
  const char* host = address.host.empty() ? nullptr : address.host.c_str();
  const std::string port = std::to_string(address.port);
  addrinfo* found = nullptr;
  int failure = ::getaddrinfo(host, port.c_str(), &hints, &found);
  if (failure == EAI_NONAME) {
    hints.ai_flags &= ~AI_NUMERICHOST;
    failure = ::getaddrinfo(host, port.c_str(), &hints, &found);
  }
  if (failure != 0 && address.host == "localhost") {  // a system without /etc/hosts; RFC 6761 section 6.3
    hints.ai_flags |= AI_NUMERICHOST;
    failure = ::getaddrinfo("127.0.0.1", port.c_str(), &hints, &found);
  }
  if (failure != 0) return Error{Errc::unavailable, "resolve " + address.text() + ": " + ::gai_strerror(failure)};
  return AddressList(found, &::freeaddrinfo);
}

// Connects one socket before the deadline. It is non-blocking only meanwhile.
Status connect_socket(int fd, const addrinfo& to, const std::string& peer, Instant deadline) {
  if (::connect(fd, to.ai_addr, to.ai_addrlen) != 0) {
    if (errno != EINPROGRESS && errno != EINTR) return socket_error("connect to", peer, errno);
    TRY(wait_for_socket(fd, POLLOUT, deadline, "connect to", peer));
    int failure = 0;
    socklen_t size = sizeof failure;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0) failure = errno;
    if (failure != 0) return socket_error("connect to", peer, failure);
  }
  return {};
}

class TcpListener : public Listener {
 public:
  TcpListener(UniqueFd fd, UniqueFd stop, Address address)
      : fd_(std::move(fd)), stop_(std::move(stop)), address_(std::move(address)) {}

  Result<std::unique_ptr<Stream>> accept() override {
    for (;;) {
      pollfd waited[2] = {{fd_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
      if (::poll(waited, 2, -1) < 0 && errno != EINTR) return socket_error("wait on", address_.text(), errno);
      if (waited[1].revents != 0) return Error{Errc::unavailable, "listener " + address_.text() + " is shut down"};
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      UniqueFd fd(::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC));
      if (fd.valid()) return make_tcp_stream(std::move(fd), describe_peer(from, size));
      switch (errno) {
        case EMFILE:
        case ENFILE:
        case ENOMEM:
        case ENOBUFS:
          // Connections stay in the backlog until another is closed; polling meanwhile would spin.
          complain(errno);
          if (::poll(&waited[1], 1, kScarcityPauseMs) < 0 && errno != EINTR) {
            return socket_error("wait on", address_.text(), errno);
          }
          break;
        case EBADF:
        case EINVAL:
          return Error{Errc::unavailable, "listener " + address_.text() + " is closed"};
        default:
          break;  // the caller has gone before it was accepted: wait for the next
      }
    }
  }

  Address address() const override { return address_; }

  void shut_down() override {
    const uint64_t one = 1;
    // The counter stays readable for ever, so every waiting and later accept() sees it.
    if (::write(stop_.get(), &one, sizeof one) != sizeof one) ::shutdown(fd_.get(), SHUT_RDWR);
  }

 private:
  void complain(int failure) {
    if (const auto left_out = complaints_.admit(real_clock().now()))
      spdlog::warn("accept on {}: {}; connections wait meanwhile. A higher limit of open files helps (ulimit -n){}",
                   address_.text(), std::generic_category().message(failure), *left_out);
  }

  UniqueFd fd_;    // non-blocking: a connection may vanish between poll and accept
  UniqueFd stop_;  // eventfd
  Address address_;
  LogLimit complaints_;
};

Result<uint16_t> port_of(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return socket_error("getsockname", "listener", errno);
  }
  if (bound.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(bound).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

class RealNetwork : public Network {
 public:
  RealNetwork() {
    struct sigaction current {};
    if (::sigaction(SIGPIPE, nullptr, &current) == 0 && current.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);
  }

  Result<std::unique_ptr<Stream>> connect(const Address& to, Instant deadline) override {
    ASSIGN(const AddressList addresses, resolve(to, 0));
    Error last{Errc::unavailable, "connect to " + to.text() + ": no address"};
    for (const addrinfo* one = addresses.get(); one != nullptr; one = one->ai_next) {
      UniqueFd fd(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, one->ai_protocol));
      if (!fd.valid()) {
        last = socket_error("socket for", to.text(), errno);
        continue;
      }
      const Status connected = connect_socket(fd.get(), *one, to.text(), deadline);
      if (connected.ok()) return make_tcp_stream(std::move(fd), to.text());
      last = connected.error();
    }
    return last;
  }

  Result<std::unique_ptr<Listener>> listen(const Address& at) override {
    ASSIGN(const AddressList addresses, resolve(at, AI_PASSIVE));
    const addrinfo& one = *addresses;
    UniqueFd fd(::socket(one.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, one.ai_protocol));
    if (!fd.valid()) return socket_error("socket for", at.text(), errno);
    const int on = 1;
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        ::bind(fd.get(), one.ai_addr, one.ai_addrlen) != 0 || ::listen(fd.get(), SOMAXCONN) != 0) {
      return socket_error("listen on", at.text(), errno);
    }
    UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!stop.valid()) return socket_error("eventfd for", at.text(), errno);
    ASSIGN(const uint16_t port, port_of(fd.get()));
    return std::unique_ptr<Listener>(
        std::make_unique<TcpListener>(std::move(fd), std::move(stop), Address{at.host, port}));
  }

  Result<size_t> wait_readable(std::span<Stream* const> streams, Instant deadline) override {
    constexpr size_t kFew = 64;  // more than the shards of any stripe: no allocation on the data path
    pollfd few[kFew];
    std::vector<pollfd> many(streams.size() > kFew ? streams.size() : 0);
    pollfd* const waited = many.empty() ? few : many.data();
    for (size_t i = 0; i < streams.size(); ++i) {
      waited[i] = {streams[i]->descriptor(), POLLIN, 0};
      if (waited[i].fd < 0) return Error{Errc::invalid, "wait_readable: " + streams[i]->peer() + " has no descriptor"};
    }
    TRY(poll_until({waited, streams.size()}, deadline, "wait for", "any of several peers"));
    for (size_t i = 0; i < streams.size(); ++i) {
      if (waited[i].revents != 0) return i;
    }
    return Error{Errc::io, "wait_readable: poll named no stream"};
  }
};

}  // namespace

Network& real_network() {
  static RealNetwork network;
  return network;
}

}  // namespace cairn

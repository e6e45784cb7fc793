#include "common/base/tcp_stream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>

#include "common/base/errno_error.h"

namespace cairn {
namespace {

// sendfile has no flag for "do not wait", so a send that makes no progress comes back after this long to look at its
// deadline. A deadline is missed by at most this.
constexpr timeval kSendTick{.tv_sec = 0, .tv_usec = 250'000};
// One call goes on for as long as its reader takes anything, however little; so each is for no more than this.
constexpr uint64_t kSendFileBytes = 256u << 10;
// A read whose deadline is further away than this blocks in recv for as long, again and again: one system call where
// trying, polling and reading would be three (a third of the time of a small call). Nearer deadlines are kept by poll.
constexpr timeval kReceiveTick{.tv_sec = 1, .tv_usec = 0};
constexpr Duration kReceiveTickTime = 1s;

constexpr size_t kZeroBytes = 64u << 10;

std::span<uint8_t> zeros() {
  alignas(4096) static std::array<uint8_t, kZeroBytes> bytes{};
  return bytes;
}

class TcpStream : public Stream {
 public:
  TcpStream(UniqueFd fd, std::string peer) : fd_(std::move(fd)), peer_(std::move(peer)) {}

  Status write_all(std::span<const iovec> pieces, Instant deadline) override {
    size_t skip = 0;  // bytes of the first piece that are out
    while (!pieces.empty()) {
      iovec rest{};
      msghdr message{};
      if (skip == 0) {
        message.msg_iov = const_cast<iovec*>(pieces.data());
        message.msg_iovlen = std::min<size_t>(pieces.size(), IOV_MAX);
      } else {
        rest = {static_cast<uint8_t*>(pieces[0].iov_base) + skip, pieces[0].iov_len - skip};
        message.msg_iov = &rest;
        message.msg_iovlen = 1;
      }
      // More pieces follow a partly sent one: do not push a short packet out between them.
      const int more = skip != 0 && pieces.size() > 1 ? MSG_MORE : 0;
      const ssize_t n = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | more | wait_flag(deadline));
      if (n < 0) {
        TRY(after_failure(POLLOUT, deadline, "write to"));
        continue;
      }
      skip += static_cast<size_t>(n);
      while (!pieces.empty() && skip >= pieces[0].iov_len) {
        skip -= pieces[0].iov_len;
        pieces = pieces.subspan(1);
      }
    }
    return {};
  }

  Status send_file(File& file, uint64_t offset, uint64_t length, Instant deadline) override {
    const int source = file.descriptor();
    if (source < 0) return send_file_by_copy(*this, file, offset, length, deadline);
    auto position = static_cast<off_t>(offset);
    while (length > 0) {
      const ssize_t n = ::sendfile(fd_.get(), source, &position, std::min(length, kSendFileBytes));
      if (n == 0) return write_zeros(length, deadline);  // behind the end of the file
      if (n < 0) {
        if (errno == EIO) return file_error("sendfile to", peer_, errno);  // of the disk, not of the peer
        TRY(after_failure(POLLOUT, deadline, "sendfile to"));
        continue;
      }
      length -= static_cast<uint64_t>(n);
      // A reader who takes a little now and then must not hold this for ever.
      if (length > 0 && real_clock().now() >= deadline) {
        return Error{Errc::timed_out, "sendfile to " + peer_ + ": the deadline passed"};
      }
    }
    return {};
  }

  Result<size_t> read_some(std::span<uint8_t> into, Instant deadline) override { return receive(into, deadline, 0); }

  // Asks the kernel for all at once, which saves a call for each part that arrives.
  Status read_exact(std::span<uint8_t> into, Instant deadline) override {
    while (!into.empty()) {
      ASSIGN(const size_t n, receive(into, deadline, MSG_WAITALL));
      if (n == 0) return Error{Errc::unavailable, "read from " + peer_ + ": closed in the middle of a message"};
      into = into.subspan(n);
    }
    return {};
  }

  void shut_down() override {
    shut_.store(true, std::memory_order_relaxed);
    ::shutdown(fd_.get(), SHUT_RDWR);  // wakes recv, send and poll in other threads
  }

  std::string peer() const override { return peer_; }
  int descriptor() const override { return fd_.get(); }

 private:
  Result<size_t> receive(std::span<uint8_t> into, Instant deadline, int flags) {
    for (;;) {
      int wait = 0;
      if (deadline != Instant::never()) wait = receive_flag(deadline);
      const ssize_t n = ::recv(fd_.get(), into.data(), into.size(), flags | wait);
      if (n > 0 || (n == 0 && !shut_.load(std::memory_order_relaxed))) return static_cast<size_t>(n);
      if (n == 0) return Error{Errc::unavailable, "read from " + peer_ + ": shut down here"};
      if (errno == EAGAIN && wait == 0) continue;  // a tick
      TRY(after_failure(POLLIN, deadline, "read from"));
    }
  }

  // Whether this recv may block: only if it comes back by itself before the deadline.
  int receive_flag(Instant deadline) {
    if (deadline - real_clock().now() <= kReceiveTickTime) return MSG_DONTWAIT;
    if (!ticking_) {
      ticking_ = ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &kReceiveTick, sizeof kReceiveTick) == 0;
      if (!ticking_) return MSG_DONTWAIT;
    }
    return 0;
  }

  static int wait_flag(Instant deadline) { return deadline == Instant::never() ? 0 : MSG_DONTWAIT; }

  // Ok when the call should be tried again.
  Status after_failure(short events, Instant deadline, std::string_view operation) {
    const int failure = errno;
    if (failure == EINTR) return {};
    if (failure == EAGAIN) return wait_for_socket(fd_.get(), events, deadline, operation, peer_);
    return socket_error(operation, peer_, failure);
  }

  Status write_zeros(uint64_t length, Instant deadline) {
    while (length > 0) {
      const uint64_t n = std::min<uint64_t>(length, kZeroBytes);
      const iovec piece{zeros().data(), n};
      TRY(write_all({&piece, 1}, deadline));
      length -= n;
    }
    return {};
  }

  UniqueFd fd_;
  std::string peer_;
  std::atomic<bool> shut_ = false;
  bool ticking_ = false;  // of the reader: blocked receives return after kReceiveTick
};

// bbr, where it is the system's default, paces a megabyte of sendfile on a short way into small pieces: measured 1.7
// GB/s and 0.6 CPU-s/GiB, against 7 GB/s and 0.14 with cubic. On long and lossy ways bbr is the better one, so it stays
// there. A hint: where cubic is missing, nothing is lost but speed.
void choose_congestion_control(int fd) {
  constexpr uint32_t kNearUs = 2000;  // round trip, from the handshake
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || info.tcpi_rtt > kNearUs) return;
  constexpr std::string_view kCubic = "cubic";
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, kCubic.data(), kCubic.size());
}

}  // namespace

Result<std::unique_ptr<Stream>> make_tcp_stream(UniqueFd fd, std::string peer) {
  const auto set = [&](int level, int name, auto value) {
    return ::setsockopt(fd.get(), level, name, &value, sizeof value) == 0;
  };
  const int flags = ::fcntl(fd.get(), F_GETFL);
  const bool blocking = flags >= 0 && ::fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK) == 0;
  // Keep-alives end a connection whose peer's machine went away while nobody was sending.
  if (!blocking || !set(IPPROTO_TCP, TCP_NODELAY, 1) || !set(SOL_SOCKET, SO_SNDTIMEO, kSendTick) ||
      !set(SOL_SOCKET, SO_KEEPALIVE, 1) || !set(IPPROTO_TCP, TCP_KEEPIDLE, 30) ||
      !set(IPPROTO_TCP, TCP_KEEPINTVL, 10) || !set(IPPROTO_TCP, TCP_KEEPCNT, 3)) {
    return socket_error("set options for", peer, errno);
  }
  choose_congestion_control(fd.get());
  return std::unique_ptr<Stream>(std::make_unique<TcpStream>(std::move(fd), std::move(peer)));
}

Status poll_until(std::span<pollfd> waited, Instant deadline, std::string_view operation, std::string_view object) {
  for (;;) {
    timespec left{};
    const bool bounded = deadline != Instant::never();
    if (bounded) {
      const int64_t ns = std::max<int64_t>(0, deadline.ns - real_clock().now().ns);
      left = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
    }
    const int n = ::ppoll(waited.data(), waited.size(), bounded ? &left : nullptr, nullptr);
    if (n > 0) return {};
    if (n < 0 && errno != EINTR) return socket_error(operation, object, errno);
    if (bounded && real_clock().now() >= deadline) {
      return Error{Errc::timed_out, fmt::format("{} {}: the deadline passed", operation, object)};
    }
  }
}

Status wait_for_socket(int fd, short events, Instant deadline, std::string_view operation, std::string_view object) {
  pollfd waited{fd, events, 0};
  return poll_until({&waited, 1}, deadline, operation, object);
}

std::string describe_peer(const sockaddr_storage& address, socklen_t size) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  const int failure = ::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host, sizeof host, port,
                                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
  if (failure != 0) return "unknown peer";
  return fmt::format("{}:{}", host, port);
}

}  // namespace cairn

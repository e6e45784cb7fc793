#include "client/fuse/kernel_link.h"

#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

namespace cairn {
namespace {

// Of linux/fuse.h, whose version on Debian 12 does not know all of them.
constexpr uint32_t kInit = 26;
constexpr size_t kInHeaderBytes = 40;
constexpr size_t kOutHeaderBytes = 16;
constexpr size_t kInitOutBytes = 64;
constexpr size_t kInFlagsAt = kInHeaderBytes + 12;  // struct fuse_init_in: major, minor, max_readahead, flags, flags2
constexpr size_t kInFlags2At = kInHeaderBytes + 16;
constexpr size_t kOutFlagsAt = 12;  // struct fuse_init_out: major, minor, max_readahead, flags, ...
constexpr size_t kOutFlags2At = 32;
constexpr uint32_t kInitExt = 1u << 30;
constexpr uint32_t kAllowMmap2 = 1u << (36 - 32);  // FUSE_DIRECT_IO_ALLOW_MMAP

// Of the INIT that was read last: its unique id, if the kernel offers what is wanted. INIT is the first request of a
// session and answered before any other is read.
std::atomic<uint64_t> offered{0};

template <typename T>
T field(const void* bytes, size_t at) {
  T value;
  std::memcpy(&value, static_cast<const char*>(bytes) + at, sizeof(value));
  return value;
}

ssize_t read_request(int device, void* buffer, size_t size, void*) {
  const ssize_t got = ::read(device, buffer, size);
  if (got > static_cast<ssize_t>(kInFlags2At) && field<uint32_t>(buffer, 4) == kInit) {
    const bool can = (field<uint32_t>(buffer, kInFlagsAt) & kInitExt) != 0 &&
                     (field<uint32_t>(buffer, kInFlags2At) & kAllowMmap2) != 0;
    offered = can ? field<uint64_t>(buffer, 8) : 0;
  }
  return got;
}

ssize_t write_answer(int device, struct iovec* pieces, int count, void*) {
  const uint64_t init = offered.load(std::memory_order_relaxed);
  if (init != 0 && count == 2 && pieces[0].iov_len == kOutHeaderBytes && pieces[1].iov_len == kInitOutBytes &&
      field<uint64_t>(pieces[0].iov_base, 8) == init) {
    offered = 0;
    char answer[kInitOutBytes];
    std::memcpy(answer, pieces[1].iov_base, sizeof(answer));
    const uint32_t flags = field<uint32_t>(answer, kOutFlagsAt) | kInitExt;
    const uint32_t flags2 = field<uint32_t>(answer, kOutFlags2At) | kAllowMmap2;
    std::memcpy(answer + kOutFlagsAt, &flags, sizeof(flags));
    std::memcpy(answer + kOutFlags2At, &flags2, sizeof(flags2));
    const iovec completed[] = {pieces[0], {answer, sizeof(answer)}};
    return ::writev(device, completed, 2);
  }
  return ::writev(device, pieces, count);
}

}  // namespace

bool complete_init(fuse_session* session) {
  static const fuse_custom_io kLink = {
      .writev = write_answer, .read = read_request, .splice_receive = nullptr, .splice_send = nullptr};
  return fuse_session_custom_io(session, &kLink, fuse_session_fd(session)) == 0;
}

}  // namespace cairn

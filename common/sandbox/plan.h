// What goes between the caller's process and the launcher, which are built together and lie on one machine.
//
//   plan     memfd, descriptor 4    Plan | strings, each with its NUL | seccomp filter | the shipped program
//   control  socket, descriptor 3   <-- one Verdict, then the end;  --> any byte, or the end: kill the program
//
// The launcher links nothing but the C library, so these are plain structs without pointers.
#pragma once

#include <cstdint>

namespace cairn::sandbox {

inline constexpr int kControlFd = 3, kPlanFd = 4;
inline constexpr uint32_t kPlanMagic = 0x31424e53;  // "SNB1": raised with every change of this file

// What holds a program in. Tests take single ones away, to see that each is needed; nothing else does.
enum Layer : uint32_t {
  kLayerUser = 1u << 0,           // namespace of users: a uid that no account has, capabilities that mean nothing
  kLayerMounts = 1u << 1,         // namespace of mounts with a root of its own
  kLayerPids = 1u << 2,           // namespace of processes
  kLayerNetwork = 1u << 3,        // namespace of networks
  kLayerIpc = 1u << 4,            // namespaces of System V objects, host name and cgroups
  kLayerSeccomp = 1u << 5,        // system calls
  kLayerLandlock = 1u << 6,       // files, sockets and signals, besides the namespaces
  kLayerRlimits = 1u << 7,        // bounds by the kernel, for each process
  kLayerWatch = 1u << 8,          // bounds of all together, by the supervisor
  kLayerDescriptors = 1u << 9,    // what the caller has open is closed
  kLayerNoNewPrivs = 1u << 10,    // setuid and file capabilities are ignored
  kLayerCapabilities = 1u << 11,  // all are dropped
  kLayerAll = (1u << 12) - 1,
};

struct Plan {
  uint32_t magic = kPlanMagic;
  uint32_t layers = kLayerAll;
  uint32_t bubblewrap = 0;  // 1: it makes the namespaces
  uint32_t probe = 0;       // 1: no program; only whether everything can be set up
  int64_t wall_ns = 0, cpu_ns = 0;
  uint64_t memory_bytes = 0, scratch_bytes = 0;
  uint32_t processes = 0, descriptors = 0;
  uint32_t words = 0, variables = 0, readonly_paths = 0,
           unused = 0;                       // strings, in this order; then cgroup, launcher, bubblewrap
  uint64_t filter_at = 0, filter_bytes = 0;  // of struct sock_filter
  uint64_t program_at = 0, program_bytes = 0;
};

struct Verdict {
  uint32_t hit = 0;    // sandbox.h's Hit
  int32_t error = 0;   // an errno: the program did not start; step says where
  int32_t status = 0;  // as of waitpid()
  uint32_t landlock_abi = 0;
  uint8_t proc = 0, scratch_was_full = 0, had_all_processes = 0, lost = 0;  // lost: init was killed by somebody else
  uint32_t unused = 0;
  uint64_t cpu_ns = 0, peak_memory_bytes = 0;
  char step[128] = {};
};

}  // namespace cairn::sandbox

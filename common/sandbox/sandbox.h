// Runs a program that nobody vouches for: standard input to standard output, and nothing else in its reach.
//
//   caller's process                        cairn-sandbox (launcher/)            namespaces of its own
//   Sandbox --start--> Run ---posix_spawn--> supervisor ---clone3---> init (pid 1) ---> the program
//                       | feed() ---------------------- stdin -------------------------->|
//                       | output <--------------------- stdout, stderr ------------------|
//                       | cancel() ---control---> kills init, and with it all            seccomp, Landlock, rlimits
//                       '-- finish() <--verdict-- time, memory, cpu: watched
//
// The caller may be large and have many threads: it is never forked, the launcher is a small static program. If the
// caller dies the control socket closes and the supervisor ends the program; if the supervisor dies the kernel ends
// init, and with init its namespace. Threats, layers, and the test that holds each: docs/sandbox.md.
// Not here: what the program's output means (common/tasks).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace cairn::sandbox {

inline constexpr size_t kMaxProgramBytes = 64u << 20;  // of a program that is shipped
inline constexpr size_t kMaxWords = 4096;              // of argv, and of the environment
inline constexpr size_t kMaxWordBytes = 128u << 10;    // of one of them, as of Linux
inline constexpr size_t kMaxPlanBytes = 1u << 20;      // of all of them
inline constexpr size_t kErrorTailBytes = 64u << 10;   // what is kept of standard error
inline constexpr const char* kProgramPath = "/job/program";
inline constexpr const char* kScratchPath = "/scratch";

struct Limits {
  Duration wall = std::chrono::minutes(10);
  Duration cpu = std::chrono::minutes(10);  // of all its processes together
  uint64_t memory_bytes = 512u << 20;       // of all its processes together, without the scratch space
  uint64_t output_bytes = 256u << 20;       // of standard output
  uint64_t scratch_bytes = 64u << 20;       // of /scratch; memory too
  uint32_t processes = 32;                  // and threads
  uint32_t descriptors = 256;               // of each process
};

struct SandboxSpec {
  std::vector<std::string> argv;                   // argv[0]: a path inside, or a name in /usr/local/bin or /usr/bin
  std::map<std::string, std::string> environment;  // besides PATH, HOME, TMPDIR and LANG; nothing is inherited
  std::string program;                             // bytes that are there as kProgramPath, executable; may be empty
  Limits limits;
};
// invalid: what no sandbox is started with, for specs from outside. Sizes, NUL bytes, names with "=", bounds of limits.
Status check_spec(const SandboxSpec& spec);

struct Verdict;  // plan.h

// What ended the program before its time.
enum class Hit : uint32_t { none, wall, cpu, memory, output, scratch, cancelled };

struct Outcome {
  int exit_code = 0;  // 0 .. 255, unless a signal ended it
  int signal = 0;     // 0: none
  Hit hit = Hit::none;
  bool scratch_was_full = false, had_all_processes = false;  // may be why it failed
  std::string error_tail;                                    // the last kErrorTailBytes of standard error
  uint64_t output_bytes = 0;
  uint64_t peak_memory_bytes = 0;  // as it was sampled
  Duration cpu{}, wall{};
  Limits limits;  // what it ran under, for message()

  bool ok() const { return hit == Hit::none && signal == 0 && exit_code == 0; }
  // "exit code 2", "ended by signal 11 (Segmentation fault)", "more than 512M of memory: ..."; without error_tail.
  std::string message() const;
};

// What this kernel, and whoever set it up, gives to this process.
struct Abilities {
  enum class Way : uint32_t { none, own, own_without_user_namespace, bubblewrap } way = Way::none;
  int landlock_abi = 0;  // 0: none; the mount namespace stands alone
  bool proc = false;     // /proc of the program's own namespace can be mounted
  std::string cgroup;    // the cgroup v2 in which runs are bounded; empty: rlimits and samples do it
  std::string refusal;   // way is none: why, and what to set

  std::string text() const;  // some lines for people
};

struct SandboxOptions {
  std::string launcher = {};                     // cairn-sandbox; empty: beside this program
  std::vector<std::string> readonly_paths = {};  // directories that programs see besides /usr, as /opt; not below /tmp
  std::string bubblewrap = "/usr/bin/bwrap";     // for ordinary users without user namespaces, if it is setuid root
  std::string cgroup = {};  // a cgroup v2 that is ours, with memory and pids in its cgroup.subtree_control
};

// Takes the bytes of standard output in order; an error ends the program and is what feed() or finish() answers.
using OutputSink = std::function<Status(std::string_view)>;

// One program, from its start to its end. One thread calls feed() and finish(); any thread may cancel().
class Run {
 public:
  Run(const Run&) = delete;
  ~Run();  // ends the program if it has not ended, and waits until nothing of it is left

  // Gives it the bytes, and hands on what it writes meanwhile. Bytes that it does not want any more are dropped, as by
  // `head`. Errors are the sink's and the machine's; how the program fares is told by finish().
  Status feed(std::string_view bytes);
  // Ends its input and waits for its end. Once. Errors: as feed(); and not_found or io if it could not be started.
  Result<Outcome> finish();
  // The program is killed; finish() then says Hit::cancelled.
  void cancel();

 private:
  friend class Sandbox;
  struct Pipes;
  explicit Run(std::unique_ptr<Pipes> pipes);
  Result<Verdict> end();  // what the launcher says
  std::unique_ptr<Pipes> pipes_;
};

// Immutable once it is opened: any thread may start runs of it.
class Sandbox {
 public:
  // Tries what this kernel gives, with an empty program: some milliseconds. not_supported: it gives too little; the
  // message says which setting forbids it.
  static Result<std::unique_ptr<Sandbox>> open(SandboxOptions options);
  // invalid: check_spec. io: no descriptors, no memory. That the program cannot be executed is told by Run::finish().
  Result<std::unique_ptr<Run>> start(const SandboxSpec& spec, OutputSink output) const;
  const Abilities& abilities() const { return abilities_; }

 private:
  friend struct SandboxForTests;
  Sandbox() = default;
  Result<std::unique_ptr<Run>> launch(const SandboxSpec& spec, OutputSink output, bool probe) const;
  Status try_ways();

  SandboxOptions options_;
  std::string filter_;   // seccomp_filter()
  uint32_t layers_ = 0;  // plan.h
  bool bubblewrap_ = false;
  Abilities abilities_;
};

}  // namespace cairn::sandbox

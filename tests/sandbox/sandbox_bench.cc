// How long a program takes to start: from start() to its first byte of output, and to the verdict; and the same
// program without a sandbox, by posix_spawn, which is what the kernel and the program take by themselves.
//
//   build/release/bin/sandbox_bench [runs]
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "common/base/clock.h"
#include "common/sandbox/sandbox.h"

namespace cairn::sandbox {
namespace {

struct Times {
  std::vector<double> first_byte_ms, end_ms;
};

Status measure(const Sandbox& sandbox, const SandboxSpec& spec, Times& times) {
  const Instant began = real_clock().now();
  const auto since_ms = [&] { return static_cast<double>((real_clock().now() - began).count()) / 1e6; };
  double first = 0;
  ASSIGN(const std::unique_ptr<Run> run, sandbox.start(spec, [&](std::string_view) {
    if (first == 0) first = since_ms();
    return Status();
  }));
  ASSIGN(const Outcome outcome, run->finish());
  if (!outcome.ok()) return {Errc::io, outcome.message()};
  times.first_byte_ms.push_back(first);
  times.end_ms.push_back(since_ms());
  return {};
}

// Without a sandbox.
Status measure_plain(const std::vector<std::string>& argv, Times& times) {
  int out[2];
  if (::pipe2(out, O_CLOEXEC) != 0) return {Errc::io, "pipe"};
  const UniqueFd ours(out[0]);
  UniqueFd theirs(out[1]);
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 1);
  const Instant began = real_clock().now();
  const auto since_ms = [&] { return static_cast<double>((real_clock().now() - began).count()) / 1e6; };
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, words[0], &actions, nullptr, words.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return {Errc::io, "posix_spawn"};
  theirs = UniqueFd();
  char byte;
  if (::read(ours.get(), &byte, 1) != 1) return {Errc::io, "no output"};
  times.first_byte_ms.push_back(since_ms());
  ::waitpid(pid, nullptr, 0);
  times.end_ms.push_back(since_ms());
  return {};
}

void print(const char* name, std::vector<double>& values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) { return values[static_cast<size_t>(share * double(values.size() - 1))]; };
  fmt::print("  {:<18} median {:6.2f} ms   p99 {:6.2f} ms   most {:6.2f} ms\n", name, at(0.5), at(0.99), at(1));
}

Status run(int runs) {
  ASSIGN(const std::unique_ptr<Sandbox> sandbox, Sandbox::open({}));
  fmt::print("{}", sandbox->abilities().text());
  const std::vector<std::vector<std::string>> programs = {
      {"/usr/bin/echo"}, {"/usr/bin/awk", "BEGIN { print 1 }"}, {"/usr/bin/python3", "-S", "-c", "print(1)"}};
  for (const std::vector<std::string>& argv : programs) {
    SandboxSpec spec;
    spec.argv = argv;
    Times times, plain;
    for (int i = 0; i < runs; ++i) {
      TRY(measure_plain(argv, plain));
      TRY(measure(*sandbox, spec, times));
    }
    fmt::print("{}, {} runs\n", argv[0], runs);
    print("plain: first byte", plain.first_byte_ms);
    print("plain: end", plain.end_ms);
    print("first byte", times.first_byte_ms);
    print("end", times.end_ms);
    const auto middle = [](const std::vector<double>& sorted) { return sorted[sorted.size() / 2]; };
    fmt::print("  the sandbox adds   median {:6.2f} ms\n", middle(times.first_byte_ms) - middle(plain.first_byte_ms));
  }
  return {};
}

}  // namespace
}  // namespace cairn::sandbox

int main(int argc, char** argv) {
  const cairn::Status done = cairn::sandbox::run(argc > 1 ? std::atoi(argv[1]) : 200);
  if (!done.ok()) fmt::print(stderr, "{}\n", done.error().what);
  return done.ok() ? 0 : 1;
}

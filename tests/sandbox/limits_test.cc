// Each bound of a run, and that its message says which it was. The probes are bounded by themselves as well.
#include <gmock/gmock.h>
#include <signal.h>

#include "tests/sandbox/support.h"

namespace cairn::sandbox {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class LimitsTest : public testing::Test {
 protected:
  void SetUp() override {
    sandbox_ = open_sandbox();
    ASSERT_NE(sandbox_, nullptr);
  }
  Ran run(std::vector<std::string> words, const Limits& limits) {
    SandboxSpec spec = probe_spec(std::move(words));
    spec.limits = limits;
    return run_here(*sandbox_, spec);
  }
  void take_away(uint32_t layers) { SandboxForTests::take_away(*sandbox_, layers); }
  std::unique_ptr<Sandbox> sandbox_;
  const Limits small_ = {.wall = 20s, .cpu = 20s, .memory_bytes = 64u << 20, .scratch_bytes = 4u << 20, .processes = 8};
};

TEST_F(LimitsTest, WallTime) {
  Limits limits = small_;
  limits.wall = 200ms;
  const Ran ran = run({"wait"}, limits);
  EXPECT_EQ(ran.outcome.hit, Hit::wall) << ran.text();
  EXPECT_THAT(ran.outcome.message(), HasSubstr("200ms of wall time"));
  EXPECT_GE(ran.outcome.wall, 200ms);
}

// Held by: the supervisor's samples, for all processes together; without these by RLIMIT_CPU, for each.
TEST_F(LimitsTest, CpuTime) {
  Limits limits = small_;
  limits.cpu = 300ms;
  EXPECT_EQ(run({"spin", "5"}, limits).outcome.hit, Hit::cpu);
  const Ran children = run({"spin-children", "5", "4"}, limits);
  EXPECT_EQ(children.outcome.hit, Hit::cpu) << children.text();
  EXPECT_THAT(children.outcome.message(), HasSubstr("300ms of cpu time"));
  take_away(kLayerWatch);
  const Ran alone = run({"spin", "8"}, limits);  // the rlimit is in seconds: 2
  EXPECT_EQ(alone.outcome.hit, Hit::cpu) << alone.text();
  take_away(kLayerRlimits);
  EXPECT_EQ(run({"spin", "1"}, limits).output, "escaped\n");
}

// Held by: the samples, exactly; without these by RLIMIT_DATA and RLIMIT_AS, for each process and with room.
TEST_F(LimitsTest, Memory) {
  const Ran ran = run({"memory", "300"}, small_);
  EXPECT_EQ(ran.outcome.hit, Hit::memory) << ran.text();
  EXPECT_THAT(ran.outcome.message(), HasSubstr("64M of memory"));
  EXPECT_EQ(run({"named-memory", "300"}, small_).outcome.hit, Hit::memory) << "a process may call itself RssAnon:";
  EXPECT_THAT(run({"shared-memory", "300"}, small_).output, HasSubstr("held: mmap")) << "it cannot be counted";
  EXPECT_EQ(run({"memory", "40"}, small_).output, "escaped\n") << "below the bound";
  take_away(kLayerWatch);
  EXPECT_THAT(run({"memory", "600"}, small_).output, HasSubstr("held: mmap"));
  take_away(kLayerRlimits);
  EXPECT_EQ(run({"memory", "600"}, small_).output, "escaped\n");
}
// Held by: the samples sum up all processes.
TEST_F(LimitsTest, MemoryOfSeveralProcesses) {
  const Ran ran = run({"memory-children", "30", "5"}, small_);
  EXPECT_EQ(ran.outcome.hit, Hit::memory) << ran.text();
}
// Pages that are shared count once: 8 children of a parent with 30 MiB are no 270 MiB.
TEST_F(LimitsTest, SharedPagesCountOnce) {
  SandboxSpec spec;
  spec.argv = {"python3", "-S", "-c",
               "import os, time\nblock = bytearray(b'x') * (30 << 20)\n"
               "children = [os.fork() for _ in range(1)]\n"
               "for i in range(3):\n  if children[0]: children.append(os.fork())\n  if not children[-1]: break\n"
               "if 0 in children: time.sleep(0.3); os._exit(0)\n"
               "for child in children: os.waitpid(child, 0)\nprint('done')\n"};
  spec.limits = small_;
  const Ran ran = run_here(*sandbox_, spec);
  EXPECT_EQ(ran.output, "done\n") << ran.text();
}

// Held by: RLIMIT_NPROC, which in a user namespace counts the sandbox alone. The probe stops at 40 by itself.
TEST_F(LimitsTest, ForkBomb) {
  const Ran ran = run({"fork", "40"}, small_);
  EXPECT_THAT(ran.output, HasSubstr("7\nheld: fork")) << ran.text();
  take_away(kLayerRlimits);
  EXPECT_EQ(run({"fork", "40"}, small_).output, "40\nescaped\n");
}
TEST_F(LimitsTest, AllProcessesAreNamedInTheMessage) {
  const Ran ran = run_here(*sandbox_, [&] {
    SandboxSpec spec;
    spec.argv = {"python3", "-S", "-c",
                 "import os, time\ntry:\n  while os.fork(): pass\nexcept OSError: time.sleep(0.3); os._exit(1)\n"
                 "time.sleep(10)"};
    spec.limits = small_;
    return spec;
  }());
  EXPECT_FALSE(ran.outcome.ok());
  EXPECT_THAT(ran.outcome.message(), HasSubstr("as many processes as it may have, 8")) << ran.text();
}

// More than the bound is an error, and what was handed on is at most the bound: nobody takes a part for the whole.
TEST_F(LimitsTest, Output) {
  Limits limits = small_;
  limits.output_bytes = 1u << 20;
  const Ran ran = run({"flood", "64"}, limits);
  EXPECT_EQ(ran.outcome.hit, Hit::output);
  EXPECT_LE(ran.output.size(), limits.output_bytes);
  EXPECT_THAT(ran.outcome.message(), HasSubstr("1M of output"));
  EXPECT_TRUE(run({"flood", "1"}, limits).outcome.ok()) << "exactly the bound";
}
TEST_F(LimitsTest, AFloodOfErrorsFillsNothing) {
  const Ran ran = run({"flood-errors", "64"}, small_);
  EXPECT_TRUE(ran.outcome.ok()) << ran.outcome.message();
  EXPECT_EQ(ran.outcome.error_tail.size(), kErrorTailBytes);
}

// Held by: the size of the tmpfs, in bytes and in files.
TEST_F(LimitsTest, Scratch) {
  const Ran full = run_here(*sandbox_, [&] {
    SandboxSpec spec = shell_spec("head -c 3000000 /dev/zero > a; head -c 3000000 /dev/zero > b");
    spec.limits = small_;
    return spec;
  }());
  EXPECT_EQ(full.outcome.exit_code, 1) << full.text();
  EXPECT_THAT(full.outcome.message(), HasSubstr("scratch space of 4M was full"));
  EXPECT_THAT(run({"fill", "/scratch/file", "16"}, small_).output, HasSubstr("held: write"));
  EXPECT_THAT(run({"files", "100000"}, small_).output, HasSubstr("held: open"));
  take_away(kLayerRlimits);
  EXPECT_THAT(run({"fill", "/scratch/file", "16"}, small_).output, HasSubstr("held: write: No space left"));
}
TEST_F(LimitsTest, AFileLargerThanScratchEndsTheProgram) {
  SandboxSpec spec = shell_spec("exec head -c 9000000 /dev/zero > a");
  spec.limits = small_;
  const Ran ran = run_here(*sandbox_, spec);
  EXPECT_TRUE(ran.outcome.hit == Hit::scratch || ran.outcome.scratch_was_full) << ran.text();
  EXPECT_FALSE(ran.outcome.ok());
}

// Held by: RLIMIT_NOFILE.
TEST_F(LimitsTest, Descriptors) {
  Limits limits = small_;
  limits.descriptors = 16;
  EXPECT_THAT(run({"open", "100"}, limits).output, HasSubstr("held: dup"));
  take_away(kLayerRlimits);
  EXPECT_EQ(run({"open", "100"}, limits).output, "escaped\n");
}

TEST(SpecTest, WhatNoSandboxIsStartedWithIsRefused) {
  const auto refusal = [](auto change) {
    SandboxSpec spec;
    spec.argv = {"true"};
    change(spec);
    const Status status = check_spec(spec);
    return status.ok() ? std::string() : status.error().what;
  };
  EXPECT_EQ(refusal([](SandboxSpec&) {}), "");
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.argv = {}; }), HasSubstr("no program"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.argv = {""}; }), HasSubstr("no program"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.argv.push_back(std::string("a\0b", 3)); }), HasSubstr("NUL"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.argv.emplace_back(kMaxWordBytes, 'x'); }), HasSubstr("131072"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.argv.assign(kMaxWords + 1, "x"); }), HasSubstr("4096"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.argv.assign(20, std::string(100'000, 'x')); }),
              HasSubstr("1048576"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.environment["a=b"] = ""; }), HasSubstr("environment variable"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.environment[""] = ""; }), HasSubstr("environment variable"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.environment["a"] = std::string(1, '\0'); }), HasSubstr("NUL"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.program.assign(kMaxProgramBytes + 1, 'x'); }),
              HasSubstr("program of"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.limits.wall = 0ns; }), HasSubstr("wall time"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.limits.wall = -1s; }), HasSubstr("wall time"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.limits.cpu = Duration::max(); }), HasSubstr("cpu time"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.limits.memory_bytes = 1; }), HasSubstr("memory"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.limits.memory_bytes = UINT64_MAX; }), HasSubstr("memory"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.limits.output_bytes = UINT64_MAX; }), HasSubstr("output"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.limits.scratch_bytes = 0; }), HasSubstr("scratch"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.limits.processes = 0; }), HasSubstr("processes"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.limits.processes = 257; }), HasSubstr("processes"));
  EXPECT_THAT(refusal([](SandboxSpec& spec) { spec.limits.descriptors = 3; }), HasSubstr("descriptors"));
}

}  // namespace
}  // namespace cairn::sandbox

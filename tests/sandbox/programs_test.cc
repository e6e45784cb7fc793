// What a program that means no harm finds: its input, its output, the languages of the host, a place to write.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "common/base/thread.h"
#include "tests/sandbox/support.h"

namespace cairn::sandbox {
namespace {

using testing::HasSubstr;

class ProgramsTest : public testing::Test {
 protected:
  void SetUp() override {
    sandbox_ = open_sandbox();
    ASSERT_NE(sandbox_, nullptr);
  }
  std::string output_of(SandboxSpec spec, std::string_view input = {}) {
    const Ran ran = run_here(*sandbox_, spec, input);
    EXPECT_TRUE(ran.outcome.ok()) << ran.text();
    return ran.output;
  }
  std::unique_ptr<Sandbox> sandbox_;
};

// Whoever opened the pipes.
TEST_F(ProgramsTest, ItsStandardStreamsCanBeOpenedByName) {
  if (!sandbox_->abilities().proc) GTEST_SKIP() << "no /proc, in which /dev/stdin leads";
  EXPECT_EQ(output_of(shell_spec("cat /dev/stdin > /dev/stdout; echo warning > /dev/stderr; echo done"), "text\n"),
            "text\ndone\n");
}

TEST_F(ProgramsTest, TheHostsProgramsRun) {
  std::printf("%s", sandbox_->abilities().text().c_str());
  SandboxSpec awk;
  awk.argv = {"awk", "{ sum += $2 } END { print NR, sum }"};
  EXPECT_EQ(output_of(awk, "a 1\nb 2\nc 39\n"), "3 42\n");
  SandboxSpec sort;
  sort.argv = {"sort", "-n"};
  EXPECT_EQ(output_of(sort, "10\n9\n1\n"), "1\n9\n10\n");
  SandboxSpec python;
  python.argv = {"python3", "-c",
                 "import sys, json, subprocess\nprint(len(sys.stdin.read()))\n"
                 "print(subprocess.run(['/usr/bin/tr', 'a', 'b'], input=b'banana', capture_output=True).stdout)"};
  EXPECT_EQ(output_of(python, "hello"), "5\nb'bbnbnb'\n");
}

TEST_F(ProgramsTest, AShippedScriptRuns) {
  SandboxSpec spec;
  spec.argv = {kProgramPath, "x y", ""};
  spec.program =
      "#!/usr/bin/python3\nimport sys\nprint(sys.argv)\nopen('/scratch/file', 'w').write('kept')\n"
      "print(open('/tmp/file').read())\n";
  EXPECT_EQ(output_of(spec), "['/job/program', 'x y', '']\nkept\n");
}

TEST_F(ProgramsTest, MuchGoesThroughBothWaysAtOnce) {
  std::string input;
  for (int i = 0; i < 2'000'000; ++i) input += static_cast<char>('a' + i * 7 % 26);
  SandboxSpec spec;
  spec.argv = {"cat"};
  EXPECT_EQ(output_of(spec, input), input);
}

TEST_F(ProgramsTest, InputThatNobodyWantsIsDropped) {
  SandboxSpec spec;
  spec.argv = {"head", "-n", "1"};
  EXPECT_EQ(output_of(spec, "first\n" + std::string(4'000'000, 'x')), "first\n");
}

TEST_F(ProgramsTest, InputThatIsClosedByAProgramThatGoesOnIsDroppedAtOnce) {
  // Fails if init keeps the pipe open: then the input would wait for the program's end.
  EXPECT_EQ(output_of(shell_spec("exec <&-; head -c 1000000 /dev/zero | wc -c"), std::string(4'000'000, 'x')),
            "1000000\n");
}

TEST_F(ProgramsTest, NothingOfTheCallersEnvironmentIsThere) {
  // Fails if the launcher hands its environment on.
  ::setenv("CAIRN_TEST_SECRET", "much", 1);
  SandboxSpec spec;
  spec.argv = {"env"};
  spec.environment = {{"GIVEN", "1"}, {"LANG", "C"}};
  EXPECT_EQ(output_of(spec), "GIVEN=1\nHOME=/scratch\nLANG=C\nPATH=/usr/local/bin:/usr/bin:/bin\nTMPDIR=/scratch\n");
  ::unsetenv("CAIRN_TEST_SECRET");
}

TEST_F(ProgramsTest, ExitCodesSignalsAndErrorsAreTold) {
  const Ran failed = run_here(*sandbox_, shell_spec("echo why >&2; exit 3"));
  EXPECT_EQ(failed.outcome.exit_code, 3);
  EXPECT_EQ(failed.outcome.message(), "exit code 3");
  EXPECT_EQ(failed.outcome.error_tail, "why\n");
  const Ran killed = run_here(*sandbox_, shell_spec("kill -SEGV $$"));
  EXPECT_EQ(killed.outcome.signal, SIGSEGV);
  EXPECT_THAT(killed.outcome.message(), HasSubstr("signal 11"));
}

TEST_F(ProgramsTest, WhatCannotBeExecutedIsAnErrorOfTheMachine) {
  SandboxSpec spec;
  spec.argv = {"no-such-program"};
  const Result<Ran> missing = run_spec(*sandbox_, spec);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.code(), Errc::not_found);
  EXPECT_THAT(missing.error().what, HasSubstr("no-such-program"));
  spec.argv = {kProgramPath};
  spec.program = "no interpreter is named";
  const Result<Ran> script = run_spec(*sandbox_, spec);
  ASSERT_FALSE(script.ok());
  EXPECT_THAT(script.error().what, HasSubstr("#!"));
}

TEST_F(ProgramsTest, OfStandardErrorTheLast64KiBAreKept) {
  const Ran ran = run_here(*sandbox_, shell_spec("seq 1 200000 >&2; exit 1"));
  EXPECT_EQ(ran.outcome.error_tail.size(), kErrorTailBytes);
  EXPECT_THAT(ran.outcome.error_tail, testing::EndsWith("199999\n200000\n"));
}

TEST_F(ProgramsTest, AnErrorOfTheSinkEndsTheProgram) {
  SandboxSpec spec = shell_spec("while :; do echo line; done");
  const Result<std::unique_ptr<sandbox::Run>> run =
      sandbox_->start(spec, [](std::string_view) { return Status(Errc::no_space, "the sink is full"); });
  ASSERT_TRUE(run.ok());
  const Result<Outcome> outcome = (*run)->finish();
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().what, "the sink is full");
}

TEST_F(ProgramsTest, ManyRunAtOnce) {
  std::vector<Thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back("run", [&, i] {
      for (int turn = 0; turn < 5; ++turn) {
        SandboxSpec spec;
        spec.argv = {"sed", "s/x/" + std::to_string(i) + "/"};
        const Result<Ran> ran = run_spec(*sandbox_, spec, "x\n");
        if (ran.ok() && ran->outcome.ok() && ran->output == std::to_string(i) + "\n") ++good;
      }
    });
  }
  for (Thread& thread : threads) thread.join();
  EXPECT_EQ(good, 40);
}

TEST_F(ProgramsTest, AChildThatIsLeftBehindEndsWithTheProgram) {
  // Fails without the namespace of processes: the child would keep standard output open, and finish() would wait.
  EXPECT_EQ(output_of(shell_spec("(while :; do read line < /dev/zero; done) & echo done")), "done\n");
}

TEST_F(ProgramsTest, NothingIsLeftOpenMountedOrUnreaped) {
  const auto descriptors = [] {
    const std::filesystem::directory_iterator folder("/proc/self/fd");
    return std::distance(begin(folder), end(folder));
  };
  const auto before = descriptors();
  const std::string mounts = read_file("/proc/self/mountinfo");
  for (int i = 0; i < 3; ++i) output_of(shell_spec("true"));
  for (int i = 0; i < 3; ++i) {
    // Dropped while it runs.
    const Result<std::unique_ptr<sandbox::Run>> run =
        sandbox_->start(shell_spec("cat"), [](std::string_view) { return Status(); });
    ASSERT_TRUE(run.ok());
  }
  EXPECT_EQ(descriptors(), before);
  EXPECT_EQ(read_file("/proc/self/mountinfo"), mounts);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

}  // namespace
}  // namespace cairn::sandbox

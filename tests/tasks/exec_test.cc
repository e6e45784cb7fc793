// exec over a runner that is a function: order, borders, errors, and what travels. With real programs:
// tools/task_try.py.
#include <gmock/gmock.h>

#include <functional>

#include "common/base/thread.h"
#include "common/tasks/program_runner.h"
#include "common/tasks/registry.h"
#include "tests/tasks/cuts.h"

namespace cairn::tasks {
namespace {

using testing::HasSubstr;

// Instead of a program: a function of its whole input, and of the order.
class FunctionRunner final : public ProgramRunner {
 public:
  using Body = std::function<Result<std::string>(const ProgramOrder&, const std::string&)>;
  explicit FunctionRunner(Body body) : body_(std::move(body)) {}
  Result<std::unique_ptr<ProgramRun>> start(const ProgramOrder& order) override {
    return {std::make_unique<FunctionRun>(body_, order)};
  }

 private:
  class FunctionRun final : public ProgramRun {
   public:
    FunctionRun(const Body& body, ProgramOrder order) : body_(body), order_(std::move(order)) {}
    Status feed(std::string_view input) override {
      input_ += input;
      return {};
    }
    Result<std::string> finish() override { return body_(order_, input_); }
    void cancel() override {}

   private:
    const Body& body_;
    const ProgramOrder order_;
    std::string input_;
  };
  const Body body_;
};

// "<split's input>" for the command; the merge command is named "merge" and puts brackets around.
Result<std::string> show(const ProgramOrder& order, const std::string& input) {
  if (order.command == "merge") return "[" + input + "]";
  return order.environment.at("CAIRN_FILE") + "@" + order.environment.at("CAIRN_BEGIN") + "<" + input + ">";
}

const std::string kFirst = "one\ntwo\nthree", kSecond = "four\n";

std::unique_ptr<Operator> make(Arguments arguments, ProgramRunner* runner) {
  arguments.try_emplace("command", "show");
  Result<std::unique_ptr<Operator>> op = make_operator(
      {"exec", std::move(arguments), {{"a", kFirst.size(), {}}, {"b", kSecond.size(), {}}, {"c", 0, {}}}});
  EXPECT_TRUE(op.ok()) << op.error().what;
  if (runner != nullptr) (*op)->use_programs(*runner);
  return *std::move(op);
}

Status map(Partial& partial, const Split& split, size_t piece_bytes = 2) {
  return map_text(partial, split, split.file == 0 ? kFirst : kSecond, piece_bytes);
}

TEST(ExecTest, WhatIsWrittenStandsInTheOrderOfFilesAndOffsets) {
  FunctionRunner runner(show);
  const std::unique_ptr<Operator> op = make({}, &runner);
  EXPECT_TRUE(op->needs().whole_lines);
  const std::unique_ptr<Partial> left = op->empty(), right = op->empty();
  ASSERT_TRUE(map(*left, {1, 0, 5}).ok());
  ASSERT_TRUE(map(*left, {0, 8, 13}).ok());
  ASSERT_TRUE(map(*right, {0, 4, 8}).ok());
  ASSERT_TRUE(map(*right, {0, 0, 4}).ok());
  // As a worker's answer travels.
  Result<std::unique_ptr<Partial>> decoded = decode_partial(*op, encode_partial(*op, *right));
  ASSERT_TRUE(decoded.ok());
  ASSERT_TRUE(left->merge(**decoded).ok());
  const Result<Table> table = left->finish();
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(to_csv(*table), "a@0<one\n>a@4<two\n>a@8<three>b@0<four\n>");
  EXPECT_THAT(to_json_lines(*table), HasSubstr("{\"output\":\"a@0<one\\n>"));
}

TEST(ExecTest, ASecondProgramGetsAllOfIt) {
  FunctionRunner runner(show);
  const std::unique_ptr<Operator> op = make({{"merge", "merge"}}, &runner);
  const std::unique_ptr<Partial> partial = op->empty();
  ASSERT_TRUE(map(*partial, {0, 0, 13}).ok());
  ASSERT_TRUE(map(*partial, {1, 0, 5}).ok());
  EXPECT_EQ(to_csv(*partial->finish()), "[a@0<one\ntwo\nthree>b@0<four\n>]");
}

TEST(ExecTest, AProgramThatFailsIsToldWithFileAndOffset) {
  FunctionRunner runner([](const ProgramOrder&, const std::string& input) -> Result<std::string> {
    if (input == "two\n") return {Errc::invalid, "exit code 3; it said: why"};
    return input;
  });
  const std::unique_ptr<Operator> op = make({}, &runner);
  const std::unique_ptr<Partial> partial = op->empty();
  EXPECT_TRUE(map(*partial, {0, 0, 4}).ok());
  const Status failed = map(*partial, {0, 4, 8});
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().what, "a: offset 4 .. 8: exit code 3; it said: why");
}

TEST(ExecTest, ASplitThatEndsWithinALineIsRefused) {
  FunctionRunner runner(show);
  const std::unique_ptr<Operator> op = make({}, &runner);
  const Status refused = map(*op->empty(), {0, 0, 6});
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().what, HasSubstr("within a line"));
}

TEST(ExecTest, ARangeThatIsMissingOrMappedTwiceIsNoticed) {
  FunctionRunner runner(show);
  const std::unique_ptr<Operator> op = make({}, &runner);
  const std::unique_ptr<Partial> partial = op->empty();
  ASSERT_TRUE(map(*partial, {0, 0, 4}).ok());
  EXPECT_FALSE(map(*partial, {0, 0, 4}).ok());
  EXPECT_FALSE(partial->finish().ok());
}

TEST(ExecTest, WhereNothingRunsProgramsItIsAnError) {
  const std::unique_ptr<Operator> op = make({}, nullptr);
  const Status refused = map(*op->empty(), {0, 0, 4});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Errc::not_supported);
}

TEST(ExecTest, BadArgumentsAreRefused) {
  const auto refusal = [](Arguments arguments) {
    const auto op = make_operator({"exec", std::move(arguments), {{"a", 1, {}}}});
    return op.ok() ? std::string() : op.error().what;
  };
  EXPECT_THAT(refusal({}), HasSubstr("--command"));
  EXPECT_THAT(refusal({{"command", ""}}), HasSubstr("empty"));
  EXPECT_THAT(refusal({{"command", std::string("a\0b", 3)}}), HasSubstr("NUL"));
  EXPECT_THAT(refusal({{"command", "x"}, {"memory", "1"}}), HasSubstr("--memory"));
  EXPECT_THAT(refusal({{"command", "x"}, {"time", "8d"}}), HasSubstr("--time"));
  EXPECT_THAT(refusal({{"command", "x"}, {"processes", "0"}}), HasSubstr("--processes"));
  EXPECT_EQ(refusal({{"command", "x"}, {"time", "1s"}, {"memory", "1G"}}), "");
}

// A program that ends when it is cancelled alone.
class EndlessRunner final : public ProgramRunner {
 public:
  Result<std::unique_ptr<ProgramRun>> start(const ProgramOrder&) override {
    return {std::make_unique<EndlessRun>(*this)};
  }

 private:
  class EndlessRun final : public ProgramRun {
   public:
    explicit EndlessRun(EndlessRunner& runner) : runner_(runner) {}
    Status feed(std::string_view) override { return {}; }
    Result<std::string> finish() override {
      Lock lock(runner_.mutex_);
      runner_.changed_.wait(lock, [this] { return runner_.cancelled_; });
      return Error{Errc::interrupted, "it was cancelled"};
    }
    void cancel() override {
      const Lock lock(runner_.mutex_);
      runner_.cancelled_ = true;
      runner_.changed_.notify_all();
    }

   private:
    EndlessRunner& runner_;
  };
  Mutex mutex_;
  CondVar changed_;
  bool cancelled_ = false;  // guarded by mutex_
};

TEST(ExecTest, CancellingAPartialEndsItsProgram) {
  for (const bool before : {true, false}) {
    EndlessRunner runner;
    auto op = make_operator({"exec", {{"command", "x"}}, {{"a", 2, {}}}}).value();
    op->use_programs(runner);
    const auto partial = op->empty();
    if (before) partial->cancel();
    Thread canceller("cancel", [&] {
      if (!before) partial->cancel();
    });
    const Status mapped = map_text(*partial, {0, 0, 2}, "a\n", 2);
    canceller.join();
    EXPECT_EQ(mapped.code(), Errc::interrupted);
  }
}

}  // namespace
}  // namespace cairn::tasks

// The tests cut power and stop servers hundreds of times: what is said about that is not shown.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

namespace {

class Quiet : public testing::Environment {
  void SetUp() override { spdlog::set_level(spdlog::level::off); }
};
const auto* const kQuiet = testing::AddGlobalTestEnvironment(new Quiet);

}  // namespace

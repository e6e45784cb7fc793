// Splits of whole lines: however a file is cut, each line is in one of them, and they lie one behind the other.
#include "common/tasks/line_border.h"

#include <gtest/gtest.h>

#include "common/base/random.h"

namespace cairn::tasks {
namespace {

class LineBorderTest : public testing::Test {
 protected:
  // In pieces of any length, as a reader of cells gives them.
  PieceOfFile reader(const std::string& text) {
    return [&](uint64_t at, uint64_t end) -> Result<std::string_view> {
      EXPECT_LT(at, end);
      EXPECT_LE(end, text.size());
      return std::string_view(text).substr(at, random_.between(1, end - at));
    };
  }
  Random random_{7};
};

TEST_F(LineBorderTest, EachLineIsInOneSplit) {
  for (int round = 0; round < 2000; ++round) {
    std::string text(random_.below(300), 'x');
    for (char& c : text) {
      if (random_.one_in(12)) c = '\n';
    }
    const InputFile file{"f", text.size(), {}};
    uint64_t covered = 0;
    for (uint64_t begin = 0; begin < text.size();) {
      const uint64_t end = begin + random_.between(1, std::min<uint64_t>(text.size() - begin, 40));
      const Split split = of_whole_lines({0, begin, end}, file, reader(text)).value();
      begin = end;
      if (split.begin == split.end) continue;
      EXPECT_EQ(split.begin, covered);
      EXPECT_TRUE(split.begin == 0 || text[split.begin - 1] == '\n');
      EXPECT_TRUE(split.end == text.size() || text[split.end - 1] == '\n');
      covered = split.end;
    }
    EXPECT_EQ(covered, text.size());
  }
}

TEST_F(LineBorderTest, ALineThatIsTooLongIsAnErrorWithItsPlace) {
  const std::string text(kMaxRecordBytes + (1 << 20), 'x');
  const InputFile file{"long.txt", text.size(), {}};
  const auto found = of_whole_lines({0, 0, 10}, file, [&](uint64_t at, uint64_t end) -> Result<std::string_view> {
    return std::string_view(text).substr(at, end - at);
  });
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.code(), Errc::invalid);
  EXPECT_NE(found.error().what.find("long.txt: offset 10: a line is longer"), std::string::npos) << found.error().what;
}

}  // namespace
}  // namespace cairn::tasks

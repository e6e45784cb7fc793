// The judge of near-data jobs knows right tables from wrong ones.
#include "tests/campaign/jobs_model.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

// Two files: "a" has the versions "", "one\n", "one two\n"; "b" has "", "x\n".
struct JobsModelTest : ::testing::Test {
  JobsModelTest() {
    for (const char* text : {"one\n", "one two\n"}) {
      files[0].begin(text);
      files[0].done();
    }
    files[1].begin("x\n");
    files[1].done();
    job.mark = "m";
    job.op = "wc";
    job.inputs = {{0, 1, 2}, {1, 1, 1}};
  }
  std::vector<VersionedFile> files{2};
  KnownJob job;
};

TEST_F(JobsModelTest, ATableOfAnyVersionsThatMayHaveBeenReadIsRight) {
  EXPECT_EQ(explain(job, files, "file,lines,words,bytes\nm/0,1,1,4\nm/1,1,1,2\n"), (std::vector<bool>{true, false}));
  EXPECT_EQ(explain(job, files, "file,lines,words,bytes\nm/0,1,2,8\nm/1,1,1,2\n"), (std::vector<bool>{false, false}));
}

TEST_F(JobsModelTest, AFileThatIsLostTwiceOrOfAnotherVersionIsWrong) {
  EXPECT_FALSE(explain(job, files, "file,lines,words,bytes\nm/0,1,1,4\n"));
  EXPECT_FALSE(explain(job, files, "file,lines,words,bytes\nm/0,1,1,4\nm/1,1,1,2\nm/1,1,1,2\n"));
  EXPECT_FALSE(explain(job, files, "file,lines,words,bytes\nm/0,1,1,4\nm/1,2,2,4\n"));
  EXPECT_FALSE(explain(job, files, "file,lines,words,bytes\nm/0,0,0,0\nm/1,1,1,2\n")) << "older than the job";
  job.inputs[0].newest = 1;
  EXPECT_FALSE(explain(job, files, "file,lines,words,bytes\nm/0,1,2,8\nm/1,1,1,2\n")) << "newer than its pin";
}

TEST_F(JobsModelTest, ACrashLeavesTheLastVersionThatIsDurableOrOneThatWasUnderWay) {
  files[1].begin("x\ny\n");
  files[1].begin("y\n");
  EXPECT_FALSE(files[1].adopt("")) << "what was durable is gone";
  EXPECT_FALSE(files[1].adopt("z\n"));
  EXPECT_TRUE(files[1].adopt("x\ny\n"));
  EXPECT_EQ(files[1].latest(), "x\ny\n");
  EXPECT_EQ(files[1].finished(), files[1].begun());
}

}  // namespace
}  // namespace cairn

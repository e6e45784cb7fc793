// Figures of reads and writes: joined by file, and summed by partition.
#include <gmock/gmock.h>

#include "tools/cairn/bench_tasks.h"
#include "tools/cairn/task_table_run.h"

namespace cairn::tools {
namespace {

using tasks::Table;
using tasks::Value;
using testing::HasSubstr;

std::vector<Value> row(const char* file, Value partition, uint64_t reads, uint64_t writes, uint64_t bytes,
                       double seconds, uint64_t errors) {
  return {std::string(file), std::move(partition), reads, writes, bytes, seconds, errors};
}
Table figures(std::vector<std::vector<Value>> rows) {
  return {{"file", "partition", "reads", "writes", "bytes", "seconds", "errors"}, std::move(rows)};
}

TEST(JoinFiguresTest, RowsOfAFileBecomeOne) {
  const Table reads = figures({row("a", "p0", 3, 0, 30, 1.5, 0), row("b", "p1", 2, 0, 20, 1, 1)});
  const auto joined = join_figures(reads, figures({row("b", "p1", 0, 4, 400, 0.25, 2)}));
  ASSERT_TRUE(joined.ok());
  EXPECT_EQ(to_csv(*joined),
            "file,partition,reads,writes,bytes,seconds,errors\n"
            "a,p0,3,0,30,1.5,0\n"
            "b,p1,2,4,420,1.25,3\n");
  const auto strange = join_figures(reads, figures({row("c", "p1", 0, 1, 1, 1, 0)}));
  EXPECT_THAT(strange.error().what, HasSubstr("c was written and not asked for"));
}

TEST(ByPartitionTest, PartitionsAreSumsOfTheirFilesInTheirOrder) {
  const Table sums = by_partition(figures({row("a", "p1", 1, 0, 10, 0.5, 0), row("b", "p0", 2, 1, 20, 0.25, 1),
                                           row("c", "p1", 3, 0, 30, 1, 0), row("d", Value(), 1, 0, 1, 1, 0)}));
  EXPECT_EQ(to_csv(sums),
            "partition,files,reads,writes,bytes,seconds,errors\n"
            "p1,2,4,0,40,1.5,0\n"
            "p0,1,2,1,20,0.25,1\n"
            ",1,1,0,1,1,0\n");
}

}  // namespace
}  // namespace cairn::tools

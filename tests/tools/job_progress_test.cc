#include "tools/cairn/job_progress.h"

#include <gtest/gtest.h>

#include "tools/cairn/job_tables.h"
#include "tools/cairn/task_client.h"

namespace cairn::tools {
namespace {

JobStatus mapping(uint64_t bytes_done) {
  JobStatus status;
  status.job = JobId{7};
  status.op = "wc";
  status.phase = JobPhase::mapping;
  status.inputs = status.planned = 12;
  status.bytes = 100u << 20;
  status.bytes_done = bytes_done;
  status.phases = {{JobPhase::surveying, 8, 8, 0}, {JobPhase::mapping, 40, 10, 4}};
  return status;
}

TEST(JobProgressTest, SaysWhenItWillHaveEndedOnceThatCanBeKnown) {
  JobProgress progress;
  const Instant start{1'000'000'000};
  EXPECT_EQ(progress.on_status(mapping(10u << 20), start), "mapping: 10 of 40 tasks, 10.0 MiB of 100.0 MiB");
  EXPECT_EQ(progress.on_status(mapping(15u << 20), start + 500ms), "mapping: 10 of 40 tasks, 15.0 MiB of 100.0 MiB");
  EXPECT_EQ(progress.on_status(mapping(30u << 20), start + 2s),
            "mapping: 10 of 40 tasks, 30.0 MiB of 100.0 MiB, 10.0 MiB/s, 7.0 s left");
}

TEST(JobProgressTest, EachPhaseHasItsOwnRate) {
  JobProgress progress;
  JobStatus survey = mapping(90u << 20);
  survey.phase = JobPhase::surveying;
  (void)progress.on_status(survey, Instant{0});
  (void)progress.on_status(mapping(0), Instant{0} + 5s);
  EXPECT_EQ(progress.on_status(mapping(50u << 20), Instant{0} + 10s),
            "mapping: 10 of 40 tasks, 50.0 MiB of 100.0 MiB, 10.0 MiB/s, 5.0 s left");
}

TEST(JobProgressTest, SaysWhatIsWaitedFor) {
  JobStatus status = mapping(0);
  status.phases[1].running = 0;
  status.waiting = "no worker has a free slot";
  EXPECT_EQ(JobProgress().on_status(status, Instant{0}),
            "mapping: 10 of 40 tasks, 0 B of 100.0 MiB; no worker has a free slot");
  status.phase = JobPhase::planning;
  status.planned = 3;
  EXPECT_EQ(JobProgress().on_status(status, Instant{0}), "planning: 3 of 12 files");
}

TEST(JobProgressTest, TheSummaryNamesWhatMattered) {
  JobStatus status = mapping(0);
  status.phase = JobPhase::done;
  status.elapsed_ms = 3100;
  status.counters = {
      .bytes_local = 99u << 20, .bytes_network = 1u << 20, .bytes_decoded = 2048, .bytes_sent = 0, .cpu_ms = 9};
  EXPECT_EQ(summary_of(status),
            "job 7 wc: 12 files, 100.0 MiB, in 3.1 s; 99.0 MiB read near the data, 1.0 MiB moved, 2.0 KiB rebuilt");
}

TEST(JobTablesTest, WhatLiesNowhereDoesNotTravel) {
  TaskInfo inline_files, cells;
  inline_files.bytes = 100;
  cells.task = 1;
  cells.owner = ServerId{3};
  cells.bytes = 3000;
  cells.bytes_owned = 2000;
  const std::string text = text_of(JobId{7}, {inline_files, cells}, false);
  EXPECT_NE(text.find("2 tasks: 2.1 KiB are read where they lie, 1000 B travel"), std::string::npos) << text;
}

TEST(ParseJobTest, TakesNumbersAlone) {
  EXPECT_EQ(*parse_job("7"), JobId{7});
  for (const char* text : {"", "0", "-1", "7x", "x", "99999999999999999999"})
    EXPECT_EQ(parse_job(text).code(), Errc::invalid) << text;
}

}  // namespace
}  // namespace cairn::tools

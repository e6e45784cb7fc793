#include "tests/sim/sim_scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/sim_clock.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A little program with threads, waits and time; its order of events is what the seed makes of it.
std::string tangle(uint64_t seed, uint64_t* trace = nullptr) {
  SimScheduler scheduler(seed);
  std::string order;
  const Status end = scheduler.run([&] {
    Mutex mutex;
    CondVar changed;
    int turns = 0;
    std::vector<Thread> threads;
    for (char name = 'a'; name < 'f'; ++name) {
      threads.emplace_back(std::string(1, name), [&, name] {
        for (int i = 0; i < 5; ++i) {
          scheduler.sleep(Duration{static_cast<int64_t>(scheduler.random().below(3))});
          Lock lock(mutex);
          order += name;
          ++turns;
          changed.notify_all();
          changed.wait(lock, [&] { return turns >= i; });
        }
      });
    }
  });
  EXPECT_TRUE(end.ok()) << end.error().what;
  if (trace != nullptr) *trace = scheduler.trace_hash();
  return order;
}

TEST(SimSchedulerTest, OneSeedIsOneRun) {
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    uint64_t first = 0, second = 0;
    EXPECT_EQ(tangle(seed, &first), tangle(seed, &second));
    EXPECT_EQ(first, second);
    orders.insert(tangle(seed));
  }
  EXPECT_GT(orders.size(), 15u) << "and another seed is another run";
}

TEST(SimSchedulerTest, TimeJumpsToTheNextDeadline) {
  SimScheduler scheduler(1);
  SimClock clock(scheduler);
  std::vector<int> woken;
  const Instant start = clock.now();
  ASSERT_TRUE(scheduler
                  .run([&] {
                    Thread late("late", [&] { scheduler.sleep(10h), woken.push_back(2); });
                    Thread early("early", [&] { scheduler.sleep(1h), woken.push_back(1); });
                  })
                  .ok());
  EXPECT_THAT(woken, ElementsAre(1, 2));
  EXPECT_EQ(clock.now() - start, 10h);
  EXPECT_EQ(clock.wall_ns(), SimClock::kStartOfWallNs + clock.now().ns);
  clock.jump_wall(-1h);
  EXPECT_EQ(clock.wall_ns(), SimClock::kStartOfWallNs + clock.now().ns - Duration{1h}.count());
}

TEST(SimSchedulerTest, ACondVarTimesOutAndIsWoken) {
  SimScheduler scheduler(1);
  ASSERT_TRUE(scheduler
                  .run([&] {
                    Mutex mutex;
                    CondVar changed;
                    bool ready = false;
                    Thread notifier("notifier", [&] {
                      scheduler.sleep(5s);
                      Lock lock(mutex);
                      ready = true;
                      changed.notify_one();
                    });
                    Lock lock(mutex);
                    EXPECT_FALSE(changed.wait_until(lock, scheduler.now() + 1s, [&] { return ready; }));
                    EXPECT_TRUE(changed.wait_until(lock, scheduler.now() + 10s, [&] { return ready; }));
                    EXPECT_EQ(scheduler.now(), (Instant{1'000'000'000} + 5s));
                  })
                  .ok());
}

TEST(SimSchedulerTest, AHangNamesWhoWaits) {
  SimScheduler scheduler(1);
  const Status end = scheduler.run([&] {
    Mutex mutex;
    CondVar never;
    Thread stuck("stuck-thread", [&] {
      Lock lock(mutex);
      never.wait(lock, [] { return false; });
    });
  });
  ASSERT_FALSE(end.ok());
  EXPECT_THAT(end.error().what, AllOf(HasSubstr("hang"), HasSubstr("test/stuck-thread"), HasSubstr("test/main")));
}

TEST(SimSchedulerTest, ALivelockReachesTheLimit) {
  SimScheduler scheduler(1, {.steps = 1000, .time = 1h});
  EXPECT_THAT(scheduler
                  .run([&] {
                    for (;;) scheduler.yield();
                  })
                  .error()
                  .what,
              HasSubstr("limit reached after 1000 steps"));
  SimScheduler slow(1, {.steps = 1'000'000, .time = 1h});
  EXPECT_FALSE(slow.run([&] {
                     for (;;) slow.sleep(1s);
                   })
                   .ok());
}

struct Witness {
  explicit Witness(int& count) : count_(count) {}
  ~Witness() { ++count_; }
  int& count_;
};

TEST(SimSchedulerTest, AKilledProcessStopsWithoutDestructors) {
  SimScheduler scheduler(3);
  const SimProcess process = scheduler.new_process("victim");
  int destroyed = 0, ticks = 0;
  SimProcess observed{};
  scheduler.on_death([&](SimProcess died) { observed = died; });
  ASSERT_TRUE(scheduler
                  .run([&] {
                    scheduler.spawn_in(process, "main", [&] {
                      Witness witness(destroyed);
                      Thread child("child", [&] {
                        Witness another(destroyed);
                        for (;;) scheduler.sleep(1s), ++ticks;
                      });
                    });
                    scheduler.sleep(3500ms);
                    scheduler.kill(process);
                    scheduler.sleep(10s);
                  })
                  .ok());
  EXPECT_EQ(ticks, 3);
  EXPECT_EQ(destroyed, 0);
  EXPECT_EQ(observed, process);
  EXPECT_FALSE(scheduler.alive(process));
}

TEST(SimSchedulerTest, AProcessMayKillItself) {
  SimScheduler scheduler(1);
  const SimProcess process = scheduler.new_process("suicide");
  bool survived = false;
  ASSERT_TRUE(scheduler
                  .run([&] {
                    scheduler.join(scheduler.spawn_in(process, "main", [&] {
                      scheduler.kill(scheduler.current_process());
                      survived = true;
                    }));
                  })
                  .ok());
  EXPECT_FALSE(survived);
}

TEST(SimSchedulerTest, AFrozenProcessGoesOnWhereItWasAndTheClockHasJumped) {
  SimScheduler scheduler(2);
  const SimProcess process = scheduler.new_process("frozen");
  Mutex mutex;
  CondVar changed;
  bool told = false;
  std::vector<Instant> ticks;
  Instant heard{};
  const Instant start = scheduler.now();
  ASSERT_TRUE(scheduler
                  .run([&] {
                    scheduler.spawn_in(process, "ticker", [&] {
                      for (;;) scheduler.sleep(1s), ticks.push_back(scheduler.now());
                    });
                    scheduler.spawn_in(process, "listener", [&] {
                      Lock lock(mutex);
                      changed.wait(lock, [&] { return told; });
                      heard = scheduler.now();
                    });
                    scheduler.sleep(1500ms);
                    scheduler.freeze(process);
                    EXPECT_TRUE(scheduler.frozen(process));
                    scheduler.spawn_in(process, "late", [&] { ticks.push_back(scheduler.now()); });
                    {
                      Lock lock(mutex);
                      told = true;
                      changed.notify_all();
                    }
                    scheduler.sleep(10s);
                    EXPECT_EQ(ticks.size(), 1u);
                    scheduler.thaw(process);
                    scheduler.sleep(1200ms);
                  })
                  .ok());
  EXPECT_EQ(heard, start + 11500ms);
  EXPECT_THAT(ticks, ElementsAre(start + 1s, start + 11500ms, start + 11500ms, start + 12500ms));
}

TEST(SimSchedulerTest, AFiberMayFreezeItsOwnProcessWhichMayBeKilledThen) {
  SimScheduler scheduler(1);
  const SimProcess thawed = scheduler.new_process("thawed"), killed = scheduler.new_process("killed");
  int went_on = 0;
  ASSERT_TRUE(scheduler
                  .run([&] {
                    for (const SimProcess process : {thawed, killed}) {
                      scheduler.spawn_in(process, "main", [&] {
                        scheduler.freeze(scheduler.current_process());
                        ++went_on;
                      });
                    }
                    scheduler.sleep(1s);
                    EXPECT_EQ(went_on, 0);
                    scheduler.thaw(thawed);
                    scheduler.kill(killed);
                    scheduler.thaw(killed);
                    scheduler.sleep(1s);
                  })
                  .ok());
  EXPECT_EQ(went_on, 1);
}

TEST(SimSchedulerTest, WhatStillWaitsGoesOnInTheNextRun) {
  SimScheduler scheduler(1);
  int ticks = 0;
  const SimProcess process = scheduler.new_process("server");
  scheduler.spawn_in(process, "ticker", [&] {
    for (;;) scheduler.sleep(1s), ++ticks;
  });
  ASSERT_TRUE(scheduler.run([&] { scheduler.sleep(2500ms); }).ok());
  EXPECT_EQ(ticks, 2);
  ASSERT_TRUE(scheduler.run([&] { scheduler.sleep(2s); }).ok());
  EXPECT_EQ(ticks, 4);
}

TEST(SimSchedulerTest, ManyFibersFit) {
  SimScheduler scheduler(1);
  int done = 0;
  ASSERT_TRUE(scheduler
                  .run([&] {
                    std::vector<Thread> threads;
                    for (int i = 0; i < 2000; ++i) threads.emplace_back("t", [&] { scheduler.sleep(1s), ++done; });
                  })
                  .ok());
  EXPECT_EQ(done, 2000);
}

TEST(SimSchedulerDeathTest, AMutexHeldAcrossAWaitStopsTheRun) {
  EXPECT_DEATH(
      {
        SimScheduler scheduler(1);
        (void)scheduler.run([&] {
          Mutex mutex;
          const auto hold = [&] {
            Lock lock(mutex);
            scheduler.sleep(1s);
          };
          Thread first("first", hold);
          Thread second("second", hold);
        });
      },
      "held across a wait(.|\n)*process test");
}

}  // namespace
}  // namespace cairn

// Simulates the whole cluster from seeds, as many as wanted: cairn_sim_run --seed 1 --seeds 1000
#include <CLI/CLI.hpp>
#include <cstdio>

#include "tests/sim/cluster_run.h"

int main(int argc, char** argv) {
  CLI::App app{
      "Runs the whole of CairnFS in a simulation, with faults, and judges every byte. The first bad seed ends it."};
  uint64_t first = 1, count = 1;
  bool verbose = false, here = false, go_on = false;
  app.add_option("--seed", first, "The first seed")->capture_default_str();
  app.add_option("--seeds", count, "How many")->capture_default_str();
  app.add_flag("--verbose", verbose, "Tell the story while it happens, with the log of the servers");
  app.add_flag("--here", here, "In this process, for a debugger; ends at the first thing that is wrong");
  app.add_flag("--go-on", go_on, "Run all seeds, and only say which were bad");
  CLI11_PARSE(app, argc, argv);

  uint64_t bad = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    if (here) {
      (void)cairn::run_seed_here(seed, 2);
      continue;
    }
    const cairn::RunOutcome outcome = cairn::run_seed(seed, verbose);
    if (outcome.good) continue;
    ++bad;
    if (!verbose && !go_on) std::fputs(outcome.story.c_str(), stderr);
    std::printf("seed %llu: %s\n  replay: %s --verbose --seed %llu\n", static_cast<unsigned long long>(seed),
                outcome.verdict.c_str(), argv[0], static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    if (!go_on) return 1;
  }
  std::printf("%llu of %llu seeds are good\n", static_cast<unsigned long long>(count - bad),
              static_cast<unsigned long long>(count));
  return bad == 0 ? 0 : 1;
}

// Runs the whole cluster from seeds: to search, to replay a failure as a story, and to see that planted bugs are found.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "tests/campaign/campaign.h"
#include "tests/campaign/cluster_run.h"
#include "tests/campaign/run_plan.h"

namespace cairn {
namespace {

constexpr uint64_t kEnoughForVeryRare = 3000;
constexpr uint64_t kEnoughForCoverage = 200;  // seeds, that must together take every rare path

struct Flags {
  CampaignOptions campaign;
  uint64_t soak_seeds = 0;
  bool here = false;
  bool coverage = false;
  std::string bug;
  bool all_bugs = false;
  bool from_scratch = false;
  bool near_data = false;
};

void describe(CLI::App& app, Flags& flags) {
  app.description(
      "The metaserver, six chunkservers and their clients, unchanged, in one simulation of clock, disk and network.\n"
      "A seed is a run: it picks the cluster, the work and the trouble, and every byte and name is judged.");
  app.footer(
      "Examples:\n"
      "  cairn_sim_run --seeds 1000 --jobs 2 --coverage     search, and show which rare paths were taken\n"
      "  cairn_sim_run --seed 1238 --verbose                replay one seed, told as a story\n"
      "  cairn_sim_run --seed 1238 --here                   the same in this process, for a debugger\n"
      "  cairn_sim_run --plant skip_log_sync                the first seed that finds a planted bug\n"
      "  cairn_sim_run --bugs --jobs 2                      each planted bug is found within its stated seeds");
  app.add_option("--seed", flags.campaign.first, "The first seed")->capture_default_str();
  app.add_option("--seeds", flags.campaign.count, "How many")->capture_default_str();
  app.add_option("--soak-seeds", flags.soak_seeds, "How many instead, if CAIRN_SOAK is set");
  app.add_option("--jobs", flags.campaign.jobs, "How many at a time")->check(CLI::Range(1, 256))->capture_default_str();
  app.add_flag("--near-data", flags.near_data, "Only seeds with jobs of near-data tasks, about every third; so many");
  app.add_flag("--verbose", flags.campaign.run.loud, "The story as it happens, with what the libraries log");
  app.add_flag("--go-on", flags.campaign.go_on, "Behind a bad seed");
  app.add_flag(
      "--coverage", flags.coverage,
      fmt::format("Counts the rare paths; from {} seeds on, one never taken is a failure", kEnoughForCoverage));
  app.add_flag("--here", flags.here, "In this process, one seed");
  app.add_option("--plant", flags.bug, "Plants this bug, and searches until it is found");
  app.add_flag("--bugs", flags.all_bugs, "Each bug in turn, by the seed that is known to find it, else from seed 1 on");
  app.add_flag("--from-scratch", flags.from_scratch, "With --bugs: all from seed 1 on; also if CAIRN_SOAK is set");
}

// "1200 of 10000, 12 min left" on a terminal.
class Progress {
 public:
  explicit Progress(uint64_t all) : all_(all), terminal_(::isatty(STDOUT_FILENO) != 0) {}
  void done(uint64_t count) {
    using namespace std::chrono;
    const auto now = steady_clock::now();
    if (now - last_ < (terminal_ ? nanoseconds(500ms) : nanoseconds(1min)) && (count < all_ || !terminal_)) return;
    last_ = now;
    const auto each = (now - start_) / std::max<uint64_t>(count, 1);
    const auto left = duration_cast<seconds>(each * (all_ - count)).count();
    fmt::print("{}{} of {} seeds, {} s left{}", terminal_ ? "\r" : "", count, all_, left, terminal_ ? "   " : "\n");
    if (count == all_ && terminal_) fmt::print("\r{:50}\r", "");
    std::fflush(stdout);
  }

 private:
  const uint64_t all_;
  const bool terminal_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last_ = start_;
};

// Taken about once in 300 seeds: only a long campaign must take them.
bool very_rare(size_t path) {
  return path == static_cast<size_t>(RarePath::refused_move) || path == static_cast<size_t>(RarePath::unwanted_output);
}

// How many were never taken, of those that so many seeds should take.
int show_coverage(const CampaignReport& report) {
  int never = 0;
  for (size_t i = 0; i < report.reached.size(); ++i) {
    const bool taken = report.reached[i] > 0;
    fmt::print("  {:<18} {:>10}{}\n", rare_path_names()[i], report.reached[i], taken ? "" : "  never");
    if (!taken && (!very_rare(i) || report.good >= kEnoughForVeryRare)) ++never;
  }
  return never;
}

int search(const Flags& flags, const char* program) {
  CampaignOptions options = flags.campaign;
  Progress progress(options.count);
  uint64_t ended = 0;
  const Result<CampaignReport> report = run_campaign(options, [&](const RunOutcome& outcome) {
    progress.done(++ended);
    if (outcome.good) return;
    if (!options.run.loud && !options.go_on) std::fputs(outcome.story.c_str(), stderr);
    fmt::print("seed {}: {}\n  replay: {} --verbose --seed {}\n", outcome.seed, outcome.verdict, program, outcome.seed);
    std::fflush(stdout);
  });
  if (!report.ok()) {
    fmt::print(stderr, "cairn_sim_run: {}\n", report.error().what);
    return 1;
  }
  fmt::print("{} of {} seeds are good\n", report->good, report->good + report->bad);
  int never = 0;
  if (flags.coverage) {
    fmt::print("rare paths, and how often they were taken:\n");
    never = show_coverage(*report);
    if (never > 0 && report->good >= kEnoughForCoverage) {
      fmt::print("{} rare paths were never taken: the campaign does not show what it should\n", never);
      return 1;
    }
  }
  return report->bad == 0 ? 0 : 1;
}

// One of the seeds finds the bug; nothing if none does. Says so.
Result<bool> hunt(CampaignOptions options, const PlantedBugInfo& info) {
  options.run.bug = info.bug;
  std::string how;
  uint64_t seed = 0, ended = 0;
  const Result<CampaignReport> report = run_campaign(options, [&](const RunOutcome& outcome) {
    ++ended;
    if (outcome.good || !how.empty()) return;
    seed = outcome.seed;
    how = outcome.verdict;
  });
  if (!report.ok()) return report.error();
  if (!how.empty())
    fmt::print("{:<20} found by seed {} (run {} of at most {}): {:.140}\n", info.name, seed, ended, options.count, how);
  std::fflush(stdout);
  return !how.empty();
}

// Within its stated seeds. One of these that is known to find it shows that at once.
Result<bool> hunt_within(const Flags& flags, const PlantedBugInfo& info) {
  CampaignOptions options = flags.campaign;
  if (!flags.from_scratch) {
    options.first = info.known_seed;
    options.count = 1;
    ASSIGN(const bool found, hunt(options, info));
    if (found) return true;
    fmt::print("{:<20} is not found by seed {} any more: the list of planted bugs should name another\n", info.name,
               info.known_seed);
  }
  options.first = 1;
  options.count = info.within_seeds;
  return hunt(options, info);
}

int hunt_bugs(const Flags& flags) {
  int missed = 0;
  bool known = false;
  for (const PlantedBugInfo& info : all_planted_bugs()) {
    if (!flags.all_bugs && info.name != flags.bug) continue;
    known = true;
    CampaignOptions options = flags.campaign;
    if (options.count == 1) options.count = 1000;
    const Result<bool> found = flags.all_bugs ? hunt_within(flags, info) : hunt(options, info);
    if (!found.ok()) {
      fmt::print(stderr, "cairn_sim_run: {}\n", found.error().what);
      return 1;
    }
    if (*found) continue;
    fmt::print("{:<20} NOT FOUND: {}\n", info.name, info.what);
    ++missed;
  }
  if (known) return missed == 0 ? 0 : 1;
  fmt::print(stderr, "cairn_sim_run: --plant \"{}\" is not a bug that can be planted; these are:\n", flags.bug);
  for (const PlantedBugInfo& info : all_planted_bugs()) fmt::print(stderr, "  {:<20} {}\n", info.name, info.what);
  return 2;
}

}  // namespace
}  // namespace cairn

int main(int argc, char** argv) {
  cairn::Flags flags;
  CLI::App app;
  cairn::describe(app, flags);
  CLI11_PARSE(app, argc, argv);
  if (flags.near_data) flags.campaign.only = cairn::has_jobs;
  if (std::getenv("CAIRN_SOAK") != nullptr) {
    if (flags.soak_seeds > 0) flags.campaign.count = flags.soak_seeds;
    flags.from_scratch = true;
  }
  if (flags.here) {
    (void)cairn::run_seed_here(flags.campaign.first, STDERR_FILENO);
    return 0;
  }
  if (flags.all_bugs || !flags.bug.empty()) return cairn::hunt_bugs(flags);
  return cairn::search(flags, argv[0]);
}

#include "tests/campaign/campaign.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace cairn {
namespace {

// Waits until one of the runs has said something.
void wait_for_output(const std::vector<SeedProcess>& runs, std::vector<pollfd>& polled) {
  polled.clear();
  for (const SeedProcess& run : runs) polled.push_back({run.output(), POLLIN, 0});
  while (::poll(polled.data(), polled.size(), -1) < 0 && errno == EINTR) {
  }
}

void add(CampaignReport& report, const RunOutcome& outcome) {
  ++(outcome.good ? report.good : report.bad);
  for (size_t i = 0; i < report.reached.size(); ++i) report.reached[i] += outcome.rare_paths[i];
}

}  // namespace

Result<CampaignReport> run_campaign(const CampaignOptions& options,
                                    const std::function<void(const RunOutcome&)>& tell) {
  CampaignReport report;
  std::vector<SeedProcess> runs;
  std::vector<pollfd> polled;
  uint64_t next = options.first;
  uint64_t left = options.count;
  while (left > 0 || !runs.empty()) {
    if (report.bad > 0 && !options.go_on) break;  // what still runs is ended
    if (left > 0 && runs.size() < options.jobs) {
      while (options.only && !options.only(next)) ++next;
      --left;
      ASSIGN(SeedProcess run, SeedProcess::start(next++, options.run));
      runs.push_back(std::move(run));
      continue;
    }
    wait_for_output(runs, polled);
    for (size_t i = runs.size(); i-- > 0;) {
      if (polled[i].revents == 0 || runs[i].take_output()) continue;
      const RunOutcome outcome = runs[i].outcome();
      runs.erase(runs.begin() + static_cast<ptrdiff_t>(i));
      add(report, outcome);
      tell(outcome);
    }
  }
  return report;
}

}  // namespace cairn

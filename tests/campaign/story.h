// What happened in one run of the whole cluster, told line by line with the virtual time, and how it ended.
//
// A run lives in a process of its own (cluster_run.h): the first thing that is wrong is told and ends that process,
// because a broken cluster has nothing more to say. Each line leaves at once, so a crash cannot take the story along.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "tests/sim/sim_scheduler.h"

namespace cairn {

class Story {
 public:
  static constexpr int kWrong = 3;  // exit code of a run in which a promise was broken

  // Lines are written to the file descriptor, which is not closed. The scheduler is asked for the time only.
  Story(const SimScheduler& scheduler, int to) : scheduler_(scheduler), to_(to) {}

  double now() const { return static_cast<double>(scheduler_.now().ns - 1'000'000'000) / 1e9; }  // seconds, as told
  template <typename... Args>
  void tell(fmt::format_string<Args...> text, Args&&... args) {
    line(fmt::format(text, std::forward<Args>(args)...));
  }
  template <typename... Args>
  [[noreturn]] void wrong(fmt::format_string<Args...> text, Args&&... args) {
    end_with(fmt::format(text, std::forward<Args>(args)...));
  }
  // The value, or the end of the run.
  template <typename T>
  T must(const std::string& what, Result<T> result) {
    if (!result.ok()) wrong("{}: {}: {}", what, name_of(result.code()), result.error().what);
    return std::move(result).value();
  }
  void must(const std::string& what, const Status& status) {
    if (!status.ok()) wrong("{}: {}: {}", what, name_of(status.code()), status.error().what);
  }

 private:
  void line(const std::string& text) const;
  [[noreturn]] void end_with(const std::string& text) const;

  const SimScheduler& scheduler_;
  const int to_;
};

}  // namespace cairn

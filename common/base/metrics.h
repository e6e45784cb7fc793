// Named numbers that a server counts and an administrator scrapes, as Prometheus text.
//
// Look an instrument up once, at construction, and keep the reference: it lives as long as its Metrics, and counting is
// one relaxed atomic addition. Names: cairn_<what>_<unit>, counters end in _total; labels are written as
// Prometheus has them, like disk="0",state="failed". Safe from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/thread.h"

namespace cairn {

class Counter {
 public:
  void add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

class Gauge {
 public:
  void set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void add(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_ = 0;
};

class Metrics {
 public:
  // Created at the first call; later calls with the same name and labels give the same one.
  Counter& counter(const std::string& name, const std::string& help, const std::string& labels = "");
  Gauge& gauge(const std::string& name, const std::string& help, const std::string& labels = "");
  // Asked at each scrape, from the scraping thread and without a mutex held. What it uses must outlive the scrapes.
  void gauge_from(const std::string& name, const std::string& help, const std::string& labels,
                  std::function<double()> ask);
  std::string text() const;  // Prometheus exposition format 0.0.4, in the order of names

 private:
  struct Family {
    std::string help;
    const char* type = "";
    std::map<std::string, std::unique_ptr<Counter>> counters;  // by labels, as in the next two
    std::map<std::string, std::unique_ptr<Gauge>> gauges;
    std::map<std::string, std::function<double()>> asked;
  };
  Family& family(const std::string& name, const std::string& help, const char* type);  // mutex_ held

  mutable Mutex mutex_;
  std::map<std::string, Family> families_;  // guarded by mutex_
};

// For the value of a label: escapes backslash, quote and newline.
std::string escape_label(std::string_view value);

}  // namespace cairn

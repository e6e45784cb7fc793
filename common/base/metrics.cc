#include "common/base/metrics.h"

#include <fmt/format.h>

#include <iterator>
#include <optional>
#include <vector>

namespace cairn {
namespace {

struct Sample {
  std::string name;  // with labels
  std::optional<std::string> value;
  std::function<double()> ask;  // where value is none
};

std::string with_labels(const std::string& name, const std::string& labels) {
  return labels.empty() ? name : fmt::format("{}{{{}}}", name, labels);
}

}  // namespace

Metrics::Family& Metrics::family(const std::string& name, const std::string& help, const char* type) {
  Family& found = families_[name];
  if (found.help.empty()) {
    found.help = help;
    found.type = type;
  }
  return found;
}

Counter& Metrics::counter(const std::string& name, const std::string& help, const std::string& labels) {
  Lock lock(mutex_);
  auto& slot = family(name, help, "counter").counters[labels];
  if (!slot) slot = std::make_unique<Counter>();
  return *slot;
}

Gauge& Metrics::gauge(const std::string& name, const std::string& help, const std::string& labels) {
  Lock lock(mutex_);
  auto& slot = family(name, help, "gauge").gauges[labels];
  if (!slot) slot = std::make_unique<Gauge>();
  return *slot;
}

void Metrics::gauge_from(const std::string& name, const std::string& help, const std::string& labels,
                         std::function<double()> ask) {
  Lock lock(mutex_);
  family(name, help, "gauge").asked[labels] = std::move(ask);
}

std::string Metrics::text() const {
  std::vector<Sample> lines;  // headings are samples without a value and without a question
  {
    Lock lock(mutex_);
    for (const auto& [name, family] : families_) {
      lines.push_back({fmt::format("# HELP {} {}\n# TYPE {} {}", name, family.help, name, family.type), {}, {}});
      for (const auto& [labels, one] : family.counters) {
        lines.push_back({with_labels(name, labels), std::to_string(one->value()), {}});
      }
      for (const auto& [labels, one] : family.gauges) {
        lines.push_back({with_labels(name, labels), std::to_string(one->value()), {}});
      }
      for (const auto& [labels, ask] : family.asked) lines.push_back({with_labels(name, labels), {}, ask});
    }
  }
  std::string out;
  for (const Sample& line : lines) {
    out += line.name;
    if (line.ask) fmt::format_to(std::back_inserter(out), " {}", line.ask());
    if (line.value) fmt::format_to(std::back_inserter(out), " {}", *line.value);
    out += '\n';
  }
  return out;
}

std::string escape_label(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace cairn

#include "common/base/metrics.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(MetricsTest, TextIsWhatPrometheusReads) {
  Metrics metrics;
  Counter& appends = metrics.counter("cairn_appends_total", "Appends answered.", "disk=\"0\"");
  appends.add();
  appends.add(2);
  metrics.gauge("cairn_shards", "Shards held.").set(-4);
  metrics.gauge_from("cairn_free_bytes", "Free space.", "", [] { return 1.5; });
  EXPECT_EQ(metrics.text(),
            "# HELP cairn_appends_total Appends answered.\n# TYPE cairn_appends_total counter\n"
            "cairn_appends_total{disk=\"0\"} 3\n"
            "# HELP cairn_free_bytes Free space.\n# TYPE cairn_free_bytes gauge\ncairn_free_bytes 1.5\n"
            "# HELP cairn_shards Shards held.\n# TYPE cairn_shards gauge\ncairn_shards -4\n");
}

TEST(MetricsTest, TheSameNameAndLabelsAreTheSameCounter) {
  Metrics metrics;
  EXPECT_EQ(&metrics.counter("a_total", "A."), &metrics.counter("a_total", "A."));
  EXPECT_NE(&metrics.counter("a_total", "A.", "x=\"1\""), &metrics.counter("a_total", "A."));
}

TEST(MetricsTest, AScrapeMayAskWhatItselfUsesTheRegistry) {
  Metrics metrics;
  metrics.gauge_from("asked", "Asked.", "",
                     [&] { return static_cast<double>(metrics.counter("b_total", "B.").value()); });
  EXPECT_NE(metrics.text().find("asked 0\n"), std::string::npos);
}

TEST(MetricsTest, ThreadsCountTogether) {
  Metrics metrics;
  {
    std::vector<Thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back("counter", [&] {
        for (int n = 0; n < 1000; ++n) metrics.counter("c_total", "C.").add();
      });
    }
  }
  EXPECT_EQ(metrics.counter("c_total", "C.").value(), 4000u);
}

TEST(MetricsTest, LabelValuesAreEscaped) { EXPECT_EQ(escape_label("a\"b\\c\n"), "a\\\"b\\\\c\\n"); }

}  // namespace
}  // namespace cairn

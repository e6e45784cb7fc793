// stats: count, sum, extremes, mean, variance, quantiles and a histogram of a CSV column, for all or for each group.
//
// A group's Cell holds sums of x and x^2 without rounding (exact_sum.h), so mean and variance are the same for every
// cut and every tree of merges, and as exact as from the whole column at once; quantiles are within 0.4 %
// (quantile_sketch.h). Bounded by the number of groups, and of buckets of quantiles in all groups together.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "common/tasks/arguments.h"
#include "common/tasks/csv_columns.h"
#include "common/tasks/exact_sum.h"
#include "common/tasks/numbers.h"
#include "common/tasks/quantile_sketch.h"
#include "common/tasks/record_partial.h"
#include "common/tasks/registry.h"
#include "common/tasks/utf8.h"

namespace cairn::tasks {
namespace {

constexpr uint64_t kMaxGroups = 1'000'000;
constexpr uint64_t kMaxCounters = 4'000'000;  // buckets and histogram bins of all groups: some 200 MB
constexpr size_t kMaxGroupBytes = 4096;
constexpr uint64_t kMaxCount = uint64_t{1} << 53;

struct Request {
  CsvColumns columns;  // the column, and the one to group by if there is one
  std::string column;
  bool grouped = false;
  std::vector<double> quantiles;
  std::vector<double> edges;  // of the histogram's bins, ascending; empty for none
  uint64_t most_groups = 0;
};

struct Cell {
  uint64_t count = 0, missing = 0;
  double min = std::numeric_limits<double>::infinity(), max = -std::numeric_limits<double>::infinity();
  ExactSum sum, squares;
  QuantileSketch sketch;       // only if quantiles are asked for
  std::vector<uint64_t> bins;  // below the first edge, between the edges, from the last on

  void add(double value, const Request& request) {
    ++count;
    min = std::min(min, value);
    max = std::max(max, value);
    sum.add(value);
    squares.add_product(value, value);
    if (!request.quantiles.empty()) sketch.add(value);
    if (request.edges.empty()) return;
    const auto edge = std::upper_bound(request.edges.begin(), request.edges.end(), value);
    ++bins[static_cast<size_t>(edge - request.edges.begin())];
  }
  void merge(const Cell& other) {
    count += other.count;
    missing += other.missing;
    min = std::min(min, other.min);
    max = std::max(max, other.max);
    sum.add(other.sum);
    squares.add(other.squares);
    sketch.merge(other.sketch);
    for (size_t i = 0; i < bins.size(); ++i) bins[i] += other.bins[i];
  }
  size_t counters() const { return sketch.buckets() + bins.size(); }

  void encode(ByteWriter& out) const {
    out.u64(count).u64(missing).u64(std::bit_cast<uint64_t>(min)).u64(std::bit_cast<uint64_t>(max));
    sum.encode(out);
    squares.encode(out);
    sketch.encode(out);
    for (const uint64_t bin : bins) out.u64(bin);
  }
  bool decode(ByteReader& in, const Request& request) {
    count = in.u64();
    missing = in.u64();
    min = std::bit_cast<double>(in.u64());
    max = std::bit_cast<double>(in.u64());
    const bool ordered = count == 0 ? std::isinf(min) && std::isinf(max) && min > max
                                    : min <= max && std::isfinite(min) && std::isfinite(max);
    if (!in.ok() || count > kMaxCount || missing > kMaxCount || !ordered) return false;
    if (!sum.decode(in) || !squares.decode(in)) return false;
    if (!sketch.decode(in, request.quantiles.empty() ? 0 : count)) return false;
    for (uint64_t& bin : bins) bin = in.u64();
    return in.ok();
  }
};

class StatsState final : public RecordState {
 public:
  explicit StatsState(const Request& request) : request_(request), fields_(request.columns) {
    if (!request_.grouped) (void)cell({});  // a row even without a record
  }

  std::optional<Fault> map(const Record& record) override {
    if (auto fault = fields_.read(record)) return fault;
    if (!fields_.present()) return std::nullopt;
    std::string_view group;
    if (request_.grouped) {
      group = fields_.text(1);
      if (find_invalid_utf8(group) != std::string_view::npos)
        return Fault{fields_.offset_of(1), "the group is not UTF-8"};
      if (group.size() > kMaxGroupBytes) return Fault{fields_.offset_of(1), "the group is longer than 4096 bytes"};
      last_group_ = group;  // the next text() may overwrite what it refers to
    }
    const std::string_view text = fields_.text(0);
    if (text.empty()) {
      if (Cell* found = cell(last_group_)) ++found->missing;
      return std::nullopt;
    }
    const std::optional<double> value = parse_number(text);
    if (!value || std::abs(*value) > kMaxSummand)
      return Fault{fields_.offset_of(0),
                   fmt::format("column \"{}\": \"{}\" is no number{}", request_.column,
                               replace_invalid_utf8(text.substr(0, 100)), value ? " up to 1e120" : "")};
    if (Cell* found = cell(last_group_)) {
      const size_t before = found->counters();
      found->add(*value + 0.0, request_);  // no -0, of which and 0 either could come out as the smallest
      counters_ += found->counters() - before;
      check_bounds();
    }
    return std::nullopt;
  }

  void merge(RecordState& other_state) override {
    auto& other = static_cast<StatsState&>(other_state);
    if (other.too_many_) drop();
    for (const auto& [group, theirs] : other.cells_) {
      Cell* ours = cell(group);
      if (ours == nullptr) return;
      const size_t before = ours->counters();
      ours->merge(theirs);
      counters_ += ours->counters() - before;
      check_bounds();
    }
  }

  void encode(ByteWriter& out) const override {
    out.boolean(too_many_).u32(static_cast<uint32_t>(cells_.size()));
    for (const auto& [group, one] : cells_) {
      out.string(group);
      one.encode(out);
    }
  }

  bool decode(ByteReader& in) override {
    const bool too_many = in.boolean();
    constexpr size_t kCellBytes = 42;
    uint32_t left = in.count(kCellBytes);
    if (left > 1 && !request_.grouped) return false;
    for (; left > 0; --left) {
      const std::string group = in.string(kMaxGroupBytes);
      if (!in.ok() || find_invalid_utf8(group) != std::string::npos || (!request_.grouped && !group.empty()))
        return false;
      if (request_.grouped && cells_.contains(group)) return false;
      Cell* found = cell(group);
      if (found == nullptr || !found->decode(in, request_)) return false;
      counters_ += found->sketch.buckets();
      if (counters_ > kMaxCounters) return false;
    }
    if (too_many) drop();
    return in.ok();
  }

  Result<Table> finish() override {
    if (too_many_)
      return {Errc::too_big, fmt::format("more groups than {}, or more than {} counters of quantiles and histograms in "
                                         "all of them; --max-groups gives more",
                                         request_.most_groups, kMaxCounters)};
    Table table;
    if (request_.grouped) table.columns.push_back("group");
    for (const char* name : {"count", "missing", "sum", "min", "max", "mean", "variance"})
      table.columns.push_back(name);
    for (const double q : request_.quantiles) table.columns.push_back(fmt::format("q{}", q));
    if (!request_.edges.empty()) table.columns.push_back(fmt::format("below_{}", request_.edges.front()));
    for (const double edge : request_.edges) table.columns.push_back(fmt::format("from_{}", edge));
    for (const auto& [group, one] : cells_) table.rows.push_back(row_of(group, one));
    return table;
  }

 private:
  // Null when there are too many: nothing counts any more.
  Cell* cell(std::string_view group) {
    if (too_many_) return nullptr;
    auto found = cells_.find(group);
    if (found == cells_.end()) {
      found = cells_.emplace(group, Cell{}).first;
      if (!request_.edges.empty()) found->second.bins.resize(request_.edges.size() + 1);
      counters_ += found->second.bins.size();
      check_bounds();
      if (too_many_) return nullptr;
    }
    return &found->second;
  }
  void check_bounds() {
    if (cells_.size() > request_.most_groups || counters_ > kMaxCounters) drop();
  }
  void drop() {
    too_many_ = true;
    cells_.clear();
  }
  std::vector<Value> row_of(const std::string& group, const Cell& one) const {
    std::vector<Value> row;
    if (request_.grouped) row.emplace_back(group);
    const auto n = static_cast<double>(one.count);
    row.insert(row.end(), {one.count, one.missing, one.sum.total()});
    if (one.count > 0) {
      row.insert(row.end(), {one.min, one.max, one.sum.total() / n});
    } else {
      row.resize(row.size() + 3);
    }
    if (one.count > 1) {
      row.emplace_back(squared_deviations(one.count, one.sum, one.squares).total() / (n * (n - 1)));
    } else {
      row.emplace_back();
    }
    for (const double q : request_.quantiles) {
      row.emplace_back();
      if (one.count > 0) row.back() = std::clamp(one.sketch.quantile(q), one.min, one.max);
    }
    for (const uint64_t bin : one.bins) row.emplace_back(bin);
    return row;
  }

  const Request& request_;
  CsvFields fields_;
  std::string last_group_;  // empty without --group-by
  std::map<std::string, Cell, std::less<>> cells_;
  uint64_t counters_ = 0;  // of all cells
  bool too_many_ = false;
};

class Stats final : public Operator {
 public:
  Stats(const Job& job, Request request) : Operator(job), request_(std::move(request)) {}
  Needs needs() const override { return {.csv_heads = true, .quote_states = true}; }
  std::unique_ptr<Partial> empty() const override {
    return std::make_unique<RecordPartial>(files(), RecordFormat{Framing::csv}, std::make_unique<StatsState>(request_));
  }

 private:
  const Request request_;
};

// "LOW:HIGH:BINS"
Result<std::vector<double>> edges_of(const Arguments& arguments) {
  std::vector<double> edges;
  if (!arguments.contains("histogram")) return edges;
  ASSIGN(const std::vector<double> parts, numbers_of(arguments, "histogram", ':'));
  const bool three = parts.size() == 3;
  if (three && parts[2] >= 1 && parts[2] <= 1000 && parts[2] == std::floor(parts[2])) {
    for (double i = 0; i <= parts[2]; ++i) edges.push_back(parts[0] + (parts[1] - parts[0]) * (i / parts[2]));
  }
  const bool ascend = std::adjacent_find(edges.begin(), edges.end(), std::greater_equal<>()) == edges.end();
  if (edges.empty() || !ascend)
    return {Errc::invalid, fmt::format("--histogram \"{}\": LOW:HIGH:BINS is wanted, as 0:100:10, with 1 .. 1000 bins",
                                       arguments.at("histogram"))};
  return edges;
}

Result<std::unique_ptr<Operator>> make_stats(const Job& job) {
  Request request;
  request.column = text_of(job.arguments, "column", "");
  request.grouped = job.arguments.contains("group-by");
  ASSIGN(request.quantiles, numbers_of(job.arguments, "quantiles", ','));
  for (const double q : request.quantiles) {
    if (q < 0 || q > 1) return {Errc::invalid, fmt::format("--quantiles: {} is not within 0 .. 1", q)};
  }
  ASSIGN(request.edges, edges_of(job.arguments));
  ASSIGN(request.most_groups, count_of(job.arguments, "max-groups", 1, kMaxGroups, 10'000));
  ASSIGN(const char delimiter, delimiter_of(job.arguments));
  std::vector<std::string> names = {request.column};
  if (request.grouped) names.push_back(job.arguments.at("group-by"));
  ASSIGN(request.columns, CsvColumns::find(job.files, delimiter, names));
  return {std::make_unique<Stats>(job, std::move(request))};
}

}  // namespace

OperatorInfo stats_operator() {
  return {.name = "stats",
          .summary = "Count, sum, extremes, mean, variance, quantiles, histogram of a CSV column",
          .explains =
              "One row over all files, or one for each group: [group,]count,missing,sum,min,max,mean,variance, then "
              "q0.5 ...\nand the histogram's bins (below_LOW, from_LOW, ..., from_HIGH: how many values lie from there "
              "to the next).\nThe files are CSV (RFC 4180), each with a header. An empty field is missing; any other "
              "text must be a number\nwithin 1e120. sum is the true sum, rounded once; variance has n - 1 below. A "
              "quantile is within 0.4 % of the value\nat rank floor(q (n - 1)).\n"
              "Examples:\n"
              "  cairn task try stats --column amount /mnt/cairn/sales/*.csv\n"
              "  cairn task try stats --column amount --group-by city --quantiles 0.5,0.9,0.99 /mnt/cairn/sales/*.csv\n"
              "  cairn task try stats --column age --histogram 0:100:10 people.csv",
          .options = {{"column", "NAME", "The column with the numbers", OptionInfo::Kind::required},
                      {"group-by", "NAME", "A row for each text of this column, in the order of its bytes"},
                      {"quantiles", "Q,...", "Numbers from 0 to 1"},
                      {"histogram", "LOW:HIGH:BINS", "Counts in bins of equal width"},
                      {"max-groups", "N", "Fail when there are more groups (10000; at most 1000000)"},
                      {"delimiter", "C", "Between fields, instead of a comma; or the word tab"}},
          .needs = [](const Arguments&) { return Needs{.csv_heads = true, .quote_states = true}; },
          .make = make_stats};
}

}  // namespace cairn::tasks

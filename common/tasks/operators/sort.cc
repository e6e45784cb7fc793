// sort: the lines of all files, or the records of CSV files by a column, in order: more than any memory holds.
//
//   task     its whole records --> sorted runs beside the worker (sorted_runs.h)      the partial only lists them
//   merge    records on borders --> a run of its own; all runs, a piece of each in memory --> the result, as a stream
//
// So of a job's bytes nothing travels but once: from the worker that has sorted them to who merges.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/tasks/arguments.h"
#include "common/tasks/record_partial.h"
#include "common/tasks/registry.h"
#include "common/tasks/sorted_runs.h"

namespace cairn::tasks {
namespace {

constexpr uint64_t kMinMemory = 64u << 10, kMaxMemory = 1u << 30;
constexpr size_t kSinkBytes = 1u << 20;  // at once

// The first record of a CSV file, so that heads of other files compare: without byte order mark and line end.
std::string_view header_of(const InputFile& file) {
  std::string_view head = file.head;
  if (head.starts_with("\xef\xbb\xbf")) head.remove_prefix(3);
  if (head.ends_with('\n')) head.remove_suffix(1);
  if (head.ends_with('\r')) head.remove_suffix(1);
  return head;
}

class SortState final : public RecordState {
 public:
  SortState(const std::vector<InputFile>& files, const SortedRuns::Options& options)
      : files_(files), options_(options), keys_(options.order), runs_(files, options) {}

  void use_runs(RunStore& store) override { runs_.use(store); }
  std::optional<Fault> map(const Record& record) override {
    if (auto fault = keys_.read(record)) return fault;
    if (keys_.present()) runs_.add(record, keys_);
    return std::nullopt;
  }
  void merge(RecordState& other) override { runs_.merge(static_cast<SortState&>(other).runs_); }
  Status settle() override { return runs_.settle(); }
  void encode(ByteWriter& out) const override { runs_.encode(out); }
  bool decode(ByteReader& in) override { return runs_.decode(in); }
  Result<Table> finish() override { return {Errc::invalid, "what sort gives is no table, but a stream: write()"}; }
  Status write(const TextSink& sink, bool json_lines) override {
    std::string out;
    if (options_.order.columns && !json_lines) out.append(header_of(files_[0])).append("\n");
    TRY(runs_.each([&](std::string_view record) -> Status {
      if (json_lines) {
        const nlohmann::ordered_json object = {{"line", record}};
        out += object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
      } else {
        out += record;
      }
      out += '\n';
      if (out.size() < kSinkBytes) return {};
      const Status taken = sink(out);
      out.clear();
      return taken;
    }));
    return sink(out);
  }

 private:
  const std::vector<InputFile>& files_;
  const SortedRuns::Options& options_;
  RecordKeys keys_;
  SortedRuns runs_;
};

Needs needs_of(const Arguments& arguments) {
  const bool csv = arguments.contains("column");
  return {.csv_heads = csv, .quote_states = csv, .runs = true};
}

class Sort final : public Operator {
 public:
  Sort(const Job& job, SortedRuns::Options options)
      : Operator(job), needs_(needs_of(job.arguments)), options_(std::move(options)) {}
  Needs needs() const override { return needs_; }
  std::unique_ptr<Partial> empty() const override {
    const RecordFormat format{options_.order.columns ? Framing::csv : Framing::lines};
    return std::make_unique<RecordPartial>(files(), format, std::make_unique<SortState>(files(), options_));
  }

 private:
  const Needs needs_;
  const SortedRuns::Options options_;
};

Result<std::unique_ptr<Operator>> make_sort(const Job& job) {
  SortedRuns::Options options;
  ASSIGN(options.order, RecordOrder::of(job));
  options.unique = flag_of(job.arguments, "unique");
  ASSIGN(options.memory_bytes, size_of(job.arguments, "memory", "64M", kMinMemory, kMaxMemory));
  for (const InputFile& file : job.files) {
    if (options.order.columns && header_of(file) != header_of(job.files[0]))
      return {Errc::invalid, fmt::format("{} has another header than {}: sorted together they would be no CSV file",
                                         file.name, job.files[0].name)};
  }
  return {std::make_unique<Sort>(job, std::move(options))};
}

}  // namespace

OperatorInfo sort_operator() {
  return {
      .name = "sort",
      .summary = "Lines in the order of their bytes, or CSV records by a column; of any size",
      .explains =
          "Lines of all files as LC_ALL=C sort gives them, each with its \\n. With --column the files are CSV with the "
          "same\nheader, which comes first and once; records are compared by the bytes of this column's text, with "
          "--numeric by its\nnumber, empty fields before all. Records stay as they are but for their line ends, which "
          "become \\n, and empty\nlines, which are left out; equal ones stay in the order of the files. --reverse "
          "turns "
          "the order round and not that.\n--unique keeps the first of equal ones. Nothing is larger in memory than "
          "--memory while records are sorted, and 64 MiB\nto 256 MiB while they are merged; what is sorted is kept on "
          "the disks of the workers until the job is over.\n"
          "Examples:\n"
          "  cairn task try sort --unique /mnt/cairn/words/*.txt --out words.txt\n"
          "  cairn task try sort --column amount --numeric --reverse /mnt/cairn/sales/*.csv --out by-amount.csv",
      .options = {{"column", "NAME", "The files are CSV; sort by this column"},
                  {"numeric", "", "By the column's numbers"},
                  {"reverse", "", "The largest first"},
                  {"unique", "", "Of equal lines, or records with equal keys, the first alone"},
                  {"memory", "BYTES", "Sort so much at once, 64K to 1G (64M)"},
                  {"delimiter", "C", "Between fields, instead of a comma; or the word tab"}},
      .needs = needs_of,
      .make = make_sort};
}

}  // namespace cairn::tasks

// read: reads each file a number of times where it lies, and says how long that took.
//
// The figures of neighbouring ranges add up; how often the whole file was read is the least of its parts.
#include "common/tasks/file_figures.h"
#include "common/tasks/file_ranges.h"
#include "common/tasks/file_work.h"
#include "common/tasks/registry.h"

namespace cairn::tasks {
namespace {

struct Orders {
  FileOrders files;
  bool cold = false, warm = false;
};

struct ReadRange {
  FileFigures figures;

  void encode(ByteWriter& out) const { figures.encode(out); }
  static std::optional<ReadRange> decode(ByteReader& in, const RangeAt&) {
    const std::optional<FileFigures> figures = FileFigures::decode(in);
    return figures ? std::optional(ReadRange{*figures}) : std::nullopt;
  }
};

Status join(const RangeAt&, ReadRange& left, const ReadRange& right) {
  left.figures.times = std::min(left.figures.times, right.figures.times);
  left.figures.add(right.figures);
  return {};
}

Status read_once(const Split& split, FileWork& files, bool cold) {
  ASSIGN(const SplitBytes bytes, files.read(split, cold));
  for (uint64_t at = split.begin; at < split.end;) {
    ASSIGN(const std::string_view piece, bytes());
    if (piece.empty()) return {Errc::io, fmt::format("the bytes from {} on are missing", at)};
    at += piece.size();
  }
  return {};
}

class ReadPartial final : public Partial {
 public:
  ReadPartial(const std::vector<InputFile>& files, const Orders& orders)
      : Partial(files), orders_(orders), ranges_(files) {}

  Status work(const Split& split, FileWork& files) override {
    if (split.begin == split.end) return {};
    FileFigures figures;
    const uint64_t times = orders_.files.times(split.file);
    if (orders_.warm && times > 0) TRY(counted(read_once(split, files, false), figures));
    for (uint64_t left = times; left > 0; --left) {
      const Instant before = files.now();
      const Status read = read_once(split, files, orders_.cold);
      figures.took += files.now() - before;
      TRY(counted(read, figures));
      if (!read.ok()) continue;
      ++figures.times;
      figures.bytes += split.end - split.begin;
    }
    return ranges_.add(split.file, split.begin, split.end, {figures}, join);
  }
  Status merge(Partial& other) override { return ranges_.merge(static_cast<ReadPartial&>(other).ranges_, join); }
  void encode(ByteWriter& out) const override { ranges_.encode(out); }
  bool decode(ByteReader& in) override { return ranges_.decode(in); }
  Result<Table> finish() override {
    Table table{figure_columns(), {}};
    for (uint32_t file = 0; file < files_.size(); ++file) {
      ASSIGN(const ReadRange* const whole, ranges_.whole(file));
      const FileFigures nothing{.times = orders_.files.times(file)};  // of an empty file all reads are done at once
      const FileFigures& figures = whole == nullptr ? nothing : whole->figures;
      table.rows.push_back(figure_row(files_[file], orders_.files.partition(file), figures.times, 0, figures));
    }
    return table;
  }

 private:
  const Orders& orders_;
  FileRanges<ReadRange> ranges_;
};

class Read final : public Operator {
 public:
  Read(const Job& job, Orders orders) : Operator(job), orders_(std::move(orders)) {}
  Needs needs() const override { return {.file_work = true}; }
  std::unique_ptr<Partial> empty() const override { return std::make_unique<ReadPartial>(files(), orders_); }

 private:
  const Orders orders_;
};

Result<std::unique_ptr<Operator>> make_read(const Job& job) {
  Orders orders;
  ASSIGN(orders.files, FileOrders::of(job));
  orders.cold = flag_of(job.arguments, "cold");
  orders.warm = flag_of(job.arguments, "warm");
  if (orders.cold && orders.warm) return {Errc::invalid, "--cold and --warm: one of them"};
  return {std::make_unique<Read>(job, std::move(orders))};
}

}  // namespace

OperatorInfo read_operator() {
  return {
      .name = "read",
      .summary = "Reads each file a number of times where it lies: bytes, seconds, errors",
      .explains =
          "A row for each file: file,partition,reads,writes,bytes,seconds,errors. reads is how often the whole file "
          "was read,\nbytes and seconds are sums over all its parts and repetitions, and a read that failed is "
          "counted and the next one\ngoes on. Each byte is verified. --cold takes the bytes from the disk each "
          "time; --warm reads once more before,\nwhich is not counted.\n"
          "--times may be a list for the files in their order: 10*100,0,3*2. A table of tasks has one line for each "
          "file:\ncairn task run read --table TABLE.\n"
          "Examples:\n"
          "  cairn task run read --times 10 --warm /mnt/cairn/data\n"
          "  cairn task run read --cold '/mnt/cairn/data/*.bin' --out cold.csv",
      .options = {{"times", "N", "How often each file is read (1); 0 is never"},
                  {"cold", "", "From the disk, not from memory"},
                  {"warm", "", "Read once before, uncounted"},
                  {"partition", "NAME",
                   "What stands in the column partition; a list as --times, or count:N, bytes:SIZE, locality"}},
      .needs = [](const Arguments&) { return Needs{.file_work = true}; },
      .make = make_read};
}

}  // namespace cairn::tasks

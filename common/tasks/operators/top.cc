// top: the records with the largest (or smallest) numbers in a CSV column, or its most frequent texts.
//
// Extremes: a partial keeps as many records as are asked for; of equal numbers the first, by file and offset, counts as
// larger, so the answer is one and the same for every order of merges. Frequent: all texts are counted, exactly, up to
// a bound on different ones.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>
#include <tuple>

#include "common/tasks/arguments.h"
#include "common/tasks/csv_columns.h"
#include "common/tasks/numbers.h"
#include "common/tasks/record_partial.h"
#include "common/tasks/registry.h"
#include "common/tasks/utf8.h"

namespace cairn::tasks {
namespace {

constexpr uint64_t kMaxRows = 10'000;
constexpr uint64_t kMaxValues = 10'000'000;
constexpr size_t kMaxTextBytes = 4096;           // of a record that is shown, or of a text that is counted
constexpr uint64_t kMaxValueBytes = 256u << 20;  // of all texts that are counted

struct Request {
  CsvColumns columns;
  std::string column;
  uint64_t rows = 0, most_values = 0;
  bool smallest = false;
};

// The text of a record for the table: without its line end, at most kMaxTextBytes, cut between characters.
std::string shown(std::string_view record) {
  while (record.ends_with('\n') || record.ends_with('\r')) record.remove_suffix(1);
  if (record.size() <= kMaxTextBytes) return std::string(record);
  size_t end = kMaxTextBytes;
  while (end > 0 && (static_cast<uint8_t>(record[end]) & 0xc0) == 0x80) --end;
  return std::string(record.substr(0, end));
}

class ExtremesState final : public RecordState {
 public:
  ExtremesState(const std::vector<InputFile>& files, const Request& request)
      : files_(files), request_(request), fields_(request.columns) {}

  std::optional<Fault> map(const Record& record) override {
    if (auto fault = fields_.read(record)) return fault;
    if (!fields_.present()) return std::nullopt;
    const std::string_view text = fields_.text(0);
    if (text.empty()) return std::nullopt;
    const std::optional<double> value = parse_number(text);
    if (!value)
      return Fault{fields_.offset_of(0), fmt::format("column \"{}\": \"{}\" is no number", request_.column,
                                                     replace_invalid_utf8(text.substr(0, 100)))};
    Entry entry{request_.smallest ? -*value : *value, record.file, record.offset, {}};
    if (best_.size() == request_.rows && !(entry < *best_.rbegin())) return std::nullopt;
    entry.text = shown(record.bytes);
    offer(std::move(entry));
    return std::nullopt;
  }
  void merge(RecordState& other) override {
    for (const Entry& entry : static_cast<ExtremesState&>(other).best_) offer(entry);
  }
  void encode(ByteWriter& out) const override {
    out.u32(static_cast<uint32_t>(best_.size()));
    for (const Entry& entry : best_)
      out.u64(std::bit_cast<uint64_t>(entry.value)).u32(entry.file).u64(entry.offset).string(entry.text);
  }
  bool decode(ByteReader& in) override {
    const uint32_t count = in.count(24);
    if (count > request_.rows) return false;
    for (uint32_t left = count; left > 0; --left) {
      Entry entry{std::bit_cast<double>(in.u64()), in.u32(), in.u64(), in.string(kMaxTextBytes)};
      if (!in.ok() || !std::isfinite(entry.value) || entry.file >= files_.size() ||
          entry.offset >= files_[entry.file].size)
        return false;
      offer(std::move(entry));
    }
    return in.ok();
  }
  Result<Table> finish() override {
    Table table{{"value", "file", "offset", "record"}, {}};
    for (const Entry& entry : best_) {
      const std::string& name = files_[entry.file].name;
      if (const size_t bad = find_invalid_utf8(entry.text); bad != std::string::npos)
        return {Errc::invalid, fmt::format("{}: offset {}: the record is not UTF-8", name, entry.offset + bad)};
      table.rows.push_back({request_.smallest ? -entry.value : entry.value, name, entry.offset, entry.text});
    }
    return table;
  }

 private:
  struct Entry {
    double value;  // negated for the smallest
    uint32_t file;
    uint64_t offset;
    std::string text;
    bool operator<(const Entry& other) const {  // is to stand before
      return std::tuple(-value, file, offset) < std::tuple(-other.value, other.file, other.offset);
    }
  };
  void offer(Entry entry) {
    best_.insert(std::move(entry));
    if (best_.size() > request_.rows) best_.erase(std::prev(best_.end()));
  }

  const std::vector<InputFile>& files_;
  const Request& request_;
  CsvFields fields_;
  std::set<Entry> best_;  // at most request_.rows
};

class FrequentState final : public RecordState {
 public:
  explicit FrequentState(const Request& request) : request_(request), fields_(request.columns) {}

  std::optional<Fault> map(const Record& record) override {
    if (auto fault = fields_.read(record)) return fault;
    if (!fields_.present()) return std::nullopt;
    const std::string_view text = fields_.text(0);
    if (text.size() > kMaxTextBytes) return Fault{fields_.offset_of(0), "a text of more than 4096 bytes"};
    if (find_invalid_utf8(text) != std::string_view::npos) return Fault{fields_.offset_of(0), "the text is not UTF-8"};
    add(text, 1);
    return std::nullopt;
  }
  void merge(RecordState& other_state) override {
    auto& other = static_cast<FrequentState&>(other_state);
    if (other.too_many_) drop();
    for (const auto& [text, count] : other.counts_) add(text, count);
  }
  void encode(ByteWriter& out) const override {
    out.boolean(too_many_).u32(static_cast<uint32_t>(counts_.size()));
    for (const auto& [text, count] : counts_) out.string(text).u64(count);
  }
  bool decode(ByteReader& in) override {
    if (in.boolean()) drop();
    for (uint32_t left = in.count(12); left > 0; --left) {
      const std::string text = in.string(kMaxTextBytes);
      const uint64_t count = in.u64();
      if (!in.ok() || count == 0 || find_invalid_utf8(text) != std::string::npos) return false;
      add(text, count);
    }
    return in.ok();
  }
  Result<Table> finish() override {
    if (too_many_)
      return {Errc::too_big, fmt::format("column \"{}\" has more than {} different texts, or {} MiB of them; "
                                         "--max-values gives more",
                                         request_.column, request_.most_values, kMaxValueBytes >> 20)};
    using Row = std::pair<uint64_t, const std::string*>;
    std::vector<Row> rows;
    for (const auto& [text, count] : counts_) rows.emplace_back(count, &text);
    const size_t wanted = std::min<size_t>(rows.size(), request_.rows);
    std::partial_sort(
        rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(wanted), rows.end(),
        [](const Row& a, const Row& b) { return a.first != b.first ? a.first > b.first : *a.second < *b.second; });
    Table table{{"value", "count"}, {}};
    for (size_t i = 0; i < wanted; ++i) table.rows.push_back({*rows[i].second, rows[i].first});
    return table;
  }

 private:
  void add(std::string_view text, uint64_t count) {
    if (too_many_) return;
    auto found = counts_.find(text);
    if (found == counts_.end()) {
      found = counts_.emplace(text, 0).first;
      bytes_ += text.size();
      if (counts_.size() > request_.most_values || bytes_ > kMaxValueBytes) return drop();
    }
    found->second += count;
  }
  void drop() {
    too_many_ = true;
    counts_.clear();
  }

  const Request& request_;
  CsvFields fields_;
  std::map<std::string, uint64_t, std::less<>> counts_;
  uint64_t bytes_ = 0;  // of the texts
  bool too_many_ = false;
};

class Top final : public Operator {
 public:
  Top(const Job& job, Request request, bool frequent)
      : Operator(job), request_(std::move(request)), frequent_(frequent) {}
  Needs needs() const override { return {.csv_heads = true, .quote_states = true}; }
  std::unique_ptr<Partial> empty() const override {
    std::unique_ptr<RecordState> state;
    if (frequent_) {
      state = std::make_unique<FrequentState>(request_);
    } else {
      state = std::make_unique<ExtremesState>(files(), request_);
    }
    return std::make_unique<RecordPartial>(files(), RecordFormat{Framing::csv}, std::move(state));
  }

 private:
  const Request request_;
  const bool frequent_;
};

Result<std::unique_ptr<Operator>> make_top(const Job& job) {
  Request request;
  request.column = text_of(job.arguments, "column", "");
  request.smallest = flag_of(job.arguments, "smallest");
  const bool frequent = flag_of(job.arguments, "frequent");
  if (frequent && request.smallest) return {Errc::invalid, "--frequent and --smallest do not go together"};
  ASSIGN(request.rows, count_of(job.arguments, "rows", 1, kMaxRows, 10));
  ASSIGN(request.most_values, count_of(job.arguments, "max-values", 1, kMaxValues, 1'000'000));
  ASSIGN(const char delimiter, delimiter_of(job.arguments));
  ASSIGN(request.columns, CsvColumns::find(job.files, delimiter, {request.column}));
  return {std::make_unique<Top>(job, std::move(request), frequent)};
}

}  // namespace

OperatorInfo top_operator() {
  return {
      .name = "top",
      .summary = "Records with the largest numbers in a CSV column, or its most frequent texts",
      .explains =
          "Rows value,file,offset,record, the largest first; of equal numbers the one that stands first. The record "
          "is its\ntext in the file, at most 4096 bytes. With --frequent rows value,count: exact counts, of equal "
          "ones in the order of\nthe texts' bytes. The files are CSV (RFC 4180), each with a header. Empty fields "
          "are no numbers and are passed over.\n"
          "Examples:\n"
          "  cairn task try top --column amount --rows 20 /mnt/cairn/sales/*.csv\n"
          "  cairn task try top --column city --frequent /mnt/cairn/sales/*.csv",
      .options = {{"column", "NAME", "The column", OptionInfo::Kind::required},
                  {"rows", "N", "How many (10; at most 10000)"},
                  {"smallest", "", "The smallest numbers instead"},
                  {"frequent", "", "The most frequent texts instead"},
                  {"max-values", "N", "Fail when there are more different texts (1000000; at most 10000000)"},
                  {"delimiter", "C", "Between fields, instead of a comma; or the word tab"}},
      .needs = [](const Arguments&) { return Needs{.csv_heads = true, .quote_states = true}; },
      .make = make_top};
}

}  // namespace cairn::tasks

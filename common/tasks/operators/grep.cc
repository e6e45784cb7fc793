// grep: the lines that match a regular expression (RE2), with file and offset, or how many there are in each file.
//
// The partial holds counts, or the lines found; what may be found in all is bounded. RE2 takes time linear in the line
// and bounded memory, whatever the pattern is.
#include <fmt/format.h>
#include <re2/re2.h>

#include "common/tasks/arguments.h"
#include "common/tasks/found_lines.h"
#include "common/tasks/record_partial.h"
#include "common/tasks/registry.h"
#include "common/tasks/utf8.h"

namespace cairn::tasks {
namespace {

struct Pattern {
  std::unique_ptr<re2::RE2> expression;  // matching is const and safe from any thread
  bool invert = false, count = false, replace = false;
  uint64_t most_lines = 0;
};

class GrepState final : public RecordState {
 public:
  GrepState(const std::vector<InputFile>& files, const Pattern& pattern)
      : files_(files), pattern_(pattern), lines_(files, pattern.most_lines, pattern.replace) {}

  std::optional<Fault> map(const Record& record) override {
    std::string_view line = record.bytes;
    if (line.ends_with('\n')) line.remove_suffix(1);
    const bool found = re2::RE2::PartialMatch({line.data(), line.size()}, *pattern_.expression);
    if (found == pattern_.invert) return std::nullopt;
    if (pattern_.count) {
      ++counts_[record.file];
      return std::nullopt;
    }
    std::optional<Fault> fault = lines_.add(record.file, record.offset, line);
    if (fault) fault->what += ", --count does not mind";
    return fault;
  }

  void merge(RecordState& other_state) override {
    auto& other = static_cast<GrepState&>(other_state);
    for (const auto& [file, count] : other.counts_) counts_[file] += count;
    lines_.merge(other.lines_);
  }

  void encode(ByteWriter& out) const override {
    out.u32(static_cast<uint32_t>(counts_.size()));
    for (const auto& [file, count] : counts_) out.u32(file).u64(count);
    lines_.encode(out);
  }

  bool decode(ByteReader& in) override {
    for (uint32_t left = in.count(12); left > 0; --left) {
      const uint32_t file = in.u32();
      if (file >= files_.size() || !pattern_.count) return false;
      counts_[file] += in.u64();
    }
    return in.ok() && lines_.decode(in);
  }

  Result<Table> finish() override { return pattern_.count ? Result<Table>(count_table()) : lines_.table(); }

 private:
  Table count_table() const {
    Table table{{"file", "count"}, {}};
    for (uint32_t file = 0; file < files_.size(); ++file) {
      const auto found = counts_.find(file);
      table.rows.push_back({files_[file].name, found == counts_.end() ? uint64_t{0} : found->second});
    }
    return table;
  }

  const std::vector<InputFile>& files_;
  const Pattern& pattern_;
  std::map<uint32_t, uint64_t> counts_;
  FoundLines lines_;
};

class Grep final : public Operator {
 public:
  Grep(const Job& job, Pattern pattern) : Operator(job), pattern_(std::move(pattern)) {}
  Needs needs() const override { return {}; }
  std::unique_ptr<Partial> empty() const override {
    return std::make_unique<RecordPartial>(files(), RecordFormat{Framing::lines},
                                           std::make_unique<GrepState>(files(), pattern_));
  }

 private:
  const Pattern pattern_;
};

Result<std::unique_ptr<Operator>> make_grep(const Job& job) {
  const std::string text = text_of(job.arguments, "pattern", "");
  const bool bytes = flag_of(job.arguments, "bytes");
  Pattern pattern;
  pattern.invert = flag_of(job.arguments, "invert");
  pattern.count = flag_of(job.arguments, "count");
  pattern.replace = flag_of(job.arguments, "replace");
  ASSIGN(pattern.most_lines, count_of(job.arguments, "max-lines", 1, FoundLines::kMaxLines, 1'000'000));
  if (!bytes && find_invalid_utf8(text) != std::string::npos)
    return {Errc::invalid, "the pattern is not UTF-8; --bytes takes patterns and lines as bytes"};
  re2::RE2::Options options(bytes ? re2::RE2::Latin1 : re2::RE2::DefaultOptions);
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_case_sensitive(!flag_of(job.arguments, "ignore-case"));
  pattern.expression = std::make_unique<re2::RE2>(text, options);
  if (!pattern.expression->ok())
    return {Errc::invalid,
            fmt::format("the pattern \"{}\" is no regular expression of RE2: {}", text, pattern.expression->error())};
  return {std::make_unique<Grep>(job, std::move(pattern))};
}

}  // namespace

OperatorInfo grep_operator() {
  return {.name = "grep",
          .summary = "Lines that match a regular expression, with file and offset; or how many",
          .explains =
              "The syntax is RE2's (https://github.com/google/re2/wiki/Syntax). A row for each line that matches "
              "somewhere:\nfile,offset,line, in the order of the files; with --count one for each file: file,count. A "
              "line ends behind its \\n\nand is at most 16 MiB long.\n"
              "Examples:\n"
              "  cairn task try grep 'timed out after [0-9]+ s' /mnt/cairn/logs/*.log\n"
              "  cairn task try grep --count --ignore-case error /mnt/cairn/logs/*.log",
          .options = {{"pattern", "PATTERN", "The regular expression", OptionInfo::Kind::positional},
                      {"count", "", "How many lines match, for each file"},
                      {"ignore-case", "", "Upper and lower case are the same"},
                      {"invert", "", "The lines that do not match"},
                      {"bytes", "", "Pattern and lines are bytes (Latin-1) and not UTF-8"},
                      {"replace", "", "Write U+FFFD for bytes that are not UTF-8, instead of failing"},
                      {"max-lines", "N", "Fail when more lines match (1000000; at most 10000000)"}},
          .needs = [](const Arguments&) { return Needs{}; },
          .make = make_grep};
}

}  // namespace cairn::tasks

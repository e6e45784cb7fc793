// Near-data tasks: encoded partials, and the cutting of CSV and lines into records.
//
//   input: mode | operator | bytes of a partial (0), or a text and where to cut it (1)
//
// A partial that was accepted is written again as it was understood, merges and finishes; a text gives the same answer
// cut in two as it does whole.
#include "common/base/bytes.h"
#include "common/base/checksum.h"
#include "common/tasks/csv_record.h"
#include "common/tasks/quote_survey.h"
#include "common/tasks/registry.h"
#include "tests/fuzz/fuzz.h"
#include "tests/tasks/partials.h"

namespace cairn::fuzz {
namespace {

using namespace tasks;
constexpr size_t kEnvelopeBytes = 14;  // magic, version, fingerprint

Job job_of(uint32_t choice, std::vector<InputFile> files) {
  const std::vector<std::pair<std::string, Arguments>> jobs = {
      {"wc", {}},
      {"checksum", {}},
      {"checksum", {{"algorithm", "sha256"}}},
      {"grep", {{"pattern", "a"}, {"replace", "true"}}},
      {"grep", {{"pattern", "a"}, {"count", "true"}}},
      {"stats", {{"column", "v"}, {"group-by", "g"}, {"quantiles", "0,0.5"}, {"histogram", "0:9:3"}}},
      {"stats", {{"column", "v"}}},
      {"top", {{"column", "v"}, {"rows", "3"}}},
      {"top", {{"column", "g"}, {"frequent", "true"}}},
      {"dedup-report", {{"block", "512"}}},
      {"bsearch", {{"key", "a"}, {"prefix", "true"}}},
      {"bsearch", {{"key", "1"}, {"column", "v"}, {"numeric", "true"}, {"reverse", "true"}}},
      {"sort", {{"unique", "true"}}},
      {"sort", {}}};
  const auto& [op, arguments] = jobs[choice % jobs.size()];
  return {op, arguments, std::move(files)};
}
constexpr uint32_t kJobs = 14;

const std::string kText = "v,g\n1,\"x\ny\"\n-2.5,a\n";

std::unique_ptr<Operator> make(const Job& job) {
  auto made = make_operator(job);
  require(made.ok(), "the job is a good one");
  return std::move(made).value();
}

Status map_text(Partial& partial, const Split& split, std::string_view text) {
  return partial.map(split,
                     [&](uint64_t at, uint64_t end) -> Result<std::string_view> { return text.substr(at, end - at); });
}

std::string sealed(const Operator& op, std::string_view body) {
  ByteWriter out;
  out.u32(0x50545243).u16(1).u64(op.fingerprint()).raw(body);
  return out.u32(crc32c(bytes_of(out.view()))).take();
}

std::string answer_of(const Operator& op, Partial& partial) {
  if (op.needs().runs) {
    const auto text = text_of(partial);
    return text.ok() ? *text : text.error().what;
  }
  const auto table = partial.finish();
  if (!table.ok()) {
    require(!table.error().what.empty(), "an error says what is wrong");
    return table.error().what;
  }
  (void)to_json_lines(*table);
  return to_csv(*table);
}

void check_partial(uint32_t choice, Bytes body) {
  const std::vector<InputFile> files = {{"f", kText.size(), "v,g\n"}, {"g", 100, "g,v\n"}};
  const auto op = make(job_of(choice, files));
  const std::string bytes = sealed(*op, text_of(body));
  auto partial = decode_partial(*op, bytes);
  if (!partial.ok()) return require(partial.code() == Errc::corrupt, "a wrong partial is corrupt");
  const std::string again = encode_partial(*op, **partial);
  const auto twice = decode_partial(*op, again);
  require(twice.ok() && encode_partial(*op, **twice) == again, "a partial is read as it was written");
  Partials partials(*op);
  const auto good = partials.empty();
  const bool whole = op->needs().whole_files;
  const Status mapped = map_text(*good, {0, whole ? 0u : 3u, whole ? kText.size() : 9u}, kText);
  require(mapped.ok(), "a good split is mapped");
  (void)good->merge(**twice);  // may overlap, or not fit
  (void)answer_of(*op, *partials.with_runs(*std::move(partial)));
}

void check_cut(uint32_t choice, Input& input) {
  const Job example = job_of(choice, {});
  const size_t at = input.u16();
  std::string text = find_operator(example.op)->needs(example.arguments).csv_heads ? "v,g\n" : "";
  text += text_of(input.rest());
  const auto op = make(job_of(choice, {{"f", text.size(), std::string(first_csv_record(text, true).value())}}));
  Partials partials(*op);
  const auto whole = partials.empty();
  require(map_text(*whole, {0, 0, text.size()}, text).ok(), "a whole file is mapped");
  if (op->needs().whole_files) return (void)answer_of(*op, *whole);
  const uint64_t border = at % (text.size() + 1);
  std::vector<Split> splits = {{0, 0, border}, {0, border, text.size()}};
  QuoteSurvey survey(splits);
  for (size_t i = 0; i < splits.size(); ++i)
    survey.add(i, std::string_view(text).substr(splits[i].begin, splits[i].end - splits[i].begin));
  survey.finish();
  const auto left = partials.empty(), right = partials.empty();
  if (border == 0) splits[1].starts_inside_quotes = false;
  require(map_text(*left, splits[0], text).ok() && map_text(*right, splits[1], text).ok(), "both parts are mapped");
  require(right->merge(*left).ok(), "the parts fit together");
  require(answer_of(*op, *right) == answer_of(*op, *whole), "a cut changes nothing");
}

void one(Bytes bytes) {
  Input input(bytes);
  const uint32_t mode = input.below(2), choice = input.below(kJobs);
  if (mode == 0) return check_partial(choice, input.rest());
  check_cut(choice, input);
}

std::vector<std::string> seeds() {
  using namespace std::string_literals;
  std::vector<std::string> out;
  for (uint32_t choice = 0; choice < kJobs; ++choice) {
    const std::vector<InputFile> files = {{"f", kText.size(), "v,g\n"}, {"g", 100, "g,v\n"}};
    const auto op = make(job_of(choice, files));
    Partials partials(*op);
    const auto partial = partials.empty();
    const Split split{0, op->needs().whole_files ? 0u : 2u, kText.size()};
    require(map_text(*partial, split, kText).ok() && partial->settle().ok(), "a seed is mapped");
    const std::string bytes = encode_partial(*op, *partial);
    out.push_back("\0"s + static_cast<char>(choice) + bytes.substr(kEnvelopeBytes, bytes.size() - kEnvelopeBytes - 4));
    out.push_back("\1"s + static_cast<char>(choice) + "\x05\x00"s + kText.substr(4));
    out.push_back("\1"s + static_cast<char>(choice) + "\x09\x00"s + "1,\"a\"\"b\r\n\",x\r\n\n3,\"\n"s);
  }
  return out;
}

const Registered registered{{"tasks", one, seeds}};

}  // namespace
}  // namespace cairn::fuzz

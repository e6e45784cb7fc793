// Near-data tasks that work on files: encoded partials of their operators, tables of tasks, and values for each file.
//
//   input: which of them | its bytes
//
// A partial that was accepted is written again as it was understood, merges and finishes. A table that was accepted
// names each file once.
#include <set>

#include "common/base/bytes.h"
#include "common/base/checksum.h"
#include "common/tasks/per_file.h"
#include "common/tasks/registry.h"
#include "common/tasks/task_table.h"
#include "tests/fuzz/fuzz.h"
#include "tests/tasks/memory_files.h"

namespace cairn::fuzz {
namespace {

using namespace tasks;
constexpr size_t kEnvelopeBytes = 14;  // magic, version, fingerprint
constexpr uint32_t kOperators = 4, kTable = 4, kList = 5, kKinds = 6;

const std::vector<std::string> kTexts = {"a text of forty bytes, more or less", "", "b"};

std::unique_ptr<Operator> make(uint32_t choice) {
  const std::vector<std::pair<std::string, Arguments>> jobs = {{"read", {{"times", "2,1,0"}}},
                                                               {"write", {{"partition", "p0*2,p1"}}},
                                                               {"generate", {{"size", "10"}}},
                                                               {"convert", {{"policy", "ec(2,1)"}}}};
  const auto& [op, arguments] = jobs[choice % kOperators];
  Job job{op, arguments, {}};
  for (const std::string& text : kTexts) job.files.push_back({"f" + std::to_string(job.files.size()), text.size(), {}});
  auto made = make_operator(job);
  require(made.ok(), "the job is a good one");
  return std::move(made).value();
}

std::unique_ptr<Partial> worked(const Operator& op, const std::vector<uint32_t>& files) {
  MemoryFiles memory(kTexts);
  auto partial = op.empty();
  for (const uint32_t file : files)
    require(partial->work({file, 0, kTexts[file].size()}, memory).ok(), "good files are worked on");
  return partial;
}

void check_partial(uint32_t choice, Bytes body) {
  const auto op = make(choice);
  ByteWriter out;
  out.u32(0x50545243).u16(1).u64(op->fingerprint()).raw(text_of(body));
  const std::string bytes = out.u32(crc32c(bytes_of(out.view()))).take();
  const auto partial = decode_partial(*op, bytes);
  if (!partial.ok()) return require(partial.code() == Errc::corrupt, "a wrong partial is corrupt");
  const std::string again = encode_partial(*op, **partial);
  const auto twice = decode_partial(*op, again);
  require(twice.ok() && encode_partial(*op, **twice) == again, "a partial is read as it was written");
  (void)worked(*op, {0})->merge(**twice);  // may be there already
  (*partial)->not_taken(1, "gone");
  const auto table = (*partial)->finish();
  require(table.ok() || !table.error().what.empty(), "an error says what is wrong");
}

void check_table(std::string_view text) {
  const auto entries = parse_task_table(text);
  if (!entries.ok()) return require(entries.code() == Errc::invalid, "a wrong table is invalid");
  std::set<std::string> names;
  for (const TableEntry& entry : *entries)
    require(!entry.file.empty() && names.insert(entry.file).second, "each file is named once");
}

void check_list(const std::string& text) {
  const Job job{"read", {{"times", text}}, {{"a", 0, {}}, {"b", 0, {}}, {"c", 0, {}}}};
  const auto values = PerFile::numbers(job, "times", 0, 1000);
  if (!values.ok()) return require(values.code() == Errc::invalid, "a wrong list is invalid");
  for (const uint32_t file : {0u, 1u, 2u}) require(values->number(file) <= 1000, "each file has a value");
}

void one(Bytes bytes) {
  Input input(bytes);
  const uint32_t kind = input.below(kKinds);
  if (kind < kOperators) return check_partial(kind, input.rest());
  if (kind == kTable) return check_table(text_of(input.rest()));
  check_list(std::string(text_of(input.rest())));
}

std::vector<std::string> seeds() {
  std::vector<std::string> out;
  for (uint32_t choice = 0; choice < kOperators; ++choice) {
    const auto op = make(choice);
    const std::string bytes = encode_partial(*op, *worked(*op, {0, 1, 2}));
    out.push_back(static_cast<char>(choice) + bytes.substr(kEnvelopeBytes, bytes.size() - kEnvelopeBytes - 4));
  }
  for (const char* table :
       {"file,reads,writes,size,partition\na,1,2,3K,p\n\"b,c\",,1,,\n",
        "{\"file\": \"a\", \"reads\": 3}\n{\"file\": \"b\", \"size\": \"1M\", \"partition\": null}\n"})
    out.push_back(static_cast<char>(kTable) + std::string(table));
  for (const char* list : {"7", "1,2,3", "10*2,0", "1K*3"}) out.push_back(static_cast<char>(kList) + std::string(list));
  return out;
}

const Registered registered{{"file_tasks", one, seeds}};

}  // namespace
}  // namespace cairn::fuzz

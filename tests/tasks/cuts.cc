#include "tests/tasks/cuts.h"

#include <algorithm>

#include "common/tasks/csv_record.h"
#include "common/tasks/quote_survey.h"
#include "tests/tasks/partials.h"

namespace cairn::tasks {
namespace {

std::vector<Split> random_splits(const Operator& op, const std::vector<std::string>& texts, Random& random,
                                 uint64_t mean_split) {
  std::vector<Split> splits;
  for (uint32_t file = 0; file < texts.size(); ++file) {
    const uint64_t size = texts[file].size();
    for (uint64_t begin = 0; begin < size;) {
      const uint64_t end = op.needs().whole_files ? size : std::min(size, begin + random.below(2 * mean_split + 1));
      splits.push_back({file, begin, end});  // may be empty
      begin = end;
    }
  }
  if (op.needs().quote_states) {
    QuoteSurvey survey(splits);
    for (size_t i = 0; i < splits.size(); ++i)
      survey.add(i, std::string_view(texts[splits[i].file]).substr(splits[i].begin, splits[i].end - splits[i].begin));
    survey.finish();
  }
  std::shuffle(splits.begin(), splits.end(), random);
  return splits;
}

std::string answer_of(Partial& partial) {
  const Result<std::string> text = text_of(partial);
  return text.ok() ? *text : "error: " + text.error().what;
}

}  // namespace

Job job_of(const std::string& op, const Arguments& arguments, const std::vector<std::string>& texts) {
  Job job{op, arguments, {}};
  const OperatorInfo* info = find_operator(op);
  for (size_t i = 0; i < texts.size(); ++i) {
    InputFile file{"f" + std::to_string(i), texts[i].size(), {}};
    if (info->needs(arguments).csv_heads) file.head = first_csv_record(texts[i], true).value();
    job.files.push_back(std::move(file));
  }
  return job;
}

Status map_text(Partial& partial, const Split& split, const std::string& text, size_t piece_bytes) {
  return partial.map(split, [&](uint64_t at, uint64_t end) -> Result<std::string_view> {
    return std::string_view(text).substr(at, std::min<uint64_t>(piece_bytes, end - at));
  });
}

std::string answer_whole(const Operator& op, const std::vector<std::string>& texts) {
  Partials partials(op);
  const std::unique_ptr<Partial> partial = partials.empty();
  for (uint32_t file = 0; file < texts.size(); ++file) {
    const Status mapped = map_text(*partial, {file, 0, texts[file].size()}, texts[file], texts[file].size() + 1);
    if (!mapped.ok()) return "failed: " + mapped.error().what;
  }
  return answer_of(*partial);
}

std::string answer_cut(const Operator& op, const std::vector<std::string>& texts, Random& random, uint64_t mean_split) {
  const std::vector<Split> splits = random_splits(op, texts, random, mean_split);
  Partials partials(op);
  std::vector<std::unique_ptr<Partial>> tasks;
  for (uint64_t count = 1 + random.below(8); count > 0; --count) tasks.push_back(partials.empty());
  for (const Split& split : splits) {
    const Status mapped = map_text(*tasks[random.below(tasks.size())], split, texts[split.file], 1 + random.below(20));
    if (!mapped.ok()) return "failed: " + mapped.error().what;
  }
  while (tasks.size() > 1) {
    std::swap(tasks[random.below(tasks.size())], tasks.back());
    const Status settled = tasks.back()->settle();
    if (!settled.ok()) return "failed: " + settled.error().what;
    const std::string bytes = encode_partial(op, *tasks.back());
    tasks.pop_back();
    Result<std::unique_ptr<Partial>> received = decode_partial(op, bytes);
    if (!received.ok()) return "failed: " + received.error().what;
    const Status merged = tasks[random.below(tasks.size())]->merge(**received);
    if (!merged.ok()) return "failed: " + merged.error().what;
  }
  return answer_of(*tasks[0]);
}

}  // namespace cairn::tasks

#include "tools/cairn/local_tasks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>

#include "common/base/errno_error.h"
#include "common/base/thread.h"
#include "common/base/unique_fd.h"
#include "common/tasks/csv_head.h"
#include "common/tasks/line_border.h"
#include "common/tasks/quote_survey.h"
#include "common/tasks/registry.h"
#include "tools/cairn/temporary_runs.h"

namespace cairn::tools {
namespace {

using namespace tasks;
constexpr size_t kReadBytes = 1u << 20;
constexpr uint64_t kMaxSplits = 8u << 20;  // 256 MiB of them

// A file as it was when the job began.
struct Source {
  std::string path;
  uint64_t size = 0;
  timespec changed{};
};

Result<Source> look_at(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return file_error("stat", path, errno);
  if (!S_ISREG(found.st_mode)) return {Errc::invalid, path + " is not a regular file"};
  return Source{path, static_cast<uint64_t>(found.st_size), found.st_mtim};
}

Status still_the_same(const Source& source) {
  ASSIGN(const Source now, look_at(source.path));
  if (now.size == source.size && now.changed.tv_sec == source.changed.tv_sec &&
      now.changed.tv_nsec == source.changed.tv_nsec)
    return {};
  return {Errc::busy, source.path + " was changed while it was read; split the task again"};
}

// Reads ranges of files, one file open at a time. For one thread.
class Reader {
 public:
  explicit Reader(const std::vector<Source>& sources) : sources_(sources), buffer_(kReadBytes, '\0') {}
  Status open(uint32_t file) {
    if (file == file_) return {};
    const std::string& path = sources_[file].path;
    fd_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd_.valid()) return file_error("open", path, errno);
    file_ = file;
    return {};
  }
  // The bytes [at, end) of the open file, or its first piece; empty only at end, or where the file ends too early.
  Result<std::string_view> piece(uint64_t at, uint64_t end) {
    const size_t wanted = std::min<uint64_t>(buffer_.size(), end - at);
    ssize_t got = 0;
    do {
      got = ::pread(fd_.get(), buffer_.data(), wanted, static_cast<off_t>(at));
    } while (got < 0 && errno == EINTR);
    if (got < 0) return file_error("read", fmt::format("{}: offset {}", sources_[file_.value()].path, at), errno);
    return std::string_view(buffer_).substr(0, static_cast<size_t>(got));
  }

 private:
  const std::vector<Source>& sources_;
  std::string buffer_;
  UniqueFd fd_;
  std::optional<uint32_t> file_;
};

Result<std::string> read_head(const Source& source) {
  const std::vector<Source> alone = {source};
  Reader reader(alone);
  TRY(reader.open(0));
  return read_csv_head(source.path, source.size, [&](uint64_t at, uint64_t end) { return reader.piece(at, end); });
}

Result<std::vector<Split>> cut(const std::vector<InputFile>& files, const Needs& needs, uint64_t split_bytes) {
  std::vector<Split> splits;
  for (uint32_t file = 0; file < files.size(); ++file) {
    const uint64_t size = files[file].size, step = needs.whole_files ? std::max<uint64_t>(size, 1) : split_bytes;
    if (splits.size() + size / step > kMaxSplits)
      return {Errc::invalid,
              fmt::format("splits of {} bytes would be more than {}; take larger ones", step, kMaxSplits)};
    for (uint64_t begin = 0; begin < size; begin += std::min(step, size - begin))
      splits.push_back({file, begin, begin + std::min(step, size - begin)});
  }
  return splits;
}

// With their borders moved on to those of lines; those within a line vanish.
Result<std::vector<Split>> at_lines(const std::vector<Split>& splits, const std::vector<InputFile>& files,
                                    Reader& reader) {
  std::vector<Split> out;
  for (const Split& split : splits) {
    TRY(reader.open(split.file));
    ASSIGN(const Split moved,
           of_whole_lines(split, files[split.file], [&](uint64_t at, uint64_t end) { return reader.piece(at, end); }));
    if (moved.begin < moved.end) out.push_back(moved);
  }
  return out;
}

// Calls work(thread, split index) for each split, from several threads; the first failure ends all.
template <typename Work>
Status for_each_split(size_t splits, uint32_t threads, Work work) {
  std::atomic<size_t> next{0};
  std::vector<Status> results(threads);
  std::vector<Thread> running;
  for (uint32_t thread = 0; thread < threads; ++thread) {
    running.emplace_back("task", [&, thread] {
      for (size_t split; results[thread].ok() && (split = next.fetch_add(1)) < splits;) {
        results[thread] = work(thread, split);
        if (!results[thread].ok()) next = splits;
      }
    });
  }
  for (Thread& thread : running) thread.join();
  for (const Status& result : results) TRY(result);
  return {};
}

Status survey_split(QuoteSurvey& survey, size_t index, Reader& reader, const Split& split) {
  TRY(reader.open(split.file));
  for (uint64_t at = split.begin; at < split.end;) {
    ASSIGN(const std::string_view piece, reader.piece(at, split.end));
    if (piece.empty()) break;  // the mapping will say so
    survey.add(index, piece);
    at += piece.size();
  }
  return {};
}

Status survey_quotes(std::vector<Split>& splits, std::vector<Reader>& readers) {
  QuoteSurvey survey(splits);
  TRY(for_each_split(splits.size(), static_cast<uint32_t>(readers.size()),
                     [&](uint32_t thread, size_t i) { return survey_split(survey, i, readers[thread], splits[i]); }));
  survey.finish();
  return {};
}

Status map_split(Partial& partial, Reader& reader, const Split& split) {
  TRY(reader.open(split.file));
  return partial.map(split, [&](uint64_t at, uint64_t end) { return reader.piece(at, end); });
}

// Into the first of the partials, one for each thread.
Status map_all(const Operator& op, std::vector<Split>& splits, std::vector<Reader>& readers,
               std::vector<std::unique_ptr<Partial>>& partials) {
  if (op.needs().quote_states) TRY(survey_quotes(splits, readers));
  TRY(for_each_split(splits.size(), static_cast<uint32_t>(readers.size()), [&](uint32_t thread, size_t i) {
    return map_split(*partials[thread], readers[thread], splits[i]);
  }));
  for (size_t i = 1; i < partials.size(); ++i) TRY(partials[0]->merge(*partials[i]));
  return {};
}

Status run_job(const Operator& op, const std::vector<Source>& sources, const LocalOptions& options,
               const TextSink& sink) {
  ASSIGN(std::vector<Split> splits, cut(op.files(), op.needs(), options.split_bytes));
  std::vector<Reader> readers;
  TemporaryRuns::All runs;
  std::vector<std::unique_ptr<Partial>> partials;
  if (op.needs().whole_lines) {
    Reader reader(sources);
    ASSIGN(splits, at_lines(splits, op.files(), reader));
  }
  for (size_t left = std::clamp<size_t>(splits.size(), 1, options.threads); left > 0; --left) {
    readers.emplace_back(sources);
    partials.push_back(op.empty());
    runs.push_back(std::make_unique<TemporaryRuns>(runs, static_cast<uint32_t>(runs.size())));
    partials.back()->use_runs(*runs.back());
  }
  const Status mapped = map_all(op, splits, readers, partials);
  for (const Source& source : sources) TRY(still_the_same(source));  // says more than what follows from a change
  TRY(mapped);
  return partials[0]->write(sink, options.json_lines);
}

}  // namespace

Status run_locally(const std::string& op, const Arguments& arguments, const std::vector<std::string>& paths,
                   const LocalOptions& options, const TextSink& sink) {
  Job job{op, arguments, {}};
  const OperatorInfo* info = find_operator(op);
  const Needs needs = info == nullptr ? Needs{} : info->needs(arguments);
  if (needs.file_work) return {Errc::not_supported, op + " works on the files of a cluster: cairn task run " + op};
  std::vector<Source> sources;
  for (const std::string& path : paths) {
    ASSIGN(Source source, look_at(path));
    InputFile file{path, source.size, {}};
    if (needs.csv_heads) {
      ASSIGN(file.head, read_head(source));
    }
    sources.push_back(std::move(source));
    job.files.push_back(std::move(file));
  }
  ASSIGN(const std::unique_ptr<Operator> made, make_operator(job));
  made->use_programs(options.programs);
  return run_job(*made, sources, options, sink);
}

}  // namespace cairn::tools

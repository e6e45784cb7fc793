// exec: a user's program over each split's lines, and what it writes in the order of files and offsets; or a second
// program over all of that.
//
//   split 0 --program--> text \                         the splits begin and end at borders of lines (Needs), so a
//   split 1 --program--> text  +-- in order --> text    program sees whole lines, each line in one run
//   split 2 --program--> text /     or --merge program
//
// The only operator whose result may depend on the cut: a program that counts lines writes one number for each split.
// Merging is concatenation of ranges that meet, so the shape of the tree of merges does not matter.
#include <fmt/format.h>

#include "common/base/config.h"
#include "common/base/thread.h"
#include "common/tasks/arguments.h"
#include "common/tasks/file_ranges.h"
#include "common/tasks/program_runner.h"
#include "common/tasks/registry.h"

namespace cairn::tasks {
namespace {

constexpr uint64_t kMaxTextBytes = 256u << 20;  // of all that the programs write

struct Written {
  std::string text;
  void encode(ByteWriter& out) const { out.string(text); }
  static std::optional<Written> decode(ByteReader& in, const RangeAt&) {
    Written written{in.string(kMaxTextBytes)};
    if (!in.ok()) return std::nullopt;
    return written;
  }
};

Status join(const RangeAt&, Written& left, Written& right) {
  left.text += right.text;
  right.text = {};
  return {};
}

struct Orders {
  ProgramOrder map;
  std::string merge;  // a command; empty: none
};

class ExecPartial final : public StreamPartial {
 public:
  ExecPartial(const std::vector<InputFile>& files, const Orders& orders, ProgramRunner* runner)
      : StreamPartial(files), orders_(orders), runner_(runner), ranges_(files) {}

  Status merge(Partial& other_partial) override {
    auto& other = static_cast<ExecPartial&>(other_partial);
    TRY(count(other.bytes_));
    return ranges_.merge(other.ranges_, join);
  }
  void encode(ByteWriter& out) const override {
    out.u64(bytes_);
    ranges_.encode(out);
  }
  bool decode(ByteReader& in) override {
    bytes_ = in.u64();
    return bytes_ <= kMaxTextBytes && ranges_.decode(in);
  }
  void cancel() override {
    const Lock lock(mutex_);
    cancelled_ = true;
    if (running_ != nullptr) running_->cancel();
  }
  Result<Table> finish() override {
    std::string all;
    for (uint32_t file = 0; file < files_.size(); ++file) {
      ASSIGN(const Written* written, ranges_.whole(file));
      if (written != nullptr) all += written->text;
    }
    if (!orders_.merge.empty()) {
      ASSIGN(all, merged(all));
    }
    return Table{{"output"}, {{std::move(all)}}, true};
  }

 protected:
  Status start(const Split& split) override {
    if (runner_ == nullptr) return {Errc::not_supported, "exec: nothing here runs programs"};
    split_ = split;
    status_ = {};
    ends_line_ = true;
    ProgramOrder order = orders_.map;
    order.environment = {{"CAIRN_FILE", files_[split.file].name},
                         {"CAIRN_BEGIN", std::to_string(split.begin)},
                         {"CAIRN_END", std::to_string(split.end)}};
    ASSIGN(run_, runner_->start(order));
    set_running(run_.get());
    return {};
  }
  void feed(std::string_view bytes) override {
    if (!status_.ok() || bytes.empty()) return;
    ends_line_ = bytes.back() == '\n';
    status_ = run_->feed(bytes);
  }
  Status close() override {
    const Running run(*this, std::move(run_));
    if (!status_.ok()) return at_split(status_.error());
    if (!ends_line_ && split_.end != files_[split_.file].size)
      return at_split({Errc::invalid, "the split ends within a line; exec wants whole ones"});
    Result<std::string> written = run->finish();
    if (!written.ok()) return at_split(written.error());
    if (const Status counted = count(written->size()); !counted.ok()) return at_split(counted.error());
    return ranges_.add(split_.file, split_.begin, split_.end, Written{*std::move(written)}, join);
  }

 private:
  // A program until its end, which cancel() may bring about.
  class Running {
   public:
    Running(ExecPartial& partial, std::unique_ptr<ProgramRun> run) : partial_(partial), run_(std::move(run)) {}
    ~Running() { partial_.set_running(nullptr); }
    Running(const Running&) = delete;
    ProgramRun* operator->() const { return run_.get(); }

   private:
    ExecPartial& partial_;
    const std::unique_ptr<ProgramRun> run_;
  };
  void set_running(ProgramRun* run) {
    const Lock lock(mutex_);
    running_ = run;
    if (cancelled_ && run != nullptr) run->cancel();
  }
  Error at_split(const Error& error) const {
    return {error.code,
            fmt::format("{}: offset {} .. {}: {}", files_[split_.file].name, split_.begin, split_.end, error.what)};
  }
  Status count(uint64_t bytes) {
    bytes_ += bytes;
    if (bytes_ <= kMaxTextBytes) return {};
    return {Errc::too_big, fmt::format("the programs wrote more than {} in all", format_size(kMaxTextBytes))};
  }
  Result<std::string> merged(std::string_view all) {
    if (runner_ == nullptr) return {Errc::not_supported, "exec: nothing here runs programs"};
    ProgramOrder order = orders_.map;
    order.command = orders_.merge;
    const auto of_merge = [](const Error& error) { return Error{error.code, "--merge: " + error.what}; };
    Result<std::unique_ptr<ProgramRun>> started = runner_->start(order);
    if (!started.ok()) return of_merge(started.error());
    const Running run(*this, *std::move(started));
    set_running(run.operator->());
    if (const Status fed = run->feed(all); !fed.ok()) return of_merge(fed.error());
    Result<std::string> out = run->finish();
    if (!out.ok()) return of_merge(out.error());
    return out;
  }

  const Orders& orders_;
  ProgramRunner* const runner_;
  FileRanges<Written> ranges_;
  uint64_t bytes_ = 0;  // of all texts
  Split split_;
  std::unique_ptr<ProgramRun> run_;  // of split_, while it is mapped
  Status status_;                    // of its feeding
  bool ends_line_ = true;            // what was fed last
  Mutex mutex_;
  ProgramRun* running_ = nullptr;  // guarded by mutex_, as cancelled_
  bool cancelled_ = false;
};

class Exec final : public Operator {
 public:
  Exec(const Job& job, Orders orders) : Operator(job), orders_(std::move(orders)) {}
  Needs needs() const override { return {.whole_lines = true}; }
  void use_programs(ProgramRunner& runner) override { runner_ = &runner; }
  std::unique_ptr<Partial> empty() const override { return std::make_unique<ExecPartial>(files(), orders_, runner_); }

 private:
  const Orders orders_;
  ProgramRunner* runner_ = nullptr;
};

Result<Duration> time_of(const Arguments& arguments, const std::string& name, const std::string& absent) {
  ASSIGN(const Duration time, parse_duration(text_of(arguments, name, absent)));
  if (time >= 1ms && time <= 24h) return time;
  return {Errc::invalid, fmt::format("--{}: from 1ms to 24h", name)};
}

Result<std::unique_ptr<Operator>> make_exec(const Job& job) {
  constexpr uint64_t kMiB = 1u << 20, kGiB = 1u << 30;
  Orders orders;
  orders.map.command = text_of(job.arguments, "command", "");
  orders.map.shipped = text_of(job.arguments, "program", "");
  orders.merge = text_of(job.arguments, "merge", "");
  if (orders.map.command.empty()) return {Errc::invalid, "exec: the command is empty"};
  if ((orders.map.command + orders.merge).find('\0') != std::string::npos)
    return {Errc::invalid, "exec: a NUL byte in the command"};
  ASSIGN(orders.map.wall, time_of(job.arguments, "time", "10m"));
  ASSIGN(orders.map.cpu, time_of(job.arguments, "cpu", "10m"));
  ASSIGN(orders.map.memory_bytes, size_of(job.arguments, "memory", "512M", 16 * kMiB, 64 * kGiB));
  ASSIGN(orders.map.scratch_bytes, size_of(job.arguments, "scratch", "64M", kMiB, 64 * kGiB));
  ASSIGN(const uint64_t processes, count_of(job.arguments, "processes", 1, 256, 32));
  orders.map.processes = static_cast<uint32_t>(processes);
  orders.map.output_bytes = kMaxTextBytes;
  return {std::make_unique<Exec>(job, std::move(orders))};
}

}  // namespace

OperatorInfo exec_operator() {
  return {
      .name = "exec",
      .summary = "A program of yours over each split's lines, in a sandbox",
      .explains =
          "COMMAND is a line for sh. It gets the lines of one split on standard input, whole and in order, and what "
          "it\nwrites is put together in the order of files and offsets. It runs once for each split: a command that "
          "works on\neach line alone (awk, sed, grep) gives the same for every cut; one that counts or sorts gives a "
          "result for each\nsplit, which --merge puts together: it gets all that was written, and writes the result.\n"
          "An exit code that is not 0 ends the task with file, offset and the end of standard error; grep's 1 for "
          "\"no line\nmatches\" too: write grep ... || true.\n"
          "The sandbox has no network, no files but /usr (read-only), /scratch (empty, --scratch bytes) and "
          "/job/program\n(--program), and bounds on everything. CAIRN_FILE, CAIRN_BEGIN and CAIRN_END name the split. "
          "docs/sandbox.md\n"
          "Examples:\n"
          "  cairn task try exec \"awk -F, '{ print \\$3 }'\" /mnt/cairn/sales/*.csv\n"
          "  cairn task try exec sort --merge sort /mnt/cairn/logs/*.log\n"
          "  cairn task try exec 'sort | uniq -c' --merge 'awk \"{ n[\\$2] += \\$1 } END { for (k in n) print k, "
          "n[k] }\"' words.txt\n"
          "  cairn task try exec --program clean.py '/job/program --strict' /mnt/cairn/raw/*.csv --out clean.csv\n"
          "On a cluster (cairn task run exec) a split is about --task-bytes of a file, and its server reads those "
          "cells "
          "that lie\nelsewhere over the network.",
      .options = {{"command", "COMMAND", "The command line, for sh -c", OptionInfo::Kind::positional},
                  {"program", "FILE", "A script (#!) or program of at most 64 KiB, which is shipped: /job/program",
                   OptionInfo::Kind::optional, true},
                  {"merge", "COMMAND", "A second command, over all that the first wrote"},
                  {"time", "TIME", "The most that one run may take (10m)"},
                  {"cpu", "TIME", "The most cpu time of one run (10m)"},
                  {"memory", "BYTES", "The most memory of one run (512M)"},
                  {"scratch", "BYTES", "The size of /scratch (64M)"},
                  {"processes", "N", "The most processes and threads of one run (32)"}},
      .needs = [](const Arguments&) { return Needs{.whole_lines = true}; },
      .make = make_exec};
}

}  // namespace cairn::tasks

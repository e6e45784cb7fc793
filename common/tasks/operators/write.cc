// write: gives each file a new content a number of times, each of them durable; the last one becomes the file's when
// the task's result counts.
#include "common/tasks/file_figures.h"
#include "common/tasks/file_rows.h"
#include "common/tasks/new_content.h"
#include "common/tasks/registry.h"

namespace cairn::tasks {
namespace {

struct Orders {
  FileOrders files;
  ContentOrders contents;
};

class WritePartial final : public FileRowsPartial<FileFigures> {
 public:
  WritePartial(const std::vector<InputFile>& files, const Orders& orders) : FileRowsPartial(files), orders_(orders) {}

 protected:
  Result<FileFigures> work_on(const Split& split, FileWork& files) override {
    const uint64_t times = orders_.files.times(split.file);
    FileFigures figures;
    if (times == 0) return figures;
    ASSIGN(const std::unique_ptr<NewContent> content, files.replace(split.file, ""));
    bool whole = false;
    for (uint64_t round = 0; round < times; ++round) {
      const ContentOf wanted = orders_.contents.content(files_, split.file, round);
      const Instant before = files.now();
      const Status filled = fill(*content, wanted);
      figures.took += files.now() - before;
      TRY(counted(filled, figures));
      whole = filled.ok();
      if (!whole) continue;
      ++figures.times;
      figures.bytes += wanted.size;
    }
    if (whole) content->give(false);
    return figures;
  }
  void was_not_taken(FileFigures& figures, const std::string&) override { ++figures.errors; }
  std::vector<std::string> columns() const override { return figure_columns(); }
  Result<std::vector<Value>> values(uint32_t file, const FileFigures& figures) const override {
    return figure_row(files_[file], orders_.files.partition(file), 0, figures.times, figures);
  }

 private:
  const Orders& orders_;
};

class Write final : public Operator {
 public:
  Write(const Job& job, Orders orders, Needs needs) : Operator(job), orders_(std::move(orders)), needs_(needs) {}
  Needs needs() const override { return needs_; }
  std::unique_ptr<Partial> empty() const override { return std::make_unique<WritePartial>(files(), orders_); }

 private:
  const Orders orders_;
  const Needs needs_;
};

Needs needs_for(const Arguments& arguments) {
  return {
      .file_work = true, .new_contents = true, .anywhere = true, .file_bytes = ContentOrders::largest_size(arguments)};
}

Result<std::unique_ptr<Operator>> make_write(const Job& job) {
  Orders orders;
  ASSIGN(orders.files, FileOrders::of(job));
  ASSIGN(orders.contents, ContentOrders::of(job));
  return {std::make_unique<Write>(job, std::move(orders), needs_for(job.arguments))};
}

}  // namespace

OperatorInfo write_operator() {
  return {
      .name = "write",
      .summary = "Writes each file anew a number of times: bytes, seconds, errors",
      .explains =
          "Each time the whole file is written and synced; the last content becomes the file's when its task ends, "
          "whole and\nonce, whatever workers die. Until then, and for a file of 0 times, everybody reads the old one. "
          "The file keeps its\nnames, owner, mode and xattrs. A row for each file:\n"
          "file,partition,reads,writes,bytes,seconds,errors.\n"
          "Contents are functions of seed, file (its index in the job), round (from 0) and size: docs/tasks.md. "
          "--times, --size\nand --partition may be lists for the files in their order: 10*100,0,3*2.\n"
          "Examples:\n"
          "  cairn task run write --times 3 /mnt/cairn/data\n"
          "  cairn task run write --size 10M --kind csv --seed 7 /mnt/cairn/data/new.csv",
      .options = {{"times", "N", "How often each file is written (1); 0 is never"},
                  {"size", "BYTES", "The new size; if nothing is said, as it is"},
                  {"kind", "KIND", "bytes (if nothing is said), text or csv"},
                  {"seed", "N", "Another one gives other contents (0)"},
                  {"partition", "NAME", "What stands in the column partition; or count:N, bytes:SIZE, locality"}},
      .needs = needs_for,
      .make = make_write};
}

}  // namespace cairn::tasks

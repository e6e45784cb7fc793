// generate: gives empty files a content that a test can make again, with its checksum.
//
// The names are made before, by whoever starts the job (tools/cairn/task_generate.cc), so a task replaces the content
// of its files as `write` does.
#include "common/tasks/file_rows.h"
#include "common/tasks/new_content.h"
#include "common/tasks/registry.h"

namespace cairn::tasks {
namespace {

struct Generated {
  uint64_t bytes = 0;
  uint32_t crc32c = 0;
  bool taken = true;

  void encode(ByteWriter& out) const { out.u64(bytes).u32(crc32c).boolean(taken); }
  static std::optional<Generated> decode(ByteReader& in) { return Generated{in.u64(), in.u32(), in.boolean()}; }
};

class GeneratePartial final : public FileRowsPartial<Generated> {
 public:
  GeneratePartial(const std::vector<InputFile>& files, const ContentOrders& contents)
      : FileRowsPartial(files), contents_(contents) {}

 protected:
  Result<Generated> work_on(const Split& split, FileWork& files) override {
    ASSIGN(const std::unique_ptr<NewContent> content, files.replace(split.file, ""));
    const ContentOf wanted = contents_.content(files_, split.file, 0);
    Generated made{.bytes = wanted.size};
    TRY(fill(*content, wanted, &made.crc32c));
    content->give(false);
    return made;
  }
  void was_not_taken(Generated& made, const std::string&) override { made.taken = false; }
  std::vector<std::string> columns() const override { return {"file", "bytes", "checksum"}; }
  Result<std::vector<Value>> values(uint32_t file, const Generated& made) const override {
    if (!made.taken) return {Errc::invalid, files_[file].name + " was removed meanwhile"};
    return std::vector<Value>{files_[file].name, made.bytes, fmt::format("crc32c:{:08x}", made.crc32c)};
  }

 private:
  const ContentOrders& contents_;
};

class Generate final : public Operator {
 public:
  Generate(const Job& job, ContentOrders contents, Needs needs)
      : Operator(job), contents_(std::move(contents)), needs_(needs) {}
  Needs needs() const override { return needs_; }
  std::unique_ptr<Partial> empty() const override { return std::make_unique<GeneratePartial>(files(), contents_); }

 private:
  const ContentOrders contents_;
  const Needs needs_;
};

Needs needs_for(const Arguments& arguments) {
  return {
      .file_work = true, .new_contents = true, .anywhere = true, .file_bytes = ContentOrders::largest_size(arguments)};
}

Result<std::unique_ptr<Operator>> make_generate(const Job& job) {
  ASSIGN(ContentOrders contents, ContentOrders::of(job));
  return {std::make_unique<Generate>(job, std::move(contents), needs_for(job.arguments))};
}

}  // namespace

OperatorInfo generate_operator() {
  return {
      .name = "generate",
      .summary = "Fills files with contents that can be made again: bytes, text or CSV",
      .explains =
          "A row for each file: file,bytes,checksum; the checksum as the operator checksum gives it. The whole content "
          "is written by\nthe servers and appears at once when its task ends. What the files have is lost.\n"
          "Contents are functions of seed, file (its index in the job) and size: docs/tasks.md.\n"
          "Examples:\n"
          "  cairn task run generate --size 10M --kind csv /mnt/cairn/new/*.csv",
      .options = {{"size", "BYTES", "Of each file; a list as 10M*3,0,1K is for the files in their order",
                   OptionInfo::Kind::required},
                  {"kind", "KIND", "bytes (if nothing is said), text or csv"},
                  {"seed", "N", "Another one gives other contents (0)"}},
      .needs = needs_for,
      .make = make_generate};
}

}  // namespace cairn::tasks

// convert: writes files anew under another storage class; their bytes, names and times stay.
#include <algorithm>

#include "common/tasks/arguments.h"
#include "common/tasks/file_rows.h"
#include "common/tasks/registry.h"

namespace cairn::tasks {
namespace {

constexpr size_t kMaxClassBytes = 255;
constexpr size_t kHoleBytes = 64u << 10;  // so many zeros, or more, at multiples of this become holes

enum class Converted : uint8_t { converted = 1, already, changed };

struct Conversion {
  Converted status = Converted::converted;
  std::string from, to;

  void encode(ByteWriter& out) const { out.u8(static_cast<uint8_t>(status)).string(from).string(to); }
  static std::optional<Conversion> decode(ByteReader& in) {
    const uint8_t status = in.u8();
    if (status < 1 || status > 3) return std::nullopt;
    return Conversion{static_cast<Converted>(status), in.string(kMaxClassBytes), in.string(kMaxClassBytes)};
  }
};

// All but pieces of zeros: what nobody writes is a hole.
Status write_with_holes(NewContent& content, uint64_t at, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kHoleBytes - at % kHoleBytes);
    if (std::ranges::any_of(piece, [](char c) { return c != '\0'; })) TRY(content.write(at, piece));
    at += piece.size();
    bytes.remove_prefix(piece.size());
  }
  return {};
}

class ConvertPartial final : public FileRowsPartial<Conversion> {
 public:
  ConvertPartial(const std::vector<InputFile>& files, const std::string& policy)
      : FileRowsPartial(files), policy_(policy) {}

 protected:
  Result<Conversion> work_on(const Split& split, FileWork& files) override {
    ASSIGN(const std::unique_ptr<NewContent> content, files.replace(split.file, policy_));
    Conversion row{Converted::already, content->from_class(), content->to_class()};
    if (row.from == row.to) return row;
    ASSIGN(const SplitBytes bytes, files.read(split, false));
    for (uint64_t at = 0; at < split.end;) {
      ASSIGN(const std::string_view piece, bytes());
      if (piece.empty())
        return {Errc::io, fmt::format("{}: the bytes from {} on are missing", files_[split.file].name, at)};
      TRY(write_with_holes(*content, at, piece));
      at += piece.size();
    }
    TRY(content->sync(split.end));
    content->give(true);
    row.status = Converted::converted;
    return row;
  }
  void was_not_taken(Conversion& row, const std::string&) override { row.status = Converted::changed; }
  std::vector<std::string> columns() const override { return {"file", "bytes", "from", "to", "status"}; }
  Result<std::vector<Value>> values(uint32_t file, const Conversion& row) const override {
    static constexpr const char* kNames[] = {"", "converted", "already", "changed"};
    return std::vector<Value>{files_[file].name, files_[file].size, row.from, row.to,
                              std::string(kNames[static_cast<size_t>(row.status)])};
  }

 private:
  const std::string& policy_;
};

class Convert final : public Operator {
 public:
  explicit Convert(const Job& job) : Operator(job), policy_(text_of(job.arguments, "policy", "")) {}
  Needs needs() const override { return {.file_work = true, .new_contents = true}; }
  std::unique_ptr<Partial> empty() const override { return std::make_unique<ConvertPartial>(files(), policy_); }

 private:
  const std::string policy_;
};

Result<std::unique_ptr<Operator>> make_convert(const Job& job) {
  const std::string policy = text_of(job.arguments, "policy", "");
  // What a policy may be is said by who makes the class; here only that there is one.
  if (policy.empty() || policy.size() > kMaxClassBytes)
    return {Errc::invalid, "--policy: one like 'ec(4,2)/64K' is wanted"};
  return {std::make_unique<Convert>(job)};
}

}  // namespace

OperatorInfo convert_operator() {
  return {
      .name = "convert",
      .summary = "Writes files anew under another storage policy, beside their bytes",
      .explains =
          "A row for each file: file,bytes,from,to,status. A file that has the class is left alone (already); one that "
          "was\nchanged meanwhile, or is gone, keeps what it has (changed); the others are converted when their task "
          "ends, whole and\nonce. Bytes, names, mode, owner, xattrs and mtime stay. 64 KiB of zeros become a hole.\n"
          "Example:\n"
          "  cairn task run convert --policy 'ec(2,1)/64K' /mnt/cairn/archive",
      .options = {{"policy", "POLICY", "As the xattr cairn.policy has it", OptionInfo::Kind::required}},
      .needs = [](const Arguments&) { return Needs{.file_work = true, .new_contents = true}; },
      .make = make_convert};
}

}  // namespace cairn::tasks

// A FileWork over texts in memory, whose clock is a counter: for tests of operators that work on files.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/tasks/file_work.h"

namespace cairn::tasks {

class MemoryFiles final : public FileWork {
 public:
  struct Given {
    std::string text;
    bool reencoded = false;
  };
  explicit MemoryFiles(std::vector<std::string> texts) : texts_(std::move(texts)) {}

  // A second goes by with each read, and with each sync of a new content.
  Instant now() const override { return Instant{} + seconds * 1s; }
  Result<SplitBytes> read(const Split& split, bool cold) override {
    ++(cold ? cold_reads : reads);
    ++seconds;
    if (failing_reads > 0 && failing_reads-- > 0) return Error{read_error, "as the test says"};
    std::string_view rest = std::string_view(texts_.at(split.file)).substr(split.begin, split.end - split.begin);
    return SplitBytes([rest]() mutable -> Result<std::string_view> {
      const std::string_view piece = rest.substr(0, 7);
      rest.remove_prefix(piece.size());
      return piece;
    });
  }
  Result<std::unique_ptr<NewContent>> replace(uint32_t file, const std::string& policy) override {
    policies.push_back(policy);
    return {std::make_unique<MemoryContent>(*this, file, policy)};
  }

  int64_t seconds = 0;
  int reads = 0, cold_reads = 0, syncs = 0;
  int failing_reads = 0, failing_syncs = 0;  // the next ones
  Errc read_error = Errc::io, sync_error = Errc::no_space;
  std::string from = "ec(4,2)/256K/host";  // the class of all files
  std::vector<std::string> policies;
  std::map<uint32_t, Given> given;
  std::map<uint32_t, std::vector<std::pair<uint64_t, uint64_t>>> writes;  // offset and length

 private:
  class MemoryContent final : public NewContent {
   public:
    MemoryContent(MemoryFiles& files, uint32_t file, std::string to)
        : files_(files), file_(file), to_(to.empty() ? files.from : std::move(to)) {}
    const std::string& from_class() const override { return files_.from; }
    const std::string& to_class() const override { return to_; }
    Status write(uint64_t offset, std::string_view bytes) override {
      files_.writes[file_].emplace_back(offset, bytes.size());
      text_.resize(std::max<size_t>(text_.size(), offset + bytes.size()));
      text_.replace(offset, bytes.size(), bytes);
      return {};
    }
    Status sync(uint64_t size) override {
      ++files_.syncs;
      ++files_.seconds;
      text_.resize(size);
      if (files_.failing_syncs > 0 && files_.failing_syncs-- > 0) return {files_.sync_error, "as the test says"};
      return {};
    }
    void give(bool reencoded) override { files_.given[file_] = {text_, reencoded}; }

   private:
    MemoryFiles& files_;
    const uint32_t file_;
    const std::string to_;
    std::string text_;
  };
  const std::vector<std::string> texts_;
};

}  // namespace cairn::tasks

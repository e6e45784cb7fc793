// dedup-report: how much deduplication in blocks of one size would save, and which whole files are the same.
//
// A block is known by its XXH3-128 and its length. What is known of blocks is bounded by sampling by hash: at level L
// only blocks are kept whose hash begins with L zero bits, in every file and on every server the same ones, each with
// all of its copies. A level follows from the set of blocks alone (the lowest at which no more than --max-blocks are
// kept), so a sample too is the same for every cut and every tree of merges; what it stands for is told with its error.
//
// A file is known by the sum, modulo 2^128, of the XXH3-128 of (offset, hash) of its blocks: parts add up.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "common/tasks/arguments.h"
#include "common/tasks/record_partial.h"
#include "common/tasks/registry.h"

namespace cairn::tasks {
namespace {

constexpr uint64_t kMinBlock = 512, kMaxBlock = kMaxRecordBytes;
constexpr uint64_t kMinBlocks = 1000, kMaxBlocks = 10'000'000;  // of 40 bytes in a partial
constexpr uint64_t kMaxRows = 10'000;
constexpr uint8_t kMostLevels = 63;

struct Hash {
  uint64_t high = 0, low = 0;
  auto operator<=>(const Hash&) const = default;
  void add(const Hash& other) {  // modulo 2^128
    low += other.low;
    high += other.high + (low < other.low ? 1 : 0);
  }
};

Hash hash_of(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}
Hash hash_of(uint64_t offset, const Hash& block) {
  ByteWriter out;
  out.u64(offset).u64(block.high).u64(block.low);
  return hash_of(out.view());
}

bool all_zeros(std::string_view bytes) {
  return bytes[0] == '\0' && bytes.substr(1) == bytes.substr(0, bytes.size() - 1);
}

struct Request {
  uint32_t block_bytes = 0;
  uint64_t most_blocks = 0;
  uint64_t rows = 0;   // of the blocks with the most copies, instead of the report; 0: the report
  bool files = false;  // the files that are the same, instead of the report
};

class DedupState final : public RecordState {
 public:
  DedupState(const std::vector<InputFile>& files, const Request& request) : files_(files), request_(request) {}

  std::optional<Fault> map(const Record& record) override {
    const Hash hash = hash_of(record.bytes);
    contents_[record.file].add(hash_of(record.offset, hash));
    if (all_zeros(record.bytes)) zero_bytes_ += record.bytes.size();
    keep(hash, {static_cast<uint32_t>(record.bytes.size()), 1, record.file, record.offset});
    return std::nullopt;
  }

  void merge(RecordState& other_state) override {
    auto& other = static_cast<DedupState&>(other_state);
    zero_bytes_ += other.zero_bytes_;
    for (const auto& [file, content] : other.contents_) contents_[file].add(content);
    if (other.level_ > level_) raise(other.level_);
    for (const auto& [hash, block] : other.blocks_) keep(hash, block);
  }

  void encode(ByteWriter& out) const override {
    out.u64(zero_bytes_).u32(static_cast<uint32_t>(contents_.size()));
    for (const auto& [file, content] : contents_) out.u32(file).u64(content.high).u64(content.low);
    out.u8(level_).u32(static_cast<uint32_t>(blocks_.size()));
    for (const auto& [hash, block] : blocks_)
      out.u64(hash.high).u64(hash.low).u32(block.bytes).u64(block.count).u32(block.file).u64(block.offset);
  }

  bool decode(ByteReader& in) override {
    constexpr size_t kContentBytes = 20, kBlockBytes = 40;
    zero_bytes_ = in.u64();
    for (uint32_t left = in.count(kContentBytes); left > 0; --left) {
      const uint32_t file = in.u32();
      const Hash content{in.u64(), in.u64()};
      if (!in.ok() || file >= files_.size() || !contents_.emplace(file, content).second) return false;
    }
    level_ = in.u8();
    const uint32_t count = in.count(kBlockBytes);
    if (level_ > kMostLevels || count > request_.most_blocks) return false;
    for (uint32_t left = count; left > 0; --left) {
      const Hash hash{in.u64(), in.u64()};
      const Block block{in.u32(), in.u64(), in.u32(), in.u64()};
      if (!in.ok() || !kept(hash) || !may_be(block) || !blocks_.emplace(hash, block).second) return false;
    }
    return in.ok();
  }

  Result<Table> finish() override {
    if (request_.files) return same_files();
    return request_.rows > 0 ? most_copies() : report();
  }

 private:
  struct Block {
    uint32_t bytes = 0;
    uint64_t count = 0;
    uint32_t file = 0;  // of its first copy
    uint64_t offset = 0;
  };

  bool kept(const Hash& hash) const { return level_ == 0 || hash.high >> (64 - level_) == 0; }
  bool may_be(const Block& block) const {
    constexpr uint64_t kMaxCount = uint64_t{1} << 53;
    return block.bytes > 0 && block.bytes <= request_.block_bytes && block.count > 0 && block.count <= kMaxCount &&
           block.file < files_.size() && block.offset % request_.block_bytes == 0 &&
           block.offset < files_[block.file].size && block.bytes <= files_[block.file].size - block.offset;
  }
  void keep(const Hash& hash, const Block& block) {
    if (!kept(hash)) return;
    const auto [found, is_new] = blocks_.emplace(hash, block);
    if (!is_new) {
      Block& known = found->second;
      known.count += block.count;
      std::tie(known.file, known.offset) =
          std::min(std::tuple(known.file, known.offset), std::tuple(block.file, block.offset));
    }
    while (blocks_.size() > request_.most_blocks && level_ < kMostLevels) raise(level_ + 1);
  }
  void raise(int level) {
    level_ = static_cast<uint8_t>(level);
    blocks_.erase(blocks_.lower_bound({uint64_t{1} << (64 - level), 0}), blocks_.end());
  }

  // Calls same(file, first) for each file with bytes whose content a file before it has.
  template <typename Same>
  void each_copy(Same same) const {
    std::map<std::pair<uint64_t, Hash>, uint32_t> first;
    for (const auto& [file, content] : contents_) {
      const auto [found, is_new] = first.emplace(std::pair(files_[file].size, content), file);
      if (!is_new) same(file, found->second);
    }
  }
  Table same_files() const {
    Table table{{"file", "bytes", "same_as"}, {}};
    each_copy([&](uint32_t file, uint32_t first) {
      table.rows.push_back({files_[file].name, files_[file].size, files_[first].name});
    });
    return table;
  }

  Table report() const {
    uint64_t bytes = 0, blocks = 0, unique_bytes = 0, copies = 0, copied_bytes = 0;
    for (const InputFile& file : files_) {
      bytes += file.size;
      blocks += (file.size + request_.block_bytes - 1) / request_.block_bytes;
    }
    for (const auto& [hash, block] : blocks_) unique_bytes += block.bytes;
    each_copy([&](uint32_t file, uint32_t) {
      ++copies;
      copied_bytes += files_[file].size;
    });
    const uint64_t unique = std::min(blocks, uint64_t{blocks_.size()} << level_);
    unique_bytes = std::min(bytes, unique_bytes << level_);
    const double share = std::ldexp(1.0, -level_), kept = static_cast<double>(blocks_.size());
    double error = 0;
    if (level_ > 0) error = kept > 0 ? std::sqrt((1 - share) / kept) : 1;
    const double ratio = unique_bytes > 0 ? static_cast<double>(bytes) / static_cast<double>(unique_bytes) : 1;
    return {{"block_bytes", "blocks", "unique_blocks", "bytes", "unique_bytes", "duplicate_bytes", "ratio",
             "zero_bytes", "files", "duplicate_files", "duplicate_file_bytes", "sampled", "error"},
            {{uint64_t{request_.block_bytes}, blocks, unique, bytes, unique_bytes, bytes - unique_bytes, ratio,
              zero_bytes_, uint64_t{files_.size()}, copies, copied_bytes, share, error}}};
  }

  Result<Table> most_copies() const {
    if (level_ > 0)
      return {Errc::too_big, fmt::format("more than {} different blocks: --rows wants all of them; --max-blocks gives "
                                         "more, and so does a larger --block",
                                         request_.most_blocks)};
    using Row = std::pair<const Hash, Block>;
    std::vector<const Row*> rows;
    for (const Row& row : blocks_) {
      if (row.second.count > 1) rows.push_back(&row);
    }
    const auto saved = [](const Row& row) { return (row.second.count - 1) * row.second.bytes; };
    std::sort(rows.begin(), rows.end(), [&](const Row* a, const Row* b) {
      return std::tuple(saved(*b), a->second.file, a->second.offset) <
             std::tuple(saved(*a), b->second.file, b->second.offset);
    });
    if (rows.size() > request_.rows) rows.resize(request_.rows);
    Table table{{"block", "bytes", "count", "duplicate_bytes", "file", "offset"}, {}};
    for (const Row* row : rows)
      table.rows.push_back({fmt::format("xxh3-128:{:016x}{:016x}", row->first.high, row->first.low),
                            uint64_t{row->second.bytes}, row->second.count, saved(*row), files_[row->second.file].name,
                            row->second.offset});
    return table;
  }

  const std::vector<InputFile>& files_;
  const Request& request_;
  uint64_t zero_bytes_ = 0;            // in blocks of nothing but zeros
  std::map<uint32_t, Hash> contents_;  // of files, or of what is known of them
  uint8_t level_ = 0;
  std::map<Hash, Block> blocks_;  // of that level
};

class DedupReport final : public Operator {
 public:
  DedupReport(const Job& job, Request request) : Operator(job), request_(request) {}
  Needs needs() const override { return {}; }
  std::unique_ptr<Partial> empty() const override {
    return std::make_unique<RecordPartial>(files(), RecordFormat{Framing::fixed, request_.block_bytes},
                                           std::make_unique<DedupState>(files(), request_));
  }

 private:
  const Request request_;
};

Result<std::unique_ptr<Operator>> make_dedup_report(const Job& job) {
  Request request;
  ASSIGN(const uint64_t block, size_of(job.arguments, "block", "64K", kMinBlock, kMaxBlock));
  request.block_bytes = static_cast<uint32_t>(block);
  ASSIGN(request.most_blocks, count_of(job.arguments, "max-blocks", kMinBlocks, kMaxBlocks, 1'000'000));
  ASSIGN(request.rows, count_of(job.arguments, "rows", 1, kMaxRows, 0));
  request.files = flag_of(job.arguments, "files");
  if (request.files && request.rows > 0) return {Errc::invalid, "--files and --rows do not go together"};
  return {std::make_unique<DedupReport>(job, request)};
}

}  // namespace

OperatorInfo dedup_report_operator() {
  return {
      .name = "dedup-report",
      .summary = "What deduplication would save: blocks and files that are the same",
      .explains =
          "Files are looked at in blocks of --block bytes from their beginning; what is left at a file's end is a "
          "block "
          "of its\nown length. Blocks with the same XXH3-128 and length count as the same, so this is a figure and no "
          "proof. One row:\nblock_bytes,blocks,unique_blocks,bytes,unique_bytes,duplicate_bytes,ratio,zero_bytes,files,"
          "duplicate_files,\nduplicate_file_bytes,sampled,error. ratio is bytes / unique_bytes; zero_bytes are those "
          "of "
          "blocks of nothing but\nzeros, holes too, which take no space already; a duplicate file is one whose content "
          "a file before it has.\nOf more than --max-blocks different blocks a sample is kept, chosen by their hash: "
          "sampled is its share (1: of all)\nand error the relative standard error of unique_blocks (0: exact).\n"
          "Examples:\n"
          "  cairn task try dedup-report /mnt/cairn/images/*.raw\n"
          "  cairn task try dedup-report --block 4K --rows 20 /mnt/cairn/images/*.raw\n"
          "  cairn task try dedup-report --files /mnt/cairn/photos/*",
      .options = {{"block", "BYTES", "The size of a block, 512 to 16M (64K)"},
                  {"rows", "N", "The N blocks whose copies take most: block,bytes,count,duplicate_bytes,file,offset"},
                  {"files", "", "The files whose content one before them has: file,bytes,same_as"},
                  {"max-blocks", "N", "Take a sample of more different blocks (1000000; at most 10000000)"}},
      .needs = [](const Arguments&) { return Needs{}; },
      .make = make_dedup_report};
}

}  // namespace cairn::tasks

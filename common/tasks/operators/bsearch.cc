// bsearch: the lines (or CSV records) of sorted files that have a key, found by looking at few places of each file.
//
//   begin ........... low                     high ......... end
//         all stand before the key  |  ?  |   none stands before it
//
// Halving goes on until one look (kLook) is left; then records are read from low on, until one stands behind the key.
// So a file costs about log2(size / kLook) looks, and its matches. Whether the file is sorted is seen only where it is
// looked at: each record that is read must not stand before one that lies in front of it.
#include <fmt/format.h>

#include <algorithm>

#include "common/tasks/arguments.h"
#include "common/tasks/file_ranges.h"
#include "common/tasks/found_lines.h"
#include "common/tasks/record_order.h"
#include "common/tasks/registry.h"
#include "common/tasks/utf8.h"

namespace cairn::tasks {
namespace {

constexpr uint64_t kLook = 16u << 10;     // bytes; while halving
constexpr uint64_t kReadOn = 256u << 10;  // for the rest of a long record, and for the records that match
constexpr size_t kMaxShown = 100;         // bytes of a record in an error

struct Request {
  RecordOrder order;
  std::string key;
  bool prefix = false, replace = false;
  uint64_t most_lines = 0;

  // Negative: records with this key stand before all that match; 0: they match.
  int compare(std::string_view record_key) const {
    return order.compare(prefix ? record_key.substr(0, key.size()) : record_key, key);
  }
};

// Records of one file, wherever they begin. Holds the bytes that were read last, and at most one record.
class RecordReader {
 public:
  RecordReader(const InputFile& file, uint32_t index, const PieceOfFile& piece)
      : file_(file), index_(index), piece_(piece) {}

  // The record that begins at that offset; valid until the next call. Requires at < size. A fault: it is too long.
  Result<std::optional<Record>> record_at(uint64_t at, uint64_t look) {
    for (uint64_t from = at;;) {
      ASSIGN(const std::string_view bytes, bytes_at(at, from, look));
      const size_t end = bytes.find('\n', from - at);
      if (end != std::string_view::npos || at + bytes.size() == file_.size) {
        const std::string_view whole = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
        if (whole.size() > kMaxRecordBytes) return std::optional<Record>();
        return std::optional(Record{index_, at, whole});
      }
      if (bytes.size() > kMaxRecordBytes) return std::optional<Record>();
      from = at + bytes.size();
      look = kReadOn;
    }
  }
  // Where the first record begins that begins within [at, end), if one does.
  Result<std::optional<uint64_t>> beginning_in(uint64_t at, uint64_t end) {
    uint64_t look = kLook;
    for (uint64_t from = at - 1; from + 1 < end; look = kReadOn) {
      ASSIGN(const std::string_view bytes, bytes_at(from, from, look));
      const size_t found = bytes.substr(0, end - 1 - from).find('\n');
      if (found != std::string_view::npos) return std::optional(from + found + 1);
      from += bytes.size();
    }
    return std::optional<uint64_t>();
  }

 private:
  // What is known from `at` on, with something of what lies at `from` on, which is read if it has to be. Bytes before
  // `at` are given up.
  Result<std::string_view> bytes_at(uint64_t at, uint64_t from, uint64_t look) {
    const bool known = at >= begin_ && from < begin_ + buffer_.size();
    if (known) return std::string_view(buffer_).substr(at - begin_);
    if (at >= begin_ && from == begin_ + buffer_.size()) {
      buffer_.erase(0, at - begin_);
    } else {
      buffer_.clear();
    }
    begin_ = at;
    while (begin_ + buffer_.size() <= from) {
      const uint64_t next = begin_ + buffer_.size();
      ASSIGN(const std::string_view bytes, piece_(next, std::min(file_.size, next + look)));
      if (bytes.empty())
        return {Errc::io, fmt::format("{}: offset {}: the bytes up to {} are missing; is it being changed?", file_.name,
                                      next, file_.size)};
      buffer_ += bytes;
    }
    return std::string_view(buffer_);
  }

  const InputFile& file_;
  const uint32_t index_;
  const PieceOfFile& piece_;
  uint64_t begin_ = 0;  // of buffer_ in the file
  std::string buffer_;
};

// A search of one file, from its beginning to its end. Ends early with the first fault that it meets.
class Search {
 public:
  Search(const Request& request, RecordReader& reader, uint64_t begin, uint64_t end, FoundLines& found)
      : request_(request), keys_(request.order), reader_(reader), low_(begin), high_(end), end_(end), found_(found) {}

  Result<std::optional<Fault>> run() {
    while (low_ + kLook < high_) {
      ASSIGN(std::optional<Fault> fault, halve());
      if (fault) return fault;
    }
    return read_on();
  }

 private:
  struct Seen {
    uint64_t offset;
    std::string key, shown;
  };

  Result<std::optional<Fault>> halve() {
    const uint64_t middle = low_ + (high_ - low_) / 2;
    ASSIGN(std::optional<uint64_t> at, reader_.beginning_in(middle, high_));
    while (at && *at < high_) {
      ASSIGN(const std::optional<Record> record, reader_.record_at(*at, kLook));
      if (std::optional<Fault> fault = read(record, *at)) return fault;
      const uint64_t behind = *at + record->bytes.size();
      if (!keys_.present()) {
        at = behind;
        continue;
      }
      if (std::optional<Fault> fault = check_order(*at)) return fault;
      if (request_.compare(keys_.key()) < 0) {
        before_ = seen(*at);
        low_ = behind;
      } else {
        behind_ = seen(*at);
        high_ = middle;
      }
      return std::optional<Fault>();
    }
    high_ = middle;  // no record begins behind it
    return std::optional<Fault>();
  }

  Result<std::optional<Fault>> read_on() {
    for (uint64_t at = low_; at < end_;) {
      ASSIGN(const std::optional<Record> record, reader_.record_at(at, at == low_ ? kLook : kReadOn));
      if (std::optional<Fault> fault = read(record, at)) return fault;
      if (keys_.present()) {
        if (std::optional<Fault> fault = check_order(at)) return fault;
        const int order = request_.compare(keys_.key());
        if (order > 0) break;
        if (order == 0) {
          if (std::optional<Fault> fault = found_.add(record->file, at, keys_.text()))
            return std::optional(Fault{at + fault->offset, std::move(fault->what)});
        }
        before_ = seen(at);
      }
      at += record->bytes.size();
    }
    return std::optional<Fault>();
  }

  // All faults of a search have offsets in the file.
  std::optional<Fault> read(const std::optional<Record>& record, uint64_t at) {
    if (!record)
      return Fault{at, fmt::format("the line that begins here is longer than {} MiB", kMaxRecordBytes >> 20)};
    std::optional<Fault> fault = keys_.read(*record);
    if (!fault) return std::nullopt;
    return Fault{at + fault->offset,
                 fault->what + " (a search takes each line for a record: no line ends within quotes)"};
  }
  // Against the nearest records on both sides that were seen.
  std::optional<Fault> check_order(uint64_t at) const {
    const auto wrong = [](const Seen& first, const Seen& second) {
      return Fault{second.offset, fmt::format("the file is not sorted: \"{}\" stands behind \"{}\" of offset {}",
                                              second.shown, first.shown, first.offset)};
    };
    if (before_ && request_.order.compare(before_->key, keys_.key()) > 0) return wrong(*before_, seen(at));
    if (behind_ && behind_->offset > at && request_.order.compare(keys_.key(), behind_->key) > 0)
      return wrong(seen(at), *behind_);
    return std::nullopt;
  }
  Seen seen(uint64_t at) const {
    return {at, std::string(keys_.key()), replace_invalid_utf8(keys_.text().substr(0, kMaxShown))};
  }

  const Request& request_;
  RecordKeys keys_;
  RecordReader& reader_;
  uint64_t low_, high_;  // low_ is where a record begins, or the end; it may pass high_, which lies anywhere
  const uint64_t end_;
  FoundLines& found_;
  std::optional<Seen> before_, behind_;  // the last one before low_ that was read, the first one behind high_
};

// That a file was searched.
struct Searched {
  void encode(ByteWriter&) const {}
  static std::optional<Searched> decode(ByteReader&, const RangeAt& where) {
    return where.starts_file && where.ends_file ? std::optional(Searched()) : std::nullopt;
  }
};
Status join(const RangeAt&, Searched&, Searched&) { return {Errc::invalid, "a file that was searched in two parts"}; }

class SearchPartial final : public Partial {
 public:
  SearchPartial(const std::vector<InputFile>& files, const Request& request)
      : Partial(files),
        request_(request),
        searched_(files),
        found_(files, request.most_lines, request.replace),
        first_fault_(files) {}

  Status merge(Partial& other_partial) override {
    auto& other = static_cast<SearchPartial&>(other_partial);
    found_.merge(other.found_);
    first_fault_.merge(other.first_fault_);
    return searched_.merge(other.searched_, join);
  }
  void encode(ByteWriter& out) const override {
    first_fault_.encode(out);
    searched_.encode(out);
    found_.encode(out);
  }
  bool decode(ByteReader& in) override { return first_fault_.decode(in) && searched_.decode(in) && found_.decode(in); }
  Result<Table> finish() override {
    for (uint32_t file = 0; file < files_.size(); ++file) {
      const Result<const Searched*> whole = searched_.whole(file);
      if (!whole.ok()) return whole.error();
    }
    TRY(first_fault_.status());
    return found_.table();
  }

 protected:
  Status visit(const Split& split, const PieceOfFile& piece) override {
    const InputFile& file = files_[split.file];
    if (split.begin != 0 || split.end != file.size) return {Errc::invalid, file.name + ": bsearch wants whole files"};
    const uint64_t begin = request_.order.columns ? request_.order.columns->header_bytes(split.file) : 0;
    RecordReader reader(file, split.file, piece);
    ASSIGN(std::optional<Fault> fault, Search(request_, reader, begin, file.size, found_).run());
    if (fault) first_fault_.keep(split.file, fault->offset, std::move(fault->what));
    return searched_.add(split.file, split.begin, split.end, Searched(), join);
  }

 private:
  const Request& request_;
  FileRanges<Searched> searched_;
  FoundLines found_;
  FirstFault first_fault_;
};

Needs needs_of(const Arguments& arguments) {
  return {.whole_files = true, .csv_heads = arguments.contains("column"), .random_access = true};
}

class BinarySearch final : public Operator {
 public:
  BinarySearch(const Job& job, Request request)
      : Operator(job), needs_(needs_of(job.arguments)), request_(std::move(request)) {}
  Needs needs() const override { return needs_; }
  std::unique_ptr<Partial> empty() const override { return std::make_unique<SearchPartial>(files(), request_); }

 private:
  const Needs needs_;
  const Request request_;
};

Result<std::unique_ptr<Operator>> make_bsearch(const Job& job) {
  Request request;
  ASSIGN(request.order, RecordOrder::of(job));
  request.prefix = flag_of(job.arguments, "prefix");
  request.replace = flag_of(job.arguments, "replace");
  if (request.prefix && request.order.numeric) return {Errc::invalid, "--prefix and --numeric do not go together"};
  ASSIGN(request.key, request.order.key_of(text_of(job.arguments, "key", "")));
  ASSIGN(request.most_lines, count_of(job.arguments, "max-lines", 1, FoundLines::kMaxLines, 1'000'000));
  return {std::make_unique<BinarySearch>(job, std::move(request))};
}

}  // namespace

OperatorInfo bsearch_operator() {
  return {
      .name = "bsearch",
      .summary = "Lines or CSV records with a key, of sorted files, by looking at few places",
      .explains =
          "A row for each line that equals KEY (or begins with it: --prefix): file,offset,line, as grep has it. Each "
          "file must\nbe sorted as LC_ALL=C sort does it, by the bytes of its lines; or, with --column, be CSV that is "
          "sorted by this\ncolumn's text, with --numeric by its number (empty fields first), each record on one line. "
          "--reverse: the other\nway round. A file of n bytes costs about log2(n / 16K) reads of 16 KiB, and its "
          "matches. That a file is not sorted is\nan error where it shows at the places that were looked at; "
          "elsewhere it is not seen, and lines may be missed.\n"
          "Examples:\n"
          "  cairn task try bsearch --prefix 2024-05-17T09:3 /mnt/cairn/logs/*.log\n"
          "  cairn task try bsearch --column id --numeric 4711 /mnt/cairn/sales/by-id.csv",
      .options = {{"key", "KEY", "What to find", OptionInfo::Kind::positional},
                  {"prefix", "", "Lines, or texts of the column, that begin with KEY"},
                  {"column", "NAME", "The files are CSV, sorted by this column"},
                  {"numeric", "", "The column's numbers count, and not its texts"},
                  {"reverse", "", "The files are sorted the other way round"},
                  {"delimiter", "C", "Between fields, instead of a comma; or the word tab"},
                  {"replace", "", "Write U+FFFD for bytes that are not UTF-8, instead of failing"},
                  {"max-lines", "N", "Fail when more lines match (1000000; at most 10000000)"}},
      .needs = needs_of,
      .make = make_bsearch};
}

}  // namespace cairn::tasks

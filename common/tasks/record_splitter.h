// Cuts a split of a file into records, and says what is left at its two edges.
//
//   split   ...tail of a record\n | record\n | record\n | head of a rec...
//   Seam    [      head         ]   to the sink, at once   [    tail    ]      a split without a border is head alone
//
// A border is where one record ends and the next begins. Where two ranges meet, the left tail and the right head are
// one record (join_seams). A file begins and ends with a border. Exact for any cut, also into splits shorter than a
// record.
//
//   lines   a border behind each \n
//   csv     a border behind each \n outside quotes (RFC 4180). A byte is inside if the number of quotes before it in
//           the file is odd: "" within quotes leaves and enters again, which changes nothing. So whether a split starts
//           inside is one bit, which Split carries and join_seams verifies; quote_survey.h finds it.
//   fixed   a border at each multiple of record_bytes from the file's beginning
//
// Memory: one unfinished record; of one that is longer than kMaxRecordBytes only the length is kept. One thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/tasks/file_ranges.h"
#include "common/tasks/job.h"

namespace cairn::tasks {

enum class Framing : uint8_t { lines, csv, fixed };

struct RecordFormat {
  Framing framing = Framing::lines;
  uint32_t record_bytes = 0;  // of fixed: 1 .. kMaxRecordBytes
};

struct Record {
  uint32_t file;           // index in Job::files
  uint64_t offset;         // of its first byte in the file
  std::string_view bytes;  // with its line end, if it has one; of fixed: shorter only at the file's end; not empty
};

class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual void on_record(const Record& record) = 0;  // its bytes are valid during the call
  virtual void on_too_long(uint32_t file, uint64_t offset) = 0;
};

// A part of a record. Beyond kMaxRecordBytes its bytes are dropped and only the length grows.
struct Fragment {
  std::string bytes;
  uint64_t length = 0;

  bool too_long() const { return length > kMaxRecordBytes; }
  void append(std::string_view more, uint64_t more_length);
  void append(const Fragment& more) { append(more.bytes, more.length); }
};

struct Seam {
  bool border = false;         // one is known in the range; else all of the range is head
  bool starts_inside = false;  // quotes; csv alone
  bool ends_inside = false;
  Fragment head, tail;

  void encode(ByteWriter& out) const;
  static std::optional<Seam> decode(ByteReader& in, const RangeAt& where);
};

// Makes left the seam of both ranges; a record that is complete now goes to the sink. right_at is where they meet.
// Fails (invalid) if the left one ends inside quotes and the right one was cut as if outside, or the other way round.
Status join_seams(const RangeAt& right_at, Seam& left, Seam& right, RecordSink& sink);

class RecordSplitter {
 public:
  // Requires split.begin < split.end <= file_bytes. The sink outlives it.
  RecordSplitter(RecordFormat format, const Split& split, uint64_t file_bytes, RecordSink& sink);
  // The split's bytes in order, in pieces of any size; whole records go to the sink before it returns.
  void feed(std::string_view bytes);
  Seam finish();  // once, behind the last byte

 private:
  size_t border_behind(std::string_view bytes, size_t from);  // the offset behind the next line end, or npos
  size_t csv_border_behind(std::string_view bytes, size_t from);
  void end_record(std::string_view rest, uint64_t end);

  const RecordFormat format_;
  const Split split_;
  const bool starts_inside_;  // quotes
  const bool ends_file_;
  RecordSink& sink_;
  uint64_t at_;    // file offset of the next byte
  bool inside_;    // quotes, at the next byte
  bool border_;    // one was seen
  Fragment head_;  // before the first border
  Fragment open_;  // since the last border, or since the beginning
};

}  // namespace cairn::tasks

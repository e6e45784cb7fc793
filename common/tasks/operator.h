// What every operator is made of: map over splits into a partial, merge of partials, finish into a table.
//
//   splits --map--> Partial --encode--> bytes --decode--> Partial --+
//                                                                   +--merge--> Partial --finish--> Table
//   splits --map--> Partial ----------------------------------------+
//
// Merging is associative and commutative in what finish gives: any cut of the files into splits, any sharing of the
// splits among tasks and any tree of merges give the same table, or the same error. Each byte must be mapped once: a
// second time is an error of merge, never is an error of finish.
//
// An Operator is immutable: any thread may make, decode and finish partials of it. A Partial belongs to one thread at
// a time and refers to its Operator, which outlives it.
// Not here: how to write one over records (record_partial.h) or over bytes (range_partial.h), which there are
// (registry.h).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/tasks/job.h"
#include "common/tasks/piece_of_file.h"
#include "common/tasks/table.h"

namespace cairn::tasks {

// What the one who cuts a job must respect.
struct Needs {
  bool whole_files = false;    // one split for each file, from its first to its last byte: order matters within it
  bool csv_heads = false;      // InputFile::head is read before the operator is made
  bool whole_lines = false;    // splits begin and end behind a \n, or where the file does: its programs see whole lines
  bool quote_states = false;   // Split::starts_inside_quotes must be true to the file (quote_survey.h)
  bool runs = false;           // its partials need a RunStore, which lives as long as they (run_store.h)
  bool random_access = false;  // with whole_files: it reads little of a file, here and there
  bool file_work = false;      // splits are not mapped but worked on: Partial::work()
  // Of file_work: each file is one split, also an empty one, and may get a new content. Few of them make a task.
  bool new_contents = false;
  bool anywhere = false;    // of new_contents: it does not matter where the file lies
  uint64_t file_bytes = 0;  // of new_contents: about so many are written for each file; 0: as many as it has
};

// Takes a result, as text, piece by piece.
using TextSink = std::function<Status(std::string_view text)>;

class ProgramRunner;  // program_runner.h
class FileWork;       // file_work.h
class RunStore;       // run_store.h

class Partial {
 public:
  explicit Partial(const std::vector<InputFile>& files) : files_(files) {}
  Partial(const Partial&) = delete;
  virtual ~Partial() = default;

  // Takes in one split of the file whose bytes piece gives. Bytes that are wrong as records (a bad quote, no number)
  // are no error here: the first of them, in the order of files and offsets, is what finish answers. An Error (reading
  // failed, a split that may not be) leaves the partial unusable.
  Status map(const Split& split, const PieceOfFile& piece);
  // Takes the contents of other, which is of the same Operator, and leaves it unusable. The same if it fails.
  virtual Status merge(Partial& other) = 0;
  // Before all else, if the operator needs it; outlives the partial.
  virtual void use_runs(RunStore&) {}
  // Before encode(): what is not in memory for good goes to the store. Its errors, also those of earlier writing.
  virtual Status settle() { return {}; }
  virtual void encode(ByteWriter& out) const = 0;
  // Fills an empty partial. False for bytes that encode() cannot have written.
  virtual bool decode(ByteReader& in) = 0;
  // invalid: what is wrong with the input, with file and offset; or bytes that no split covered.
  virtual Result<Table> finish() = 0;
  // Of operators with Needs::file_work, instead of map(). An Error leaves the partial unusable.
  virtual Status work(const Split& split, FileWork& files);
  // A new content was made for the file, and could not become its own: why. Until the partial is encoded for good.
  virtual void not_taken(uint32_t /*file*/, const std::string& /*why*/) {}
  // The result as text: the table, or more than a table in memory can be. Errors of finish() and of the sink; a store
  // may fail when a part of the text is written.
  virtual Status write(const TextSink& sink, bool json_lines);
  // From any thread: a program that map() or finish() waits for is ended, and they end with an error.
  virtual void cancel() {}

 protected:
  // Of operators that map: a split of at least one byte, within its file.
  virtual Status visit(const Split& split, const PieceOfFile& piece);

  const std::vector<InputFile>& files_;
};

// Of operators that want all bytes of a split in order.
class StreamPartial : public Partial {
 public:
  using Partial::Partial;

 protected:
  virtual Status start(const Split& split) = 0;
  virtual void feed(std::string_view bytes) = 0;
  virtual Status close() = 0;

 private:
  Status visit(const Split& split, const PieceOfFile& piece) final;
};

class Operator {
 public:
  explicit Operator(const Job& job);
  Operator(const Operator&) = delete;
  virtual ~Operator() = default;

  virtual Needs needs() const = 0;
  virtual std::unique_ptr<Partial> empty() const = 0;
  // Who runs programs, for operators that do. Before the first partial; outlives it.
  virtual void use_programs(ProgramRunner&) {}

  const std::vector<InputFile>& files() const { return files_; }
  uint64_t fingerprint() const { return fingerprint_; }  // of the whole job: operator, arguments, files

 private:
  std::vector<InputFile> files_;
  uint64_t fingerprint_;
};

// Magic, version, fingerprint, the partial, and a CRC32C of all of it.
std::string encode_partial(const Operator& op, const Partial& partial);
// corrupt: damaged, or longer than kMaxPartialBytes. invalid: whole, but of another job or version.
Result<std::unique_ptr<Partial>> decode_partial(const Operator& op, std::string_view bytes);

}  // namespace cairn::tasks

// What operators do to files beyond mapping their bytes once, without knowing what a client or a session is.
//
//   read (operators/read.cc) --read--> FileWork                      real: chunkserver/worker/task_files; in tests:
//   memory write, generate, convert --replace--> NewContent --give--> the command that ends the task makes it the
//   file's
//
// All of it belongs to one task and one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/tasks/operator.h"

namespace cairn::tasks {

// A content for one of the job's files, empty at first, which nobody sees. Gone with this object, unless it was given.
class NewContent {
 public:
  virtual ~NewContent() = default;
  virtual const std::string& from_class() const = 0;  // the file's storage class, as a policy's text
  virtual const std::string& to_class() const = 0;    // this content's
  virtual Status write(uint64_t offset, std::string_view bytes) = 0;
  // What was written is durable, and the size is this: what nobody wrote reads as zeros.
  virtual Status sync(uint64_t size) = 0;
  // It becomes the file's when the task's result counts, all contents of the task together. reencoded: it has the same
  // bytes as the job has pinned; then only if the file has not changed since, and with its times. After sync().
  virtual void give(bool reencoded) = 0;
};

// The next bytes of a split, in order, in pieces of any size that stay valid until the next call; empty at its end.
using SplitBytes = std::function<Result<std::string_view>()>;

class FileWork {
 public:
  virtual ~FileWork() = default;
  virtual Instant now() const = 0;
  // The split's bytes from its beginning, again for each call. cold: what lies on this server's disk comes from there
  // and not from memory. The last reader counts.
  virtual Result<SplitBytes> read(const Split& split, bool cold) = 0;
  // policy: of the storage class; empty: the file's.
  virtual Result<std::unique_ptr<NewContent>> replace(uint32_t file, const std::string& policy) = 0;
};

}  // namespace cairn::tasks

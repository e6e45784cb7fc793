// Fetches what sequential and strided readers will ask for next, with threads of its own.
//
// The queue is bounded; what does not fit is dropped, for the read that needs it fetches it itself.
#pragma once

#include <deque>
#include <memory>

#include "client/read/read_path.h"

namespace cairn {

class ReadAhead {
 public:
  ReadAhead(ReadPath& reader, uint32_t threads);
  ~ReadAhead() { stop(); }
  void fetch(const std::shared_ptr<Inode>& inode, const SequentialDetector::Advice& advice);
  void stop();

 private:
  struct Job {
    std::shared_ptr<Inode> inode;
    uint64_t from = 0, to = 0;
    ReadPath::Ahead kind = ReadPath::Ahead::stripes;
  };
  void loop();

  ReadPath& reader_;
  Mutex mutex_;
  CondVar work_;
  std::deque<Job> jobs_;   // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  std::vector<Thread> threads_;
};

}  // namespace cairn

// Linux repeats a call once that met ESTALE: it looks the path up again, and does the call on what is there now. Where
// another mount replaces a file all the time, that may be gone again between the lookup and the call, and the program
// would get ESTALE, which no local filesystem answers. So what such a second lookup finds is kept open, for a second,
// until the call has come.
//
// Any thread. Bounded: kMostHeld at a time; beyond that a second try is as good as the first one.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "client/filesystem.h"
#include "common/base/clock.h"

namespace cairn {

class SecondTries {
 public:
  SecondTries(Filesystem& filesystem, Clock& clock);
  ~SecondTries();  // after stop()

  void refused(pid_t thread);  // a call of this thread of a program gets ESTALE
  // A lookup, which may be a second one.
  Result<Entry> lookup(pid_t thread, InodeId parent, const std::string& name);
  void stop();  // gives back what is held

 private:
  struct Refused {
    pid_t thread = 0;
    Instant until;
  };
  struct Held {
    FileHandle handle = 0;
    Instant until;
  };
  bool is_second(pid_t thread);
  void hold(FileHandle handle);
  void give_back(FileHandle handle);
  void run();

  Filesystem& filesystem_;
  Clock& clock_;
  std::atomic<size_t> count_{0};  // of refused_: mostly 0
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Refused> refused_;  // guarded by mutex_, as the rest; both in the order of time
  std::deque<Held> held_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cairn

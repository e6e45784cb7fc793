// Files that all clients of a run read and write at once, judged by what linearizable registers and logs may show.
//
//   register   a block of one value, written whole; a read gives one value, and not one that was certainly overwritten
//              before the read began
//   log        records appended by all; each that was answered is there, whole, at the offset of its answer
//   names      of one directory: shared_names.h
//
// Times are those of the simulation. When a client dies or loses its session, what it had not synced may be gone: then
// the registers are whatever is read next, and its records are not looked for any more. Lives outside of the machines.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "tests/campaign/recent_calls.h"
#include "tests/campaign/shared_names.h"

namespace cairn {

class RegisterModel {
 public:
  uint64_t begin_write(Instant now);  // the value to write; never 0
  void end_write(uint64_t value, Instant now);
  // Nothing: a register may show this value in a read that began and ended then. Otherwise why not, in words.
  std::optional<std::string> objection(uint64_t value, Instant began, Instant ended);
  void forget();  // what was written may be there or not

 private:
  struct Write {
    Instant began;
    Instant ended = Instant::never();  // or seen by a read that ended then
  };
  std::map<uint64_t, Write> writes_;  // by value: those that a read may show
  std::set<uint64_t> ever_{0};
  uint64_t last_ = 0;
  bool certain_ = true;
  Instant certain_since_{0};  // the end of the first read after forget()
};

class LogModel {
 public:
  struct Record {
    uint64_t client = 0;
    uint64_t number = 0;
    bool operator==(const Record&) const = default;
  };
  Record next(uint64_t client) { return {client, ++last_}; }
  void appended(uint64_t offset, const Record& record) { known_[offset] = record; }
  void forget(uint64_t client) {
    std::erase_if(known_, [&](const auto& one) { return one.second.client == client; });
  }
  const std::map<uint64_t, Record>& known() const { return known_; }

 private:
  std::map<uint64_t, Record> known_;  // by offset
  uint64_t last_ = 0;
};

struct SharedFiles {
  static constexpr size_t kRegisters = 3;
  static constexpr const char* kLog = "shared-log";
  static std::string register_name(size_t index) { return "shared-register" + std::to_string(index); }
  std::array<RegisterModel, kRegisters> registers;
  RecentCalls register_calls;
  LogModel log;
  NamesModel names;
  RecentCalls names_calls;
};

}  // namespace cairn

// The metaserver's log: segments as it writes them, then damage, then a start.
//
//   input: segments and entries | acknowledged index | damage: bytes, cuts, lost and foreign files, forged entries
//
// A log that opens after all gives a prefix of what was written, never less than what was acknowledged, loses no more
// than the last entry to one damage, and goes on.
#include <fmt/format.h>

#include "common/base/bytes.h"
#include "metaserver/log/command_log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sim/sim_disk.h"

namespace cairn::fuzz {
namespace {

constexpr const char* kDirectory = "/log";
constexpr Incarnation kIncarnation{77};

struct Written {
  std::vector<std::string> commands;  // from index 1
  size_t last_entry = 0;              // commands of the last one
};

void write_at(Disk& disk, const std::string& path, uint64_t offset, std::string bytes) {
  auto file = disk.open(path, OpenMode::create);
  require(file.ok(), "a file can be opened");
  const iovec piece{bytes.data(), bytes.size()};
  require((*file)->write_at(offset, {&piece, 1}).ok(), "a file can be written");
}
std::string read_all(Disk& disk, const std::string& path) {
  auto file = disk.open(path, OpenMode::read_only);
  require(file.ok(), "a file can be opened");
  std::string bytes(*(*file)->size(), '\0');
  require((*file)->read_at(0, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()}).ok(), "a file can be read");
  return bytes;
}

Written write_log(Disk& disk, Input& input) {
  CommandLog::Options options{.directory = kDirectory, .segment_bytes = 64 + input.u8() * 2u, .seed = input.u8()};
  auto log = CommandLog::open(disk, options);
  require(log.ok() && (*log)->begin(kIncarnation, LogIndex{1}).ok(), "a new log can be begun");
  Written written;
  for (uint32_t n = input.below(9); n > 0; --n) {
    std::vector<std::string> entry;
    for (uint32_t c = 1 + input.below(4); c > 0; --c) entry.push_back(input.text(40));
    require((*log)->append(LogIndex{written.commands.size() + 1}, entry).ok(), "a log can be written");
    written.commands.insert(written.commands.end(), entry.begin(), entry.end());
    written.last_entry = entry.size();
  }
  return written;
}

// An entry with right checksums and wrong numbers, behind the end of a segment. Nobody but a broken program makes one.
void forge(Disk& disk, const std::string& path, Input& input) {
  const auto bytes = read_all(disk, path);
  const auto header = decode_segment_header(bytes_of(bytes));
  if (!header.ok()) return;
  const std::string entry = encode_entry(*header, LogIndex{input.number()}, {input.text(20), input.text(20)});
  write_at(disk, path, bytes.size(), entry);
}

enum class Damage { none, bytes, cut, forged };

Damage damage(Disk& disk, Input& input) {
  const auto names = disk.list(kDirectory);
  require(names.ok(), "a directory can be listed");
  if (names->empty()) return Damage::none;
  const std::string path = std::string(kDirectory) + "/" + (*names)[input.below(static_cast<uint32_t>(names->size()))];
  const std::string bytes = read_all(disk, path);
  const uint32_t at = bytes.empty() ? 0 : input.u16() % static_cast<uint32_t>(bytes.size());
  switch (input.below(8)) {
    case 0:
      require((*disk.open(path, OpenMode::read_write))->truncate(at).ok(), "a file can be cut");
      return Damage::cut;
    case 1:
      require(disk.remove(path).ok(), "a file can be removed");
      return Damage::bytes;
    case 2:  // may lie over a good one
      write_at(disk, fmt::format("{}/log-{:016x}{}", kDirectory, input.number(), input.rarely() ? "x" : ""), 0,
               input.text(80));
      return Damage::cut;
    case 3:
      write_at(disk, path, bytes.size(), input.text(80));
      return Damage::bytes;
    case 4:
      forge(disk, path, input);
      return Damage::forged;
    default:
      if (!bytes.empty())
        write_at(disk, path, at, std::string(1, static_cast<char>(bytes[at] ^ (1 << input.below(8)))));
      return Damage::bytes;
  }
}

std::vector<std::string> replayed(CommandLog& log) {
  std::vector<std::string> commands;
  const Status status = log.replay(log.first(), [&](LogIndex index, std::span<const uint8_t> command) {
    require(raw(index) == raw(log.first()) + commands.size(), "commands come in order");
    commands.emplace_back(text_of(command));
    return Status{};
  });
  require(status.ok(), "a log that was opened can be replayed");
  require(raw(log.last()) + 1 == raw(log.first()) + commands.size(), "it holds what it says");
  return commands;
}

void one(Bytes bytes) {
  Input input(bytes);
  SimScheduler scheduler(1);
  SimDisk disk(scheduler, 1, {.longest_access = {}, .longest_sync = {}});
  const Written written = write_log(disk, input);
  const size_t count = written.commands.size();
  const uint64_t acknowledged = input.below(static_cast<uint32_t>(count) + 1);
  uint32_t damages = 0;
  Damage worst = Damage::none;
  for (; !input.empty() && damages < 4; ++damages) worst = std::max(worst, damage(disk, input));

  const CommandLog::Options options{
      .directory = kDirectory, .segment_bytes = 300, .seed = 5, .acknowledged = LogIndex{acknowledged}};
  auto log = CommandLog::open(disk, options);
  if (!log.ok()) return require(damages > 0 && !log.error().what.empty(), "an untouched log opens");
  const auto kept = replayed(**log);
  if ((*log)->empty()) return;  // every segment is gone: recovery compares that with the store
  if (worst != Damage::forged) {
    const size_t first = raw((*log)->first()) - 1;  // oldest segments may be gone, as after a trim
    require(first + kept.size() <= count, "nothing is replayed that was not written");
    for (size_t i = 0; i < kept.size(); ++i) require(kept[i] == written.commands[first + i], "as it was written");
    if (damages <= 1 && worst != Damage::cut && raw((*log)->last()) < count) {
      const bool whole_segment = kept.empty() || (*log)->cut_bytes() == 0;  // a file that is gone cannot be missed
      if (!whole_segment && first + kept.size() + written.last_entry < count) {
        broken(fmt::format("{} of {} commands are left, {} were in the last entry, {} bytes cut", kept.size(), count,
                           written.last_entry, (*log)->cut_bytes()));
      }
    }
  }
  const LogIndex next{raw((*log)->last()) + 1};
  if (raw(next) == 0) return;
  if (!(*log)->append(next, {"more"}).ok()) broken("a log that was opened goes on");
  log = CommandLog::open(disk, options);
  require(log.ok(), "and opens again");
  auto more = kept;
  more.push_back("more");
  require(replayed(**log) == more, "with all that it held");
}

std::vector<std::string> seeds() {
  using namespace std::string_literals;
  const std::string entries = "\x20\x01\x04"s + "\x01\x03one\x03two"s + "\x00\x05three"s +
                              "\x02\x01"
                              "a\x01"
                              "b\x01"
                              "c"s +
                              "\x00\x04last"s;
  std::vector<std::string> all = {entries + "\x02"s};
  for (char kind = 0; kind < 8; ++kind) {
    for (const char* at : {"\x00\x10", "\x00\x38", "\x00\x60", "\x00\x80"}) {
      all.push_back(entries + "\x02"s + "\x01"s + std::string(at, 2) + kind + "\x03\x05hello"s);
    }
  }
  return all;
}

const Registered registered{{"log", one, seeds}};

}  // namespace
}  // namespace cairn::fuzz

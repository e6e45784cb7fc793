#include "metaserver/log/command_log.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/random.h"
#include "common/probes/kill_point.h"
#include "common/probes/planted_bug.h"
#include "common/probes/rare_path.h"

namespace cairn {
namespace {

constexpr std::string_view kPrefix = "log-";
constexpr uint64_t kMaxSegmentBytes = 512u << 20;  // far above what append() makes: a larger file is not ours

std::string segment_name(LogIndex first) { return fmt::format("{}{:016x}", kPrefix, raw(first)); }

bool is_segment_name(const std::string& name) {
  return name.size() == kPrefix.size() + 16 && name.starts_with(kPrefix) &&
         name.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string::npos;
}

Error damage(const std::string& path, uint64_t offset, const std::string& why, const std::string& mend) {
  return {Errc::corrupt, fmt::format("log segment {} is damaged at offset {}: {}. {}", path, offset, why, mend)};
}

// A failed sync leaves the disk's content unknown, also one that names the lack of space as its reason.
Status in_doubt(const Status& synced) {
  if (synced.ok() || synced.code() != Errc::no_space) return synced;
  return {Errc::io, synced.error().what};
}

constexpr const char* kRestore =
    "Changes that were acknowledged would be lost, so the metaserver does not start. Put this file back from a copy of "
    "the disk; "
    "only if there is none, and to give up this change and all later ones, cut the file at that offset and remove the "
    "later segments.";

}  // namespace

Result<std::unique_ptr<CommandLog>> CommandLog::open(Disk& disk, Options options) {
  TRY(disk.make_directories(options.directory));
  std::unique_ptr<CommandLog> log(new CommandLog(disk, std::move(options)));
  ASSIGN(const auto names, log->segment_names());
  for (size_t i = 0; i < names.size(); ++i) TRY(log->load(names[i], i + 1 == names.size()));
  if (log->segments_.empty()) return log;
  ASSIGN(log->file_, disk.open(log->segments_.back().path, OpenMode::read_write));
  TRY(log->make_durable(log->segments_.back()));
  TRY(disk.sync_directory(log->options_.directory));
  return log;
}

// A whole entry that was never synced may be seen here after a mere process crash. It will be applied, so it must be
// durable. A sync alone would not do: after one that failed, the kernel shows the bytes and holds them for written. So
// they are written once more. Earlier segments were synced, or there would be no later one.
Status CommandLog::make_durable(const Segment& newest) {
  if (planted(PlantedBug::believe_failed_sync)) return file_->sync_data();
  ASSIGN(std::vector<uint8_t> bytes, read_whole(newest.path));
  if (bytes.size() < newest.bytes) {
    return damage(newest.path, bytes.size(), "it reads shorter than at the first time", kRestore);
  }
  const iovec piece{bytes.data(), newest.bytes};
  TRY(file_->write_at(0, {&piece, 1}));
  return file_->sync_data();
}

Result<std::vector<std::string>> CommandLog::segment_names() {
  ASSIGN(auto names, disk_.list(options_.directory));
  std::erase_if(names, [](const std::string& name) { return !is_segment_name(name); });
  std::sort(names.begin(), names.end());
  return names;
}

Status CommandLog::load(const std::string& name, bool last_file) {
  Segment segment;
  segment.path = options_.directory + "/" + name;
  ASSIGN(const auto bytes, read_whole(segment.path));
  auto header = decode_segment_header(bytes);
  if (!header.ok()) {
    // The header is synced before the first entry is written: a file with no more than it never held an acknowledged
    // command.
    if (header.code() == Errc::corrupt && last_file && bytes.size() <= kSegmentHeaderBytes) {
      cut_bytes_ = bytes.size();
      reached(RarePath::torn_log_tail);
      TRY(disk_.remove(segment.path));
      return disk_.sync_directory(options_.directory);
    }
    return damage(segment.path, 0, header.error().what, kRestore);
  }
  segment.header = *header;
  if (segment_name(header->first) != name) {
    return damage(segment.path, 0, fmt::format("it begins with index {}, which is not its name", raw(header->first)),
                  "It was renamed: give it back its name.");
  }
  if (!segments_.empty()) {
    const Segment& before = segments_.back();
    if (header->incarnation != before.header.incarnation) {
      return damage(segment.path, 0, "it belongs to another database than the segment before it",
                    "Take it out of this directory.");
    }
    if (header->first != before.next) {
      return damage(segment.path, 0,
                    fmt::format("it begins with index {}, and the segment before it ({}) ends behind index {}",
                                raw(header->first), before.path, raw(before.next) - 1),
                    "A segment is missing or was cut: put it back from a copy of the disk.");
    }
  }
  incarnation_ = header->incarnation;
  ASSIGN(const SegmentScan scan,
         scan_segment(*header, bytes, [](LogIndex, std::span<const uint8_t>) { return Status{}; }));
  segment.next = scan.next;
  segment.bytes = scan.good_bytes;
  if (!scan.clean) {
    if (scan.malformed) return damage(segment.path, scan.good_bytes, scan.damage, kRestore);
    if (scan.later)
      return damage(segment.path, scan.good_bytes,
                    fmt::format("{}, and a valid entry follows at offset {}", scan.damage, *scan.later), kRestore);
    if (scan.next <= options_.acknowledged) {
      return damage(segment.path, scan.good_bytes,
                    fmt::format("{}, and the metadata store holds the changes up to {}, so it was acknowledged",
                                scan.damage, raw(options_.acknowledged)),
                    kRestore);
    }
    if (!last_file)
      return damage(segment.path, scan.good_bytes, scan.damage + ", and a later segment follows", kRestore);
    cut_bytes_ = bytes.size() - scan.good_bytes;
    spdlog::warn(
        "log segment {}: cuts off {} bytes at offset {}, the torn end of a write that was never acknowledged ({})",
        segment.path, cut_bytes_, scan.good_bytes, scan.damage);
    ASSIGN(const auto file, disk_.open(segment.path, OpenMode::read_write));
    reached(RarePath::torn_log_tail);
    TRY(file->truncate(scan.good_bytes));
    TRY(file->sync_data());
  }
  segments_.push_back(std::move(segment));
  return {};
}

Result<std::vector<uint8_t>> CommandLog::read_whole(const std::string& path) {
  ASSIGN(const auto file, disk_.open(path, OpenMode::read_only));
  ASSIGN(const uint64_t size, file->size());
  if (size > kMaxSegmentBytes)
    return damage(path, kMaxSegmentBytes, "it is larger than any segment",
                  "It is not ours: take it out of this directory.");
  std::vector<uint8_t> bytes(size);
  ASSIGN(const size_t got, file->read_at(0, bytes));
  bytes.resize(got);
  return bytes;
}

bool CommandLog::empty() const {
  const Lock lock(mutex_);
  return segments_.empty();
}

LogIndex CommandLog::first() const {
  const Lock lock(mutex_);
  return segments_.empty() ? LogIndex{1} : segments_.front().header.first;
}

LogIndex CommandLog::last() const {
  const Lock lock(mutex_);
  return segments_.empty() ? LogIndex{0} : LogIndex{raw(segments_.back().next) - 1};
}

uint64_t CommandLog::bytes() const {
  const Lock lock(mutex_);
  uint64_t sum = 0;
  for (const Segment& segment : segments_) sum += segment.bytes;
  return sum;
}

Status CommandLog::begin(Incarnation incarnation, LogIndex first) {
  if (!empty()) return {Errc::exists, "the log in " + options_.directory + " already has segments"};
  incarnation_ = incarnation;
  return start_segment(first);
}

Status CommandLog::start_segment(LogIndex first) {
  Segment segment;
  segment.path = options_.directory + "/" + segment_name(first);
  segment.header = {incarnation_, first, mix64(options_.seed ^ mix64(raw(first)))};
  segment.next = first;
  segment.bytes = kSegmentHeaderBytes;
  const std::string header = encode_segment_header(segment.header);
  ASSIGN(auto file, disk_.open(segment.path, OpenMode::create_new));
  const iovec piece{const_cast<char*>(header.data()), header.size()};
  if (const Status written = file->write_at(0, {&piece, 1}); !written.ok()) {
    if (const Status removed = disk_.remove(segment.path); !removed.ok()) return removed;
    return written;
  }
  TRY(in_doubt(file->sync_data()));
  kill_point(KillPoint::segment_made);
  TRY(in_doubt(disk_.sync_directory(options_.directory)));
  file_ = std::move(file);
  const Lock lock(mutex_);
  segments_.push_back(std::move(segment));
  return {};
}

Status CommandLog::replay(LogIndex from, const VisitCommand& visit) {
  std::vector<Segment> segments;
  {
    const Lock lock(mutex_);
    segments = segments_;
  }
  for (const Segment& segment : segments) {
    if (segment.next <= from) continue;
    ASSIGN(const auto bytes, read_whole(segment.path));
    ASSIGN(const SegmentScan scan,
           scan_segment(segment.header, bytes, [&](LogIndex index, std::span<const uint8_t> command) {
             return index < from ? Status{} : visit(index, command);
           }));
    if (!scan.clean || scan.next != segment.next)
      return damage(segment.path, scan.good_bytes, "it reads differently than at the first time", kRestore);
  }
  return {};
}

Error CommandLog::failed(const Error& cause) {
  failed_ = true;
  return {Errc::io, "the metaserver's log cannot be written, and takes no more changes: " + cause.what};
}

Status CommandLog::append(LogIndex first, const std::vector<std::string>& commands) {
  if (failed_) return {Errc::io, "the log has failed before: restart the metaserver"};
  SegmentHeader header;
  uint64_t offset = 0;
  {
    const Lock lock(mutex_);
    if (segments_.empty() || segments_.back().next != first) {
      return {Errc::invalid, fmt::format("index {} does not follow the end of the log", raw(first))};
    }
    header = segments_.back().header;
    offset = segments_.back().bytes;
  }
  if (offset >= options_.segment_bytes) {
    reached(RarePath::log_roll_over);
    if (const Status started = start_segment(first); !started.ok()) {
      if (started.code() == Errc::no_space) return started;
      return failed(started.error());
    }
    tail_in_doubt_ = false;
    const Lock lock(mutex_);
    header = segments_.back().header;
    offset = segments_.back().bytes;
  }
  const std::string entry = encode_entry(header, first, commands);
  if (entry.size() > kEntryHeaderBytes + kMaxEntryPayloadBytes)
    return {Errc::too_big, "a batch of commands is larger than a log entry may be"};
  if (const Status written = write_entry(offset, entry); !written.ok()) {
    if (written.code() == Errc::no_space) return written;
    return failed(written.error());
  }
  const Lock lock(mutex_);
  segments_.back().bytes += entry.size();
  segments_.back().next = LogIndex{raw(first) + commands.size()};
  return {};
}

Status CommandLog::write_entry(uint64_t offset, const std::string& entry) {
  if (tail_in_doubt_) TRY(cut_tail(offset));
  const iovec piece{const_cast<char*>(entry.data()), entry.size()};
  if (const Status written = file_->write_at(offset, {&piece, 1}); !written.ok()) {
    if (written.code() != Errc::no_space) return written;
    tail_in_doubt_ = true;
    const Status cut = cut_tail(offset);
    return cut.ok() ? written : cut;
  }
  kill_point(KillPoint::log_entry_written);
  if (!planted(PlantedBug::skip_log_sync)) TRY(in_doubt(file_->sync_data()));
  kill_point(KillPoint::log_entry_synced);
  return {};
}

// Synced, so that no later crash finds the refused bytes behind, or instead of, what is written there next.
Status CommandLog::cut_tail(uint64_t offset) {
  TRY(file_->truncate(offset));
  TRY(in_doubt(file_->sync_data()));
  tail_in_doubt_ = false;
  return {};
}

Status CommandLog::trim(LogIndex upto) {
  while (true) {
    std::string victim;
    {
      const Lock lock(mutex_);
      if (segments_.size() < 2 || raw(segments_.front().next) > raw(upto) + 1) return {};
      victim = segments_.front().path;
    }
    // One after the other and synced, so that a crash leaves a log without gaps.
    TRY(disk_.remove(victim));
    kill_point(KillPoint::segment_removed);
    reached(RarePath::log_trim);
    TRY(disk_.sync_directory(options_.directory));
    const Lock lock(mutex_);
    segments_.erase(segments_.begin());
  }
}

}  // namespace cairn

#include "chunkserver/worker/spool.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <set>

#include "common/base/bytes.h"
#include "common/base/checksum.h"

namespace cairn {

std::string Spool::path_of(const TaskRef& ref) const {
  return fmt::format("{}/{}-{}-{}.partial", directory_, raw(ref.job), ref.task, raw(ref.attempt));
}

Status Spool::open() {
  TRY(disk_.make_directories(directory_));
  ASSIGN(const std::vector<std::string> names, disk_.list(directory_));
  for (const std::string& name : names) {
    if (name.ends_with(".partial")) TRY(disk_.remove(directory_ + "/" + name));
  }
  return {};
}

Result<std::unique_ptr<Spool::Writer>> Spool::begin(const TaskRef& ref) {
  ASSIGN(std::unique_ptr<File> file, disk_.open(path_of(ref), OpenMode::create_new));
  return std::make_unique<Writer>(*this, ref, std::move(file));
}

Result<SpooledPartial> Spool::put(const TaskRef& ref, std::string_view partial) {
  ASSIGN(const std::unique_ptr<Writer> writer, begin(ref));
  TRY(writer->append(partial));
  return writer->close();
}

Status Spool::reserve(uint64_t bytes) {
  ASSIGN(const DiskSpace space, disk_.space(directory_));
  Lock lock(mutex_);
  if (bytes_ + bytes > limit_ || bytes + kLeaveFree > space.free_bytes)
    return {Errc::no_space,
            fmt::format("there is no room for {} bytes more of results in {}: {} of {} are taken, {} free on the disk",
                        bytes, directory_, bytes_, limit_, space.free_bytes)};
  bytes_ += bytes;
  return {};
}

void Spool::give_back(uint64_t bytes) {
  Lock lock(mutex_);
  bytes_ -= bytes;
}

Spool::Writer::~Writer() {
  if (closed_) return;
  const Status removed = spool_.disk_.remove(spool_.path_of(ref_));
  if (!removed.ok()) spdlog::warn("{}", removed.error().what);
  spool_.give_back(bytes_);
}

Status Spool::Writer::append(std::string_view bytes) {
  TRY(spool_.reserve(bytes.size()));
  const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  const Status written = file_->write_at(bytes_, {&piece, 1});
  if (!written.ok()) {
    spool_.give_back(bytes.size());
    return written;
  }
  bytes_ += bytes.size();
  crc32c_ = crc32c(bytes_of(bytes), crc32c_);
  return {};
}

SpooledPartial Spool::Writer::close() {
  closed_ = true;
  Lock lock(spool_.mutex_);
  spool_.kept_[ref_] = bytes_;
  return {bytes_, crc32c_};
}

Result<std::string> Spool::read(const TaskRef& ref, uint64_t offset, uint32_t limit) {
  uint64_t size = 0;
  {
    Lock lock(mutex_);
    const auto found = kept_.find(ref);
    if (found == kept_.end())
      return Error{Errc::not_found, fmt::format("job {} task {} attempt {} has no result here", raw(ref.job), ref.task,
                                                raw(ref.attempt))};
    size = found->second;
  }
  std::string bytes(std::min<uint64_t>(limit, size - std::min(offset, size)), '\0');
  if (bytes.empty()) return bytes;
  ASSIGN(const std::unique_ptr<File> file, disk_.open(path_of(ref), OpenMode::read_only));
  ASSIGN(const size_t got, file->read_at(offset, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()}));
  bytes.resize(got);
  return bytes;
}

std::vector<JobId> Spool::jobs() const {
  Lock lock(mutex_);
  std::set<JobId> found;
  for (const auto& [ref, size] : kept_) found.insert(ref.job);
  return {found.begin(), found.end()};
}

void Spool::forget(JobId job) {
  std::vector<std::string> paths;
  {
    Lock lock(mutex_);
    std::erase_if(kept_, [&](const auto& kept) {
      if (kept.first.job != job) return false;
      bytes_ -= kept.second;
      paths.push_back(path_of(kept.first));
      return true;
    });
  }
  for (const std::string& path : paths) {
    const Status removed = disk_.remove(path);
    if (!removed.ok()) spdlog::warn("{}", removed.error().what);
  }
}

uint64_t Spool::bytes() const {
  Lock lock(mutex_);
  return bytes_;
}

}  // namespace cairn

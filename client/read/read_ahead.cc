#include "client/read/read_ahead.h"

#include <algorithm>

namespace cairn {

namespace {
constexpr size_t kMaxJobs = 64;
constexpr uint64_t kJobBytes = 1 << 20;  // cut at multiples of this, so that several threads share a window
}  // namespace

ReadAhead::ReadAhead(ReadPath& reader, uint32_t threads) : reader_(reader) {
  for (uint32_t i = 0; i < threads; ++i) threads_.emplace_back("cairn-ahead", [this] { loop(); });
}

void ReadAhead::fetch(const std::shared_ptr<Inode>& inode, const SequentialDetector::Advice& advice) {
  const ReadPath::Ahead kind = advice.stride == 0 ? ReadPath::Ahead::stripes : ReadPath::Ahead::parts;
  Lock lock(mutex_);
  for (uint32_t i = 0; i < advice.ranges; ++i) {
    const uint64_t leap = static_cast<uint64_t>(advice.stride * int64_t{i});
    uint64_t from = advice.fetch_from + leap;
    const uint64_t to = advice.fetch_to + leap;
    while (from < to && jobs_.size() < kMaxJobs && !stopping_) {
      const uint64_t until = std::min(to, (from / kJobBytes + 1) * kJobBytes);
      jobs_.push_back({inode, from, until, kind});
      work_.notify_one();
      from = until;
    }
  }
}

void ReadAhead::stop() {
  {
    Lock lock(mutex_);
    stopping_ = true;
    work_.notify_all();
  }
  for (Thread& thread : threads_) thread.join();
}

void ReadAhead::loop() {
  while (true) {
    Job job;
    {
      Lock lock(mutex_);
      work_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    reader_.prefetch(*job.inode, job.from, job.to, job.kind);
  }
}

}  // namespace cairn

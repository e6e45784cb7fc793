#include "metaserver/log/checkpointer.h"

#include <spdlog/spdlog.h>

#include "common/probes/kill_point.h"
#include "common/probes/planted_bug.h"

namespace cairn {

Checkpointer::Checkpointer(Clock& clock, CommandLog& log, OrderedStore& store, const Committer& committer,
                           Options options)
    : clock_(clock),
      log_(log),
      store_(store),
      committer_(committer),
      options_(options),
      flushed_(LogIndex{0}),
      last_flush_(clock.now()),
      bytes_after_flush_(log.bytes()),
      thread_("checkpointer", [this] { run(); }) {}

Checkpointer::~Checkpointer() { end(); }

void Checkpointer::end() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Status Checkpointer::stop() {
  end();
  return flush_and_trim();
}

bool Checkpointer::due(Instant now) const {
  if (committer_.applied() == flushed_) return false;
  const bool low = options_.reserve != nullptr && options_.reserve->low();
  return log_.bytes() >= bytes_after_flush_ + options_.log_bytes ||
         now - last_flush_ >= (low ? options_.interval_when_low : options_.interval);
}

Status Checkpointer::flush() {
  const Status flushed = store_.flush();
  if (flushed.ok() || flushed.code() != Errc::no_space || options_.reserve == nullptr) return flushed;
  return options_.reserve->release() ? store_.flush() : flushed;
}

Status Checkpointer::flush_and_trim() {
  const LogIndex applied = committer_.applied();
  if (applied == flushed_) return {};
  if (!planted(PlantedBug::trim_log_early)) TRY(flush());
  kill_point(KillPoint::store_flushed);
  flushed_ = applied;
  TRY(log_.trim(applied));
  bytes_after_flush_ = log_.bytes();
  return {};
}

void Checkpointer::run() {
  while (true) {
    {
      Lock lock(mutex_);
      wake_.wait_until(lock, clock_.now() + options_.look_every, [&] { return stopping_; });
      if (stopping_) return;
    }
    if (options_.reserve != nullptr) options_.reserve->tend();
    const Instant now = clock_.now();
    if (!due(now)) continue;
    last_flush_ = now;  // also after a failure: not in a tight loop
    if (const Status done = flush_and_trim(); !done.ok()) {
      spdlog::error("the metadata store was not flushed, so the log keeps growing: {}", done.error().what);
    }
  }
}

}  // namespace cairn

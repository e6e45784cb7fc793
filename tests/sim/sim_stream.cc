#include "tests/sim/sim_stream.h"

#include <algorithm>
#include <cstring>

namespace cairn {
namespace {
constexpr uint64_t kYieldOneIn = 3;  // calls that let another fiber go first, although they need not wait
}  // namespace

void SimLink::wake(SimScheduler& scheduler) {
  for (SimDirection& way : ways) {
    scheduler.wake(way.reader != nullptr ? way.reader : &way, true);
    scheduler.wake(&way.room, true);
  }
}

SimStream::SimStream(SimNetwork& network, std::shared_ptr<SimLink> link, int side, std::string peer)
    : network_(network), link_(std::move(link)), side_(side), peer_(std::move(peer)) {}

// As close(2): the peer sees the end behind what was written, or a reset if it still writes.
SimStream::~SimStream() {
  end_outgoing();
  own().shut = own().closed = true;
  link_->wake(network_.scheduler_);
}

bool SimStream::arrives() const { return network_.flows(other().host, own().host); }

Status SimStream::usable(const char* operation) const {
  if (own().shut) return Error{Errc::unavailable, std::string(operation) + " " + peer_ + ": shut down here"};
  if (own().reset <= network_.scheduler_.now()) {
    return Error{Errc::unavailable, std::string(operation) + " " + peer_ + ": connection reset"};
  }
  return {};
}

Status SimStream::write_all(std::span<const iovec> pieces, Instant deadline) {
  for (const iovec& piece : pieces) {
    TRY(write({static_cast<const uint8_t*>(piece.iov_base), piece.iov_len}, deadline));
  }
  return {};
}

Status SimStream::write(std::span<const uint8_t> bytes, Instant deadline) {
  SimScheduler& scheduler = network_.scheduler_;
  if (network_.options_.break_one_in != 0 && network_.random_.one_in(network_.options_.break_one_in)) {
    own().reset = other().reset = scheduler.now();
    link_->wake(scheduler);
  }
  if (network_.random_.one_in(kYieldOneIn)) scheduler.yield();
  SimDirection& way = outgoing();
  while (!bytes.empty()) {
    TRY(usable("write to"));
    if (other().closed && arrives() && !network_.dark_.contains(other().host)) {
      // The first write into the void succeeds; the answer to it is a reset. (Waited for, so that a loop of writes
      // takes time.)
      own().reset = std::min(own().reset, scheduler.now() + network_.latency());
      scheduler.sleep_until(std::min(deadline, own().reset));
      return {};
    }
    const size_t room = network_.options_.buffer_bytes - way.under_way;
    if (room == 0) {
      if (scheduler.now() >= deadline) return Error{Errc::timed_out, "write to " + peer_ + ": the deadline passed"};
      (void)scheduler.park(&way.room, std::min(deadline, own().reset));
      continue;
    }
    const size_t n = 1 + network_.random_.below(std::min(room, bytes.size()));
    Instant arrival = scheduler.now() + network_.latency() + network_.stall();
    if (!way.segments.empty()) arrival = std::max(arrival, way.segments.back().arrival);
    way.segments.push_back({arrival, {bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(n)}});
    way.under_way += n;
    network_.bytes_sent_ += n;
    bytes = bytes.subspan(n);
    scheduler.wake(way.reader != nullptr ? way.reader : &way, true);
  }
  return {};
}

Status SimStream::send_file(File& file, uint64_t offset, uint64_t length, Instant deadline) {
  return send_file_by_copy(*this, file, offset, length, deadline);
}

bool SimStream::readable() const {
  const Instant now = network_.scheduler_.now();
  if (own().shut || own().reset <= now) return true;
  const SimDirection& way = incoming();
  if (!arrives()) return false;
  return way.segments.empty() ? way.end <= now : way.segments.front().arrival <= now;
}

Instant SimStream::next_arrival() const {
  if (!arrives()) return own().reset;
  const SimDirection& way = incoming();
  return std::min(own().reset, way.segments.empty() ? way.end : way.segments.front().arrival);
}

Result<size_t> SimStream::read_some(std::span<uint8_t> into, Instant deadline) {
  SimScheduler& scheduler = network_.scheduler_;
  SimDirection& way = incoming();
  if (network_.random_.one_in(kYieldOneIn)) scheduler.yield();
  while (!readable()) {
    if (scheduler.now() >= deadline) return Error{Errc::timed_out, "read from " + peer_ + ": the deadline passed"};
    (void)scheduler.park(&way, std::min(deadline, next_arrival()));
  }
  if (own().shut) return Error{Errc::unavailable, "read from " + peer_ + ": shut down here"};
  const bool arrived = !way.segments.empty() && way.segments.front().arrival <= scheduler.now() && arrives();
  if (!arrived) {
    TRY(usable("read from"));
    return size_t{0};  // the end
  }
  SimDirection::Segment& first = way.segments.front();
  const size_t n = std::min(into.size(), first.bytes.size() - first.taken);
  std::memcpy(into.data(), first.bytes.data() + first.taken, n);
  first.taken += n;
  way.under_way -= n;
  if (first.taken == first.bytes.size()) way.segments.pop_front();
  scheduler.wake(&way.room, true);
  return n;
}

void SimStream::shut_down() {
  end_outgoing();
  own().shut = true;
  link_->wake(network_.scheduler_);
}

void SimStream::end_outgoing() {
  SimDirection& way = outgoing();
  if (way.end != Instant::never()) return;
  way.end = network_.scheduler_.now() + network_.latency();
  if (!way.segments.empty()) way.end = std::max(way.end, way.segments.back().arrival);
}

}  // namespace cairn

// One simulated connection and its two ends. For sim_network.cc.
//
//   writer --> segments under way, each with the time of its arrival --> reader      one Direction each way
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "tests/sim/sim_network.h"

namespace cairn {

struct SimDirection {
  struct Segment {
    Instant arrival;
    std::vector<uint8_t> bytes;
    size_t taken = 0;  // by the reader
  };
  std::deque<Segment> segments;    // in order; arrivals do not decrease
  size_t under_way = 0;            // bytes in segments that were not taken
  Instant end = Instant::never();  // when the reader sees the end, behind all segments
  const void* reader = nullptr;    // what the reader waits on, if it waits for several streams at once
  char room = 0;                   // its address is what the writer waits on
};

struct SimEnd {
  std::string host;
  SimProcess process{};
  bool shut = false;                 // by its own side
  bool closed = false;               // the Stream is gone, or its process
  Instant reset = Instant::never();  // from then on this end is broken
};

// Side 0 connected, side 1 accepted. ways[s] carries what side s writes.
struct SimLink {
  SimEnd ends[2];
  SimDirection ways[2];
  void wake(SimScheduler& scheduler);  // readers and writers of both ends look again
};

struct SimPort {
  SimProcess process{};
  bool shut = false;
  std::deque<std::pair<Instant, std::shared_ptr<SimLink>>> backlog;  // arrived at
};

class SimStream : public Stream {
 public:
  SimStream(SimNetwork& network, std::shared_ptr<SimLink> link, int side, std::string peer);
  ~SimStream() override;
  Status write_all(std::span<const iovec> pieces, Instant deadline) override;
  Status send_file(File& file, uint64_t offset, uint64_t length, Instant deadline) override;
  Result<size_t> read_some(std::span<uint8_t> into, Instant deadline) override;
  void shut_down() override;
  std::string peer() const override { return peer_; }

  // For wait_readable: whether a read would return at once, when that may change by itself, and what to wait on.
  bool readable() const;
  Instant next_arrival() const;
  void wait_on(const void* key) { incoming().reader = key; }

 private:
  SimEnd& own() const { return link_->ends[side_]; }
  SimEnd& other() const { return link_->ends[1 - side_]; }
  SimDirection& incoming() const { return link_->ways[1 - side_]; }
  SimDirection& outgoing() const { return link_->ways[side_]; }
  bool arrives() const;                        // nothing cuts the way to here
  Status usable(const char* operation) const;  // not shut here, not reset
  Status write(std::span<const uint8_t> bytes, Instant deadline);
  void end_outgoing();

  SimNetwork& network_;
  const std::shared_ptr<SimLink> link_;
  const int side_;
  const std::string peer_;
};

}  // namespace cairn

// What a chunkserver tells the metaserver every second, and what it is told (thrift/metaserver.thrift).
#pragma once

#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "common/meta/cluster.h"

namespace cairn {

struct Heartbeat {
  std::string uuid;  // of the data directory, made at its first start; never empty
  Address address;   // where clients reach it
  BootId boot{};
  Labels labels;
  uint64_t total_bytes = 0, free_bytes = 0;
  Incarnation incarnation{};  // of the cluster it belongs to; 0 on its first start
  uint64_t shards = 0;
  uint64_t bad_records = 0;  // found at its start-up check
};
struct HeartbeatAnswer {
  ServerId server{};
  Incarnation incarnation{};
  Epoch epoch{};        // of the cluster map
  Duration interval{};  // until the next heartbeat
};

}  // namespace cairn

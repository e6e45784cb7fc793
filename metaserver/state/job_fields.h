// Fields of values of jobs that both commands and rows hold (field_codec.h).
#pragma once

#include "common/meta/jobs.h"
#include "metaserver/state/field_codec.h"

namespace cairn {

template <Of<JobOutput> V>
auto fields(V& v) {
  return std::tie(v.parent, v.name, v.replace, v.format, v.mode, v.uid, v.gid);
}
template <Of<TaskCounters> V>
auto fields(V& v) {
  return std::tie(v.bytes_local, v.bytes_network, v.bytes_decoded, v.bytes_sent, v.cpu_ms);
}
template <Of<SpooledPartial> V>
auto fields(V& v) {
  return std::tie(v.bytes, v.crc32c);
}

}  // namespace cairn

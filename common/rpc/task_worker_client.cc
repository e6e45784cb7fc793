#include "common/rpc/task_worker_client.h"

#include <fmt/format.h>

#include "TaskWorker.h"
#include "common/base/bytes.h"
#include "common/base/checksum.h"
#include "common/rpc/rpc_connection.h"
#include "common/rpc/wire.h"

namespace cairn {
namespace {

using Stub = thrift::TaskWorkerClient;
constexpr uint32_t kReadAheadBytes = 64u << 10;

}  // namespace

Result<std::string> fetch_partial(Network& network, Clock& clock, JobId job, const TaskResult& result,
                                  Duration timeout) {
  const std::string what =
      fmt::format("the result of job {} task {} on server {}", raw(job), result.task, raw(result.server));
  if (!result.spooled) return {Errc::not_found, what + " is not kept by a worker"};
  if (result.results.port == 0) return {Errc::unavailable, what + ": its worker is not there"};
  auto stream = network.connect(result.results, clock.now() + timeout);
  if (!stream.ok()) return Error{stream.code(), what + ": " + stream.error().what};
  RpcConnection<Stub> connection(std::move(*stream), kReadAheadBytes);
  std::string bytes;
  while (bytes.size() < result.spooled->bytes) {
    const TaskRef ref{job, JobPhase::mapping, result.task, result.attempt};
    const thrift::FetchPartialRequest request = to_wire(FetchPartialCall{ref, bytes.size(), kMaxPartialPiece});
    thrift::FetchPartialReply reply;
    TRY(connection.call(&Stub::send_fetch_partial, &Stub::recv_fetch_partial, request, reply, clock.now() + timeout));
    ASSIGN(const std::string piece, from_wire(reply));
    if (piece.empty()) return {Errc::corrupt, fmt::format("{} ends after {} bytes", what, bytes.size())};
    bytes += piece;
  }
  if (bytes.size() != result.spooled->bytes || crc32c(bytes_of(bytes)) != result.spooled->crc32c)
    return {Errc::corrupt, what + " came as other bytes than were reported"};
  return bytes;
}

}  // namespace cairn

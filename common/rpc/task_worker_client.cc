#include "common/rpc/task_worker_client.h"

#include <fmt/format.h>

#include <algorithm>

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

struct PartialFetcher::Connection {
  explicit Connection(std::unique_ptr<Stream> stream) : rpc(std::move(stream), kReadAheadBytes) {}
  RpcConnection<Stub> rpc;
};

PartialFetcher::PartialFetcher(Network& network, Clock& clock, JobId job, Duration timeout)
    : network_(network), clock_(clock), job_(job), timeout_(timeout) {}

PartialFetcher::~PartialFetcher() = default;

std::string PartialFetcher::name_of(const TaskResult& result) const {
  return fmt::format("the result of job {} task {} on server {}", raw(job_), result.task, raw(result.server));
}

Result<std::string> PartialFetcher::all(const TaskResult& result) {
  if (!result.spooled) return {Errc::not_found, name_of(result) + " is not kept by a worker"};
  ASSIGN(std::string bytes, range(result, 0, result.spooled->bytes));
  if (crc32c(bytes_of(bytes)) != result.spooled->crc32c)
    return {Errc::corrupt, name_of(result) + " came as other bytes than were reported"};
  return bytes;
}

Result<std::string> PartialFetcher::range(const TaskResult& result, uint64_t offset, uint64_t bytes) {
  std::string out;
  while (out.size() < bytes) {
    ASSIGN(const std::string more, piece(result, offset + out.size(), bytes - out.size()));
    out += more;
  }
  return out;
}

Result<std::string> PartialFetcher::piece(const TaskResult& result, uint64_t offset, uint64_t bytes) {
  ASSIGN(Connection* const connection, connection_to(result));
  const auto limit = static_cast<uint32_t>(std::min<uint64_t>(bytes, kMaxPartialPiece));
  const TaskRef ref{job_, JobPhase::mapping, result.task, result.attempt};
  const thrift::FetchPartialRequest request = to_wire(FetchPartialCall{ref, offset, limit});
  thrift::FetchPartialReply reply;
  const Status called = connection->rpc.call(&Stub::send_fetch_partial, &Stub::recv_fetch_partial, request, reply,
                                             clock_.now() + timeout_);
  if (!called.ok()) {
    connections_.erase(result.results.text());
    return Error{called.code(), name_of(result) + ": " + called.error().what};
  }
  ASSIGN(std::string got, from_wire(reply));
  if (got.empty()) return {Errc::corrupt, fmt::format("{} ends after {} bytes", name_of(result), offset)};
  if (got.size() > limit) return {Errc::corrupt, name_of(result) + " came as more bytes than were asked for"};
  return got;
}

Result<PartialFetcher::Connection*> PartialFetcher::connection_to(const TaskResult& result) {
  if (result.results.port == 0) return {Errc::unavailable, name_of(result) + ": its worker is not there"};
  std::unique_ptr<Connection>& known = connections_[result.results.text()];
  if (known == nullptr) {
    auto stream = network_.connect(result.results, clock_.now() + timeout_);
    if (!stream.ok()) return Error{stream.code(), name_of(result) + ": " + stream.error().what};
    known = std::make_unique<Connection>(std::move(*stream));
  }
  return known.get();
}

}  // namespace cairn

#include "chunkserver/worker/service.h"

namespace cairn {
namespace {

class WorkerService : public thrift::TaskWorkerIf {
 public:
  explicit WorkerService(Spool& spool) : spool_(spool) {}

  void fetch_partial(thrift::FetchPartialReply& reply, const thrift::FetchPartialRequest& request) override {
    const Result<FetchPartialCall> call = from_wire(request);
    if (!call.ok()) return answer(reply, call.error());
    answer(reply, spool_.read(call->ref, call->offset, call->limit));
  }

 private:
  Spool& spool_;
};

}  // namespace

RpcServer::ProcessorFactory worker_processors(Spool& spool) {
  return [&spool](CallTails&) {
    return std::make_shared<thrift::TaskWorkerProcessor>(std::make_shared<WorkerService>(spool));
  };
}

}  // namespace cairn

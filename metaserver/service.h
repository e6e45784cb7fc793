// The metaserver's calls: each unpacks its request, calls what decides, and packs the reply; one line where possible.
//
// Looks go to queries.h over one consistent view, and never wait for the log; changes go through the committer; of
// both, what mounts cache is admitted first (admission.h). One handler serves all connections: it has no state of its
// own. Generated Thrift types end here.
#pragma once

#include <memory>

#include "common/rpc/rpc_server.h"
#include "metaserver/jobs/jobs.h"
#include "metaserver/log/committer.h"
#include "metaserver/servers/cluster.h"
#include "metaserver/sessions/admission.h"
#include "metaserver/sessions/locks.h"
#include "metaserver/sessions/sessions.h"
#include "metaserver/status.h"
#include "metaserver/store/ordered_store.h"

namespace cairn {

// What the calls use; all of it outlives the server.
struct ServiceParts {
  Committer& committer;
  const OrderedStore& store;
  Sessions& sessions;
  Admission& admission;
  Cluster& cluster;
  StatusReporter& status;
  Locks& locks;
  Jobs& jobs;
};

RpcServer::ProcessorFactory metaserver_processor(const ServiceParts& parts);

}  // namespace cairn

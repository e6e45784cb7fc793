// The operations, one file each: check, resolve, permit, change. apply.cc calls them by the command's body.
//
// Each either returns its answer with everything changed, or an Error; then apply() takes back what it had changed.
#pragma once

#include "metaserver/ops/operation.h"

namespace cairn::ops {

// Names.
Result<Answer> run(Operation& operation, const MakeNode& request);
Result<Answer> run(Operation& operation, const MakeAnonymous& request);
Result<Answer> run(Operation& operation, const LinkNode& request);
Result<Answer> run(Operation& operation, const RemoveName& request);
Result<Answer> run(Operation& operation, const Rename& request);
// Files.
Result<Answer> run(Operation& operation, const SetAttributes& request);
Result<Answer> run(Operation& operation, const SetXattr& request);
Result<Answer> run(Operation& operation, const RemoveXattr& request);
Result<Answer> run(Operation& operation, const TrimRange& request);
Result<Answer> run(Operation& operation, const ForgetOrphans& request);
Result<Answer> run(Operation& operation, const PinOrphan& request);
Result<Answer> run(Operation& operation, const ReleaseExtents& request);
// Data.
Result<Answer> run(Operation& operation, const Commit& request);
Result<Answer> run(Operation& operation, const SealChunks& request);
Result<Answer> run(Operation& operation, const SealForRepair& request);
Result<Answer> run(Operation& operation, const CreateChunks& request);
Result<Answer> run(Operation& operation, const CondemnChunks& request);
Result<Answer> run(Operation& operation, const ChunksRemoved& request);
Result<Answer> run(Operation& operation, const StripesPunched& request);
Result<Answer> run(Operation& operation, const SealsConfirmed& request);
Result<Answer> run(Operation& operation, const PlanShards& request);
Result<Answer> run(Operation& operation, const MoveShards& request);
Result<Answer> run(Operation& operation, const StaleShardsRemoved& request);
// Cluster.
Result<Answer> run(Operation& operation, const OpenSession& request);
Result<Answer> run(Operation& operation, const EndSession& request);
Result<Answer> run(Operation& operation, const RegisterServer& request);
Result<Answer> run(Operation& operation, const SetServerState& request);
Result<Answer> run(Operation& operation, const DefineClass& request);
// Near-data jobs.
Result<Answer> run(Operation& operation, const AdmitJob& request);
Result<Answer> run(Operation& operation, const AddJobInputs& request);
Result<Answer> run(Operation& operation, const PinInputs& request);
Result<Answer> run(Operation& operation, const CutTasks& request);
Result<Answer> run(Operation& operation, const SetQuoteStates& request);
Result<Answer> run(Operation& operation, const FinishTask& request);
Result<Answer> run(Operation& operation, const LostResult& request);
Result<Answer> run(Operation& operation, const StartMerge& request);
Result<Answer> run(Operation& operation, const FinishJob& request);
Result<Answer> run(Operation& operation, const CancelJob& request);
Result<Answer> run(Operation& operation, const FailJob& request);
Result<Answer> run(Operation& operation, const RemoveJobRows& request);
Result<Answer> run(Operation& operation, const FreeReplaced& request);

}  // namespace cairn::ops

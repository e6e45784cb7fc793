#include "tests/metaserver/state/any_command.h"

namespace cairn::test {

CommandBody Any::body(size_t number_of_body) {
  switch (number_of_body) {
    case 0:
      return MakeNode{id<InodeId>(), text(), u32(), u32(), u32(), number(), text()};
    case 1:
      return LinkNode{id<InodeId>(), id<InodeId>(), text()};
    case 2:
      return RemoveName{id<InodeId>(), text(), coin()};
    case 3:
      return Rename{id<InodeId>(), text(), id<InodeId>(), text(), u32()};
    case 4:
      return SetAttributes{id<InodeId>(),   maybe(u32()),  maybe(u32()),  maybe(u32()),
                           maybe(number()), maybe(time()), maybe(time()), maybe(time())};
    case 5:
      return SetXattr{id<InodeId>(), text(), text(), u32()};
    case 6:
      return RemoveXattr{id<InodeId>(), text()};
    case 7:
      return TrimRange{id<InodeId>(), number(), number(), time()};
    case 8:
      return ForgetOrphans{list([&] { return id<InodeId>(); })};
    case 9:
      return Commit{list([&] {
                      return FileCommit{id<InodeId>(), list([&] { return extent(); }), number(), time(), maybe(text())};
                    }),
                    list([&] {
                      return ChunkCommit{id<ChunkId>(), id<Epoch>(), number(), number()};
                    })};
    case 10:
      return SealChunks{chunk_ids()};
    case 11:
      return OpenSession{{text(), text(), static_cast<int32_t>(number()), coin(), number()}};
    case 12:
      return EndSession{id<SessionId>(), coin()};
    case 13:
      return CreateChunks{list([&] {
        return PlannedChunk{id<ClassId>(), code(), list([&] { return id<ServerId>(); }), u32(), number()};
      })};
    case 14:
      return RegisterServer{text(), {text(), static_cast<uint16_t>(number())}, {text(), text(), text(), text()}};
    case 15:
      return DefineClass{{id<ClassId>(), text(), code(), u32(), text()}};
    case 16:
      return SealForRepair{chunk_ids()};
    case 17:
      return ReleaseExtents{id<InodeId>(), u32()};
    case 18:
      return CondemnChunks{chunk_ids()};
    case 19:
      return ChunksRemoved{chunk_ids()};
    case 20:
      return StripesPunched{list([&] { return DeadStripe{id<ChunkId>(), number()}; })};
    case 21:
      return SealsConfirmed{chunk_ids()};
    case 22:
      return PinOrphan{id<InodeId>(), list([&] { return id<SessionId>(); })};
    default:
      return job_body(number_of_body);
  }
}

CommandBody Any::job_body(size_t number_of_body) {
  switch (number_of_body) {
    case 23:
      return AdmitJob{{text(), arguments(), u32(), maybe(output()), number(), static_cast<int64_t>(number())},
                      coin(),
                      coin(),
                      coin(),
                      coin(),
                      u32(),
                      coin()};
    case 24:
      return AddJobInputs{id<JobId>(), u32(), list([&] { return JobInput{id<InodeId>(), text()}; })};
    case 25:
      return CancelJob{id<JobId>()};
    case 26:
      return FinishTask{ref(),
                        id<ServerId>(),
                        counters(),
                        maybe(error()),
                        text(),
                        list([&] {
                          return FileHead{u32(), text()};
                        }),
                        text(),
                        maybe(SpooledPartial{number(), u32()}),
                        list([&] {
                          return TaskOutput{u32(), id<InodeId>(), number(), coin()};
                        })};
    case 27:
      return FinishJob{ref(), id<ServerId>(), counters(), id<InodeId>()};
    case 28:
      return LostResult{id<JobId>(), u32(), id<AttemptId>()};
    case 29:
      return PinInputs{id<JobId>(), u32(), u32()};
    case 30:
      return CutTasks{id<JobId>(), u32()};
    case 31:
      return SetQuoteStates{id<JobId>()};
    case 32:
      return StartMerge{id<JobId>(), id<AttemptId>(), id<ServerId>()};
    case 33:
      return FailJob{id<JobId>(), error()};
    case 34:
      return RemoveJobRows{id<JobId>(), u32(), coin()};
    case 35:
      return FreeReplaced{id<SessionId>(), id<InodeId>()};
    case 36:
      return MakeAnonymous{id<InodeId>(), text()};
    case 37:
      return PlanShards{{stale_shard(), stale_shard()}};
    case 38:
      return MoveShards{{{id<ChunkId>(), static_cast<uint8_t>(number()), id<ServerId>(), id<ServerId>()}}};
    case 39:
      return StaleShardsRemoved{{stale_shard()}};
    default:
      return SetServerState{id<ServerId>(), ServerState::draining};
  }
}

}  // namespace cairn::test

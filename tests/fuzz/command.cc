// Commands as the log holds them: decoded, written again, and applied to a small state, whatever they say.
//
//   input: for each command u16 length, bytes
//
// The commands of a log were once proposed by this program; still, no bytes may crash it at its start, and the same
// commands give the same state.
#include "common/base/bytes.h"
#include "metaserver/state/command_codec.h"
#include "metaserver/state/state_machine.h"
#include "metaserver/state/transaction.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/meta_state.h"

namespace cairn::fuzz {
namespace {

// The state after them, each as a batch of its own or all as one; nothing if the state machine stopped.
std::optional<uint64_t> hash_after(const std::vector<Command>& commands, bool one_batch) {
  const MetaState& start = MetaState::small();
  const auto store = start.store();
  std::optional<Transaction> transaction;
  uint64_t index = raw(start.applied);
  for (const Command& command : commands) {
    if (!transaction) transaction.emplace(store->view());
    const auto outcome = apply(*transaction, LogIndex{++index}, command);
    if (!outcome.ok()) return std::nullopt;
    if (outcome->ok()) {
      const auto again = decode_outcome(encode_outcome(*outcome));
      require(again.ok() && again->ok() && (*again)->index() == (*outcome)->index(), "an outcome is kept");
    }
    if (one_batch) continue;
    require(store->write(transaction->take()).ok(), "a store in memory can be written");
    transaction.reset();
  }
  if (transaction) require(store->write(transaction->take()).ok(), "a store in memory can be written");
  const auto hash = state_hash(*store->view());
  require(hash.ok(), "a store in memory can be hashed");
  return *hash;
}

void one(Bytes bytes) {
  Input input(bytes);
  std::vector<Command> commands;
  while (!input.empty() && commands.size() < 16) {
    const std::string encoded = input.bytes(input.u16());
    auto command = decode_command(encoded);
    if (!command.ok()) {
      require(command.code() == Errc::corrupt, "a damaged command is corrupt");
      continue;
    }
    require(encode_command(*command) == encoded, "a command is written as it was read");
    require(name_of(command->body)[0] != '\0', "a command has a name");
    commands.push_back(std::move(*command));
  }
  if (commands.empty()) return;
  require(hash_after(commands, false) == hash_after(commands, true), "the same commands give the same state");
}

std::vector<std::string> seeds() {
  const MetaState& state = MetaState::small();
  const Extent extent{.offset = 4096, .length = 8192, .chunk = ChunkId{1}, .shape = {{2, 1}, 4096, 4096, 3}};
  SetAttributes all_attributes{InodeId{4}, 0600, 1, 2, 5000, Time{1, 2}, Time{3, 4}, Time{5, 6}};
  const CommandBody of_clients[] = {
      MakeNode{InodeId{2}, "new", 0100644, 0, 0, 0, {}},
      MakeNode{InodeId{2}, "link", 0120777, 0, 0, 0, "target"},
      MakeAnonymous{InodeId{4}, "ec(1,1)"},
      LinkNode{InodeId{4}, InodeId{2}, "second"},
      RemoveName{kRootInode, "b", false},
      Rename{kRootInode, "a", InodeId{2}, "in", 0},
      Rename{kRootInode, "a", InodeId{2}, "in", 2},
      all_attributes,
      SetXattr{InodeId{2}, "user.x", "y", 0},
      SetXattr{kRootInode, "cairn.policy", "ec(2,1)/4K/rack", 0},
      RemoveXattr{InodeId{2}, "user.colour"},
      TrimRange{InodeId{4}, 1000, 9000, {}},
      ForgetOrphans{{InodeId{6}}},
      Commit{{{InodeId{4}, {extent}, 0, {}, {}}}, {{ChunkId{1}, Epoch{1}, 32768, 40960}}},
      Commit{{{InodeId{5}, {}, 7, {}, std::string("other")}}, {}},
      SealChunks{{ChunkId{1}}},
      CreateChunks{{{kDefaultClass, {2, 1}, {ServerId{1}, ServerId{2}, ServerId{3}}, 4096, 1 << 20}}},
      AdmitJob{{"stats",
                {{"column", "x"}},
                2,
                JobOutput{kRootInode, "out", true, TableFormat::csv, 0644, 0, 0},
                kMinTaskBytes,
                1000},
               false,
               true,
               true},
      AddJobInputs{JobId{1}, 0, {{InodeId{4}, "a"}, {InodeId{5}, "b"}}},
  };
  const CommandBody of_the_metaserver[] = {
      OpenSession{{"mount", "host", 7, true, 99}},
      EndSession{state.session, true},
      RegisterServer{"uuid", {"host", 5}, {"s", "r", "h", "d"}},
      DefineClass{{{}, "ec(2,1)/4K/host", {2, 1}, 4096, "host"}},
      SealForRepair{{ChunkId{1}}},
      ReleaseExtents{InodeId{4}, 10},
      CondemnChunks{{ChunkId{1}, ChunkId{2}}},
      ChunksRemoved{{ChunkId{2}}},
      StripesPunched{{{ChunkId{1}, 0}, {ChunkId{2}, 8192}}},
      SealsConfirmed{{ChunkId{2}}},
      PinOrphan{InodeId{2}, {state.session}},
      PinInputs{JobId{1}, 100, 100},
      CutTasks{JobId{1}, 100},
      SetQuoteStates{JobId{1}},
      StartMerge{JobId{1}, AttemptId{3}, ServerId{1}},
      FinishTask{
          {JobId{1}, JobPhase::surveying, 0, AttemptId{1}}, ServerId{1}, {1, 2, 3, 4, 5}, {}, "x", {{0, "h"}}, {}, {}},
      FinishTask{{JobId{1}, JobPhase::mapping, 0, AttemptId{1}}, ServerId{1}, {}, {}, {}, {}, "partial", {}},
      FinishTask{{JobId{1}, JobPhase::mapping, 1, AttemptId{2}}, ServerId{2}, {}, {}, {}, {}, {}, SpooledPartial{7, 8}},
      FinishTask{{JobId{1}, JobPhase::mapping, 0, AttemptId{1}},
                 ServerId{1},
                 {},
                 {},
                 {},
                 {},
                 "partial",
                 {},
                 {{0, InodeId{6}, 0, true}}},
      FinishTask{
          {JobId{1}, JobPhase::mapping, 1, AttemptId{2}}, ServerId{2}, {}, Error{Errc::io, "disk"}, {}, {}, {}, {}},
      LostResult{JobId{1}, 1, AttemptId{2}},
      FinishJob{{JobId{1}, JobPhase::merging, 0, AttemptId{3}}, ServerId{1}, {}, InodeId{4}},
      CancelJob{JobId{1}},
      FailJob{JobId{1}, {Errc::io, "why"}},
      RemoveJobRows{JobId{1}, 5, true},
      FreeReplaced{state.session, InodeId{6}},
      PlanShards{{{ServerId{3}, ChunkId{1}, 0}}},
      MoveShards{{{ChunkId{1}, 0, ServerId{1}, ServerId{3}}}},
      StaleShardsRemoved{{{ServerId{1}, ChunkId{1}, 0}}},
      SetServerState{ServerId{1}, ServerState::draining},
  };
  std::vector<std::string> all;
  std::string together;
  uint64_t request = state.next_request;
  const auto add = [&](const Mutation& mutation, const CommandBody& body) {
    const std::string encoded = encode_command({mutation, INT64_MAX / 2, body});
    const std::string with_length = ByteWriter().u16_be(static_cast<uint16_t>(encoded.size())).raw(encoded).take();
    all.push_back(with_length);
    together += with_length;
  };
  for (const CommandBody& body : of_clients) {
    add({state.session, RequestId{request}, RequestId{request}}, body);
    ++request;
  }
  for (const CommandBody& body : of_the_metaserver) add({}, body);
  all.push_back(together);
  return all;
}

const Registered registered{{"command", one, seeds}};

}  // namespace
}  // namespace cairn::fuzz

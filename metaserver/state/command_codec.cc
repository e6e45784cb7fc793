#include "metaserver/state/command_codec.h"

#include "metaserver/state/field_codec.h"
#include "metaserver/state/job_fields.h"

namespace cairn {

template <Of<Mutation> V>
auto fields(V& v) {
  return std::tie(v.session, v.request, v.lowest_unanswered);
}
template <Of<Command> V>
auto fields(V& v) {
  return std::tie(v.mutation, v.wall_ns);
}  // the body follows

template <Of<MakeNode> V>
auto fields(V& v) {
  return std::tie(v.parent, v.name, v.mode, v.uid, v.gid, v.rdev, v.target);
}
template <Of<MakeAnonymous> V>
auto fields(V& v) {
  return std::tie(v.like, v.policy);
}
template <Of<LinkNode> V>
auto fields(V& v) {
  return std::tie(v.inode, v.parent, v.name);
}
template <Of<RemoveName> V>
auto fields(V& v) {
  return std::tie(v.parent, v.name, v.directory);
}
template <Of<Rename> V>
auto fields(V& v) {
  return std::tie(v.old_parent, v.old_name, v.new_parent, v.new_name, v.flags);
}
template <Of<SetAttributes> V>
auto fields(V& v) {
  return std::tie(v.inode, v.mode, v.uid, v.gid, v.size, v.atime, v.mtime, v.ctime);
}
template <Of<SetXattr> V>
auto fields(V& v) {
  return std::tie(v.inode, v.name, v.value, v.flags);
}
template <Of<RemoveXattr> V>
auto fields(V& v) {
  return std::tie(v.inode, v.name);
}
template <Of<TrimRange> V>
auto fields(V& v) {
  return std::tie(v.inode, v.offset, v.length, v.mtime);
}
template <Of<ForgetOrphans> V>
auto fields(V& v) {
  return std::tie(v.inodes);
}
template <Of<FileCommit> V>
auto fields(V& v) {
  return std::tie(v.inode, v.extents, v.size_at_least, v.mtime, v.inline_data);
}
template <Of<ChunkCommit> V>
auto fields(V& v) {
  return std::tie(v.chunk, v.writer_epoch, v.committed_from, v.committed_to);
}
template <Of<Commit> V>
auto fields(V& v) {
  return std::tie(v.files, v.chunks);
}
template <Of<SealChunks> V>
auto fields(V& v) {
  return std::tie(v.chunks);
}
template <Of<OpenSession> V>
auto fields(V& v) {
  return std::tie(v.request);
}
template <Of<EndSession> V>
auto fields(V& v) {
  return std::tie(v.session, v.expired);
}
template <Of<PlannedChunk> V>
auto fields(V& v) {
  return std::tie(v.storage_class, v.code, v.servers, v.cell_bytes, v.shard_limit);
}
template <Of<CreateChunks> V>
auto fields(V& v) {
  return std::tie(v.chunks);
}
template <Of<RegisterServer> V>
auto fields(V& v) {
  return std::tie(v.uuid, v.address, v.labels);
}
template <Of<DefineClass> V>
auto fields(V& v) {
  return std::tie(v.storage_class);
}
template <Of<SealForRepair> V>
auto fields(V& v) {
  return std::tie(v.chunks);
}
template <Of<ReleaseExtents> V>
auto fields(V& v) {
  return std::tie(v.inode, v.limit);
}
template <Of<CondemnChunks> V>
auto fields(V& v) {
  return std::tie(v.chunks);
}
template <Of<ChunksRemoved> V>
auto fields(V& v) {
  return std::tie(v.chunks);
}
template <Of<DeadStripe> V>
auto fields(V& v) {
  return std::tie(v.chunk, v.place);
}
template <Of<StripesPunched> V>
auto fields(V& v) {
  return std::tie(v.stripes);
}
template <Of<SealsConfirmed> V>
auto fields(V& v) {
  return std::tie(v.chunks);
}
template <Of<PinOrphan> V>
auto fields(V& v) {
  return std::tie(v.inode, v.sessions);
}

template <Of<SubmitJob> V>
auto fields(V& v) {
  return std::tie(v.op, v.arguments, v.inputs, v.output, v.task_bytes, v.time_limit_ms);
}
template <Of<AdmitJob> V>
auto fields(V& v) {
  return std::tie(v.job, v.whole_files, v.csv_heads, v.quote_states, v.whole_lines, v.task_files, v.anywhere);
}
template <Of<JobInput> V>
auto fields(V& v) {
  return std::tie(v.inode, v.name);
}
template <Of<AddJobInputs> V>
auto fields(V& v) {
  return std::tie(v.job, v.first, v.inputs);
}
template <Of<CancelJob> V>
auto fields(V& v) {
  return std::tie(v.job);
}
template <Of<TaskRef> V>
auto fields(V& v) {
  return std::tie(v.job, v.phase, v.task, v.attempt);
}
template <Of<FileHead> V>
auto fields(V& v) {
  return std::tie(v.file, v.text);
}
template <Of<TaskOutput> V>
auto fields(V& v) {
  return std::tie(v.file, v.inode, v.if_version, v.reencoded);
}
template <Of<FinishTask> V>
auto fields(V& v) {
  return std::tie(v.ref, v.server, v.counters, v.failure, v.odd_quotes, v.heads, v.partial, v.spooled, v.outputs);
}
template <Of<FinishJob> V>
auto fields(V& v) {
  return std::tie(v.ref, v.server, v.counters, v.inode);
}
template <Of<LostResult> V>
auto fields(V& v) {
  return std::tie(v.job, v.task, v.attempt);
}
template <Of<PinInputs> V>
auto fields(V& v) {
  return std::tie(v.job, v.limit, v.files);
}
template <Of<CutTasks> V>
auto fields(V& v) {
  return std::tie(v.job, v.limit);
}
template <Of<SetQuoteStates> V>
auto fields(V& v) {
  return std::tie(v.job);
}
template <Of<StartMerge> V>
auto fields(V& v) {
  return std::tie(v.job, v.attempt, v.server);
}
template <Of<FailJob> V>
auto fields(V& v) {
  return std::tie(v.job, v.failure);
}
template <Of<RemoveJobRows> V>
auto fields(V& v) {
  return std::tie(v.job, v.limit, v.whole);
}
template <Of<FreeReplaced> V>
auto fields(V& v) {
  return std::tie(v.session, v.inode);
}

template <Of<PlanShards> V>
auto fields(V& v) {
  return std::tie(v.shards);
}
template <Of<ShardMove> V>
auto fields(V& v) {
  return std::tie(v.chunk, v.shard, v.from, v.to);
}
template <Of<MoveShards> V>
auto fields(V& v) {
  return std::tie(v.moves);
}
template <Of<StaleShard> V>
auto fields(V& v) {
  return std::tie(v.server, v.chunk, v.shard);
}
template <Of<StaleShardsRemoved> V>
auto fields(V& v) {
  return std::tie(v.shards);
}
template <Of<SetServerState> V>
auto fields(V& v) {
  return std::tie(v.server, v.state);
}

template <Of<Entry> V>
auto fields(V& v) {
  return std::tie(v.parent, v.name, v.attributes, v.cookie);
}
template <Of<Removed> V>
auto fields(V& v) {
  return std::tie(v.inode, v.links_left, v.directory);
}
template <Of<Renamed> V>
auto fields(V& v) {
  return std::tie(v.moved, v.replaced, v.replaced_links_left);
}
template <Of<Committed> V>
auto fields(V& v) {
  return std::tie(v.files, v.gone);
}

template <Of<JobFinished> V>
auto fields(V& v) {
  return std::tie(v.verdict, v.renamed);
}

namespace {

// Reads the alternative of that number; false: there is none.
template <typename Variant, size_t I = 0>
bool read_alternative(FieldReader& in, size_t number, Variant& into) {
  if constexpr (I == std::variant_size_v<Variant>) {
    return false;
  } else {
    if (number != I) return read_alternative<Variant, I + 1>(in, number, into);
    into.template emplace<I>(in.read<std::variant_alternative_t<I, Variant>>());
    return true;
  }
}

Error damaged(const char* what) {
  return {Errc::corrupt, std::string(what) + " is damaged, or was written by a newer version"};
}

}  // namespace

std::string encode_command(const Command& command) {
  FieldWriter out;
  out.write(kCommandVersion).write(static_cast<uint8_t>(command.body.index())).write(command);
  std::visit([&](const auto& body) { out.write(body); }, command.body);
  return out.take();
}

Result<Command> decode_command(std::string_view bytes) {
  FieldReader in(bytes);
  const auto version = in.read<uint8_t>();
  const auto number = in.read<uint8_t>();
  if (!in.ok() || version != kCommandVersion) return damaged("a command");
  Command command = in.read<Command>();
  if (!read_alternative(in, number, command.body) || !in.done()) return damaged("a command");
  return command;
}

std::string encode_outcome(const Outcome& outcome) {
  FieldWriter out;
  out.write(kOutcomeVersion);
  if (!outcome.ok()) return out.write(uint8_t{0}).write(outcome.error().code).write(outcome.error().what).take();
  out.write(static_cast<uint8_t>(1 + outcome->index()));
  std::visit([&](const auto& answer) { out.write(answer); }, *outcome);
  return out.take();
}

Result<Outcome> decode_outcome(std::string_view bytes) {
  FieldReader in(bytes);
  const auto version = in.read<uint8_t>();
  const auto number = in.read<uint8_t>();
  if (!in.ok() || version != kOutcomeVersion) return damaged("an outcome");
  if (number == 0) {
    const auto code = in.read<Errc>();
    auto what = in.read<std::string>();
    if (!in.done() || code < Errc::not_found || code > Errc::interrupted) return damaged("an outcome");
    return Result<Outcome>(Outcome(Error{code, std::move(what)}));
  }
  Answer answer;
  if (!read_alternative(in, number - 1u, answer) || !in.done()) return damaged("an outcome");
  return Result<Outcome>(Outcome(std::move(answer)));
}

const char* name_of(const CommandBody& body) {
  static constexpr const char* kNames[] = {"make_node",       "link",
                                           "remove",          "rename",
                                           "set_attributes",  "set_xattr",
                                           "remove_xattr",    "trim_range",
                                           "forget_orphans",  "commit",
                                           "seal_chunks",     "open_session",
                                           "end_session",     "create_chunks",
                                           "register_server", "define_class",
                                           "seal_for_repair", "release_extents",
                                           "condemn_chunks",  "chunks_removed",
                                           "stripes_punched", "seals_confirmed",
                                           "pin_orphan",      "admit_job",
                                           "add_job_inputs",  "cancel_job",
                                           "finish_task",     "finish_job",
                                           "lost_result",     "pin_inputs",
                                           "cut_tasks",       "set_quote_states",
                                           "start_merge",     "fail_job",
                                           "remove_job_rows", "free_replaced",
                                           "make_anonymous",  "plan_shards",
                                           "move_shards",     "stale_shards_removed",
                                           "set_server_state"};
  static_assert(std::size(kNames) == std::variant_size_v<CommandBody>);
  return kNames[body.index()];
}

}  // namespace cairn

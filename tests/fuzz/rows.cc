// Keys and values of the metaserver's store, one by one; and queries and commands over a store with damaged rows.
//
//   input: number of the row's kind | the value's bytes         or: damage of some rows, then everything is asked
#include "metaserver/state/rows.h"

#include "common/base/bytes.h"
#include "metaserver/state/command_codec.h"
#include "metaserver/state/job_queries.h"
#include "metaserver/state/state_machine.h"
#include "metaserver/state/transaction.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/meta_state.h"

namespace cairn::fuzz {
namespace {

bool is_damage(Errc code) { return code == Errc::corrupt; }

template <typename Row>
void value(Bytes bytes) {
  const auto row = decode_row<Row>(text_of(bytes));
  if (!row.ok()) return require(is_damage(row.code()), "a damaged value is corrupt");
  require(encode_row(*row) == text_of(bytes), "a row is written as it was read");
}

void outcome(Bytes bytes) {
  const auto decoded = decode_outcome(text_of(bytes));
  if (!decoded.ok()) return require(is_damage(decoded.code()), "a damaged outcome is corrupt");
  require(encode_outcome(*decoded) == text_of(bytes), "an outcome is written as it was read");
}

// A row of the extent table, key and value together.
void extent(Bytes bytes) {
  Input input(bytes);
  const std::string key = input.bytes(input.mostly<size_t>(17) % 64);
  const Bytes rest = input.rest();
  const auto found = decode_extent(key, text_of(rest));
  if (!found.ok()) return require(is_damage(found.code()), "a damaged extent is corrupt");
  require(valid(*found), "an extent that was read can be computed with");
  keys::Reader reader(Table::extent, key);
  require(keys::extent(MapId{reader.number()}, found->end()) == key, "its key says where it ends");
}

void damage(std::vector<StoreWrite>& rows, Input& input) {
  for (uint32_t n = 1 + input.below(4); n > 0; --n) {
    StoreWrite& row = rows[input.below(static_cast<uint32_t>(rows.size()))];
    if (row.key == kAppliedKey) continue;
    std::string& bytes = input.rarely() ? row.key : *row.value;
    switch (input.below(4)) {
      case 0:
        bytes = input.text(64);
        break;
      case 1:
        bytes.resize(input.below(static_cast<uint32_t>(bytes.size()) + 1));
        break;
      default:
        if (bytes.empty()) break;
        bytes[input.below(static_cast<uint32_t>(bytes.size()))] = static_cast<char>(input.u8());
    }
  }
}

// Whatever the rows say: an answer or an error.
void ask_everything(const StoreView& view) {
  for (uint64_t id = 0; id < 12; ++id) {
    const InodeId inode{id};
    (void)queries::attributes(view, inode);
    (void)queries::readlink(view, inode);
    (void)queries::directory(view, inode, 0, 100);
    (void)queries::xattr(view, inode, "cairn.policy");
    (void)queries::xattr_names(view, inode);
    (void)queries::layout(view, inode, 0, 1 << 20, 100);
    (void)queries::chunk(view, ChunkId{id});
    (void)queries::open_chunks(view, SessionId{id});
    (void)queries::storage_class(view, ClassId{static_cast<uint32_t>(id)});
    for (const char* name : {"a", "d", "in", "l"}) (void)queries::lookup(view, inode, name);
  }
  for (uint64_t id = 0; id < 3; ++id) {
    const JobId job{id};
    (void)queries::job(view, job);
    (void)queries::job_files(view, job, 0, 100);
    (void)queries::job_layout(view, job, 0, 0, 1 << 20, 100);
    (void)queries::tasks(view, job, 0, 100);
    (void)queries::partial(view, job, 0);
    (void)queries::changed_inputs(view, job, 10);
    (void)queries::job_ranges(view, job, {0, 0, 1 << 20});
  }
  (void)queries::jobs(view, {}, 100);
  (void)queries::oldest_pin(view);
  (void)queries::chunks(view, {}, 100);
  (void)queries::open_chunks(view);
  (void)queries::pending_seals(view, {}, 100);
  (void)queries::dead_stripes(view, INT64_MAX, 100);
  (void)queries::dead_chunks(view, INT64_MAX, 100);
  (void)queries::condemned_chunks(view, {}, 100);
  (void)queries::maps_to_release(view, 100);
  (void)queries::sessions(view);
  (void)queries::servers(view);
  (void)queries::classes(view);
  (void)queries::counters(view);
  (void)queries::incarnation(view);
}

// What each kind of change makes of the damage: an answer, an error, or the end of the process with `corrupt`.
void change_everything(const MetaState& state, OrderedStore& store) {
  uint64_t request = state.next_request;
  LogIndex index = state.applied;
  const Extent extent{.offset = 4096, .length = 8192, .chunk = ChunkId{1}, .shape = {{2, 1}, 4096, 4096, 3}};
  const CommandBody bodies[] = {
      SetAttributes{InodeId{4}, {}, {}, {}, 5000, {}, {}, {}},
      TrimRange{InodeId{4}, 1000, 9000, {}},
      Commit{{{InodeId{4}, {extent}, 0, {}, {}}}, {}},
      MakeNode{InodeId{2}, "new", 0100644, 0, 0, 0, {}},
      Rename{kRootInode, "a", InodeId{2}, "in", 0},
      SetXattr{InodeId{2}, "user.x", "y", 0},
      RemoveName{kRootInode, "b", false},
      SealChunks{{ChunkId{1}}},
      ForgetOrphans{{InodeId{6}}},
      EndSession{state.session, true},
      CondemnChunks{{ChunkId{1}, ChunkId{2}}},
      ReleaseExtents{InodeId{4}, 10},
      PinInputs{JobId{1}, 100, 100},
      CutTasks{JobId{1}, 100},
      SetQuoteStates{JobId{1}},
      FinishTask{{JobId{1}, JobPhase::mapping, 0, AttemptId{1}}, ServerId{1}, {}, {}, {}, {}, "partial", {}},
      LostResult{JobId{1}, 0, AttemptId{1}},
      StartMerge{JobId{1}, AttemptId{1}, ServerId{1}},
      FinishJob{{JobId{1}, JobPhase::merging, 0, AttemptId{1}}, ServerId{1}, {}, InodeId{4}},
      CancelJob{JobId{1}},
      RemoveJobRows{JobId{1}, 1000, true},
  };
  for (const CommandBody& body : bodies) {
    const bool own = body.index() > 10;  // of the metaserver itself, or may be
    const Mutation mutation = own ? Mutation{} : Mutation{state.session, RequestId{request++}, RequestId{1}};
    Transaction transaction(store.view());
    index = LogIndex{raw(index) + 1};
    const auto outcome = apply(transaction, index, Command{mutation, INT64_MAX / 2, body});
    if (!outcome.ok()) return;  // the process ends
    require(store.write(transaction.take()).ok(), "a store in memory can be written");
  }
}

void damaged_store(Bytes bytes) {
  Input input(bytes);
  MetaState state = MetaState::small();
  damage(state.rows, input);
  const auto store = state.store();
  ask_everything(*store->view());
  change_everything(state, *store);
}

constexpr void (*kKinds[])(Bytes) = {
    damaged_store,
    outcome,
    extent,
    value<DentryRow>,
    value<CookieRow>,
    value<InodeRow>,
    value<ExtentRow>,
    value<BirthRow>,
    value<ChunkRow>,
    value<StripeRow>,
    value<ChunkRefRow>,
    value<DeadStripeRow>,
    value<SessionRow>,
    value<NonceRow>,
    value<OutcomeWindowRow>,
    value<ServerRow>,
    value<UuidRow>,
    value<ClassRow>,
    value<ClassNameRow>,
    value<AppliedRow>,
    value<CountersRow>,
    value<IdentityRow>,
    value<JobRow>,
    value<JobStateRow>,
    value<JobFileRow>,
    value<JobChunkRow>,
    value<TaskRow>,
    value<TaskResultRow>,
    value<JobsRow>,
    value<ServerStateRow>,
    value<StaleShardRow>,
};

void one(Bytes bytes) {
  Input input(bytes);
  const uint32_t kind = input.u8() % std::size(kKinds);
  kKinds[kind](input.rest());
}

// The kind that decodes the values of a table; 0: none of its own.
char kind_of(const std::string& key) {
  constexpr std::string_view kTables = "..FDEIF.CSBPNnuVvWw";
  constexpr std::string_view kJobTables = "JijHTZ";  // from kind 22 on
  const size_t at = kTables.find(key.front());
  if (key == kJobsKey) return 28;
  if (key.front() == static_cast<char>(Table::server_state)) return 29;
  if (key.front() == static_cast<char>(Table::stale_shard)) return 30;
  if (const size_t of_jobs = kJobTables.find(key.front()); of_jobs != std::string_view::npos)
    return static_cast<char>(22 + of_jobs);
  if (key == kAppliedKey) return 19;
  if (key == kCountersKey) return 20;
  if (key == kIdentityKey) return 21;
  if (key.front() == static_cast<char>(Table::outcome)) return 1;
  return at == std::string_view::npos || key.front() == '.' ? 0 : static_cast<char>(at);
}

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  std::set<char> seen;
  uint8_t number = 0;
  for (const StoreWrite& row : MetaState::small().rows) {
    const char kind = kind_of(row.key);
    all.push_back(std::string("\0\0", 2) + static_cast<char>(number++) + std::string("\0\x02\x01\xff", 4));
    if (kind == 0 || !seen.insert(kind).second) continue;
    all.push_back(std::string(1, kind) + (kind == 2 ? std::string(1, '\0') + row.key : "") + *row.value);
    if (kind == 2) all.push_back(std::string(1, '\x06') + *row.value);
  }
  return all;
}

const Registered registered{{"rows", one, seeds}};

}  // namespace
}  // namespace cairn::fuzz

#include "tests/campaign/names_worker.h"

#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>

namespace cairn {
namespace {

constexpr const char* kDirectory = "shared-names";
constexpr Duration kLongestPause = 400ms;
constexpr Duration kPeriod = 2s;  // in every second one nobody changes a name, and all become cached everywhere
using Model = NamesModel;
using Kind = Model::Kind;

std::string name_at(size_t index) { return std::string(1, static_cast<char>('a' + index)); }

Result<Model::Names> list(Filesystem& files, InodeId directory) {
  ASSIGN(const DirectoryPage page, files.read_directory(directory, 0, 100, true));
  if (!page.complete) return Error{Errc::corrupt, "a listing of a few names is not complete"};
  Model::Names names{};
  for (const Entry& entry : page.entries) {
    const size_t index = static_cast<size_t>(entry.name[0] - 'a');
    if (entry.name.size() != 1 || index >= names.size() || names[index] != 0)
      return Error{Errc::corrupt, "an unexpected name is listed: " + entry.name};
    names[index] = entry.attributes.uid;
  }
  return names;
}

// Answers that say something about the names; all others are failures.
Result<Model::Answer> answer_of(const Result<Model::Names>& result) {
  constexpr Errc kAnswers[] = {Errc::not_found, Errc::exists, Errc::is_directory, Errc::not_directory};
  if (result.ok()) return Model::Answer{{}, *result};
  if (result.code() == Errc::stale_handle) return Model::Answer{Errc::not_found, {}};
  if (std::ranges::find(kAnswers, result.code()) == std::end(kAnswers)) return result.error();
  return Model::Answer{result.code(), {}};
}

void judge(CairnWorld& world, const std::string& client, Model::Id id, const Model::Answer& answer,
           const std::string& what) {
  const auto objection = world.shared().names.end(id, answer);
  if (!objection) return;
  world.shared().names_calls.tell(world.story());
  world.story().wrong("{}: {}/{}: {}", client, kDirectory, what, *objection);
}

std::string told(const Model::Call& call) {
  constexpr const char* kKinds[] = {"look", "list", "make", "link", "unlink", "rmdir", "rename"};
  return fmt::format("{} {} (token {}, to {})", kKinds[static_cast<size_t>(call.kind)], name_at(call.name), call.token,
                     name_at(call.new_name));
}

}  // namespace

NamesWorker::NamesWorker(CairnWorld& world, WorkloadState& state, Filesystem& files, uint64_t seed)
    : world_(world), state_(state), files_(files), random_(seed) {
  auto made = files_.make_node({kRootInode, kDirectory, S_IFDIR | 0755, 0, 0, 0, {}});
  if (!made.ok() && made.code() == Errc::exists) made = files_.lookup(kRootInode, kDirectory);
  directory_ = expect(world_, "open the shared directory", std::move(made)).attributes.inode;
}

void NamesWorker::step() {
  world_.sleep(Duration(static_cast<int64_t>(random_.below(static_cast<uint64_t>(kLongestPause.count())))));
  Model::Call next;
  next.name = random_.below(Model::kNames);
  next.new_name = (next.name + 1 + random_.below(Model::kNames - 1)) % Model::kNames;
  const uint64_t kind = random_.below(20);
  next.kind = kind < 8    ? Kind::look
              : kind < 9  ? Kind::list
              : kind < 13 ? Kind::make
              : kind < 14 ? Kind::link
              : kind < 16 ? Kind::unlink
              : kind < 17 ? Kind::rmdir
                          : Kind::rename;
  if (world_.now().ns / kPeriod.count() % 2 == 0) next.kind = Kind::look;
  if (next.kind == Kind::make) next.token = world_.shared().names.next_token(random_.one_in(4));
  if (next.kind == Kind::link) {
    if (inodes_.empty()) return;
    next.token = std::prev(inodes_.end())->first;
  }
  // Several looks at once: most are answered from what is cached, and show it if that is old.
  for (uint64_t more = next.kind == Kind::look ? random_.below(Model::kNames) : 0; more > 0 && !state_.broken; --more) {
    call(next);
    next.name = (next.name + 1) % Model::kNames;
  }
  call(next);
}

void NamesWorker::call(const Model::Call& call) {
  const Model::Id id = world_.shared().names.begin(state_.index, call);
  const std::string name = name_at(call.name);
  const double began = world_.story().now();
  const auto done = [&]() -> Result<Model::Names> {
    Status changed;
    switch (call.kind) {
      case Kind::look:
        return look(call.name);
      case Kind::list:
        return list(files_, directory_);
      case Kind::make:
        changed = make(call);
        break;
      case Kind::link:
        if (const auto linked = files_.link({inodes_.at(call.token), directory_, name}); !linked.ok())
          changed = linked.error();
        break;
      case Kind::unlink:
        changed = files_.unlink(directory_, name);
        break;
      case Kind::rmdir:
        changed = files_.rmdir(directory_, name);
        break;
      case Kind::rename:
        changed = files_.rename({directory_, name, directory_, name_at(call.new_name), 0});
    }
    if (!changed.ok()) return changed.error();
    return Model::Names{};
  }();
  world_.shared().names_calls.add(fmt::format(
      "{:.6f} to {:.6f} {}: {} -> {}", began, world_.story().now(), state_.client, told(call),
      done.ok() ? fmt::format("{}", *done) : fmt::format("{}: {}", name_of(done.code()), done.error().what)));
  // Without an answer it may have happened, or happen as long as the session lives.
  judge(world_, state_.client, id, expect(world_, told(call), answer_of(done)), told(call));
}

Result<NamesModel::Names> NamesWorker::look(size_t name) {
  ASSIGN(const Entry entry, files_.lookup(directory_, name_at(name)));
  Model::Names names{};
  names[name] = entry.attributes.uid;
  if (!Model::is_directory(entry.attributes.uid)) inodes_[entry.attributes.uid] = entry.attributes.inode;
  return names;
}

Status NamesWorker::make(const Model::Call& call) {
  const bool directory = Model::is_directory(call.token);
  const uint32_t mode = directory ? S_IFDIR | 0755 : S_IFREG | 0644;
  const MakeNode request{directory_, name_at(call.name), mode, call.token, 0, 0, {}};
  if (directory) {
    const auto made = files_.make_node(request);
    return made.ok() ? Status{} : Status(made.error());
  }
  const Result<Filesystem::Created> created = files_.create(request);
  // Made, and removed by another mount before it was open here.
  if (!created.ok() && created.code() == Errc::stale_handle) return {};
  if (!created.ok()) return created.error();
  if (open_) (void)files_.release(*open_);
  open_ = created->handle;
  return {};
}

void NamesWorker::remove_all(CairnWorld& world, Filesystem& files) {
  const auto directory = files.lookup(kRootInode, kDirectory);
  if (!directory.ok() && directory.code() == Errc::not_found) return;
  const InodeId inode = world.story().must("the shared directory", directory).attributes.inode;
  const Model::Id id = world.shared().names.begin(UINT64_MAX, {});
  const Model::Names names = world.story().must("the shared directory's names", list(files, inode));
  judge(world, "the last mount", id, {{}, names}, "all");
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == 0) continue;
    world.story().must("remove " + name_at(i), Model::is_directory(names[i]) ? files.rmdir(inode, name_at(i))
                                                                             : files.unlink(inode, name_at(i)));
  }
  world.story().must("rmdir of the shared directory", files.rmdir(kRootInode, kDirectory));
}

}  // namespace cairn

#include "tests/campaign/shared_names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace cairn {

namespace {
std::string told(const NamesModel::Answer& answer) {
  return answer.error ? name_of(*answer.error) : fmt::format("{}", answer.names);
}
}  // namespace

NamesModel::Id NamesModel::begin(uint64_t client, const Call& call) {
  under_way_[++last_id_] = {client, call};
  return last_id_;
}

std::optional<std::string> NamesModel::end(Id id, const Answer& answer) {
  const Call call = under_way_.at(id).call;
  States left, possible = reachable();
  std::set<Answer> others;
  for (const State& state : possible) {
    const auto own = state.done.find(id);
    if (own == state.done.end()) continue;
    if (!agree(call, own->second, answer)) {
      others.insert(own->second);
      continue;
    }
    State after = state;
    after.done.erase(id);
    left.insert(std::move(after));
  }
  under_way_.erase(id);
  if (left.empty()) {
    std::string objection =
        fmt::format("the answer {} is possible in no order of the calls; possible were:", told(answer));
    for (const Answer& other : others) objection += " " + told(other);
    return objection;
  }
  states_ = std::move(left);
  return std::nullopt;
}

void NamesModel::settle(uint64_t client) {
  const auto is_own = [&](const auto& one) { return one.second.client == client; };
  if (std::ranges::none_of(under_way_, is_own)) return;
  States settled;
  for (State state : reachable()) {
    std::erase_if(state.done, [&](const auto& one) { return under_way_.at(one.first).client == client; });
    settled.insert(std::move(state));
  }
  states_ = std::move(settled);
  std::erase_if(under_way_, is_own);
}

NamesModel::States NamesModel::reachable() const {
  States reached;
  for (const State& state : states_) reach(state, reached);
  return reached;
}

void NamesModel::reach(const State& from, States& reached) const {
  if (!reached.insert(from).second) return;
  for (const auto& [id, one] : under_way_) {
    if (from.done.contains(id)) continue;
    State after = from;
    after.done[id] = take_effect(after.names, one.call);
    reach(after, reached);
  }
}

NamesModel::Answer NamesModel::take_effect(Names& names, const Call& call) {
  Token& named = names[call.name];
  switch (call.kind) {
    case Kind::look: {
      Answer answer{named == 0 ? std::optional(Errc::not_found) : std::nullopt, {}};
      answer.names[call.name] = named;
      return answer;
    }
    case Kind::list:
      return {{}, names};
    case Kind::make:
      if (named != 0) return {Errc::exists};
      named = call.token;
      return {};
    case Kind::link:
      if (std::ranges::find(names, call.token) == names.end()) return {Errc::not_found};
      if (named != 0) return {Errc::exists};
      named = call.token;
      return {};
    case Kind::unlink:
    case Kind::rmdir:
      if (named == 0) return {Errc::not_found};
      if (is_directory(named) != (call.kind == Kind::rmdir))
        return {call.kind == Kind::rmdir ? Errc::not_directory : Errc::is_directory};
      named = 0;
      return {};
    case Kind::rename: {
      Token& over = names[call.new_name];
      if (named == 0) return {Errc::not_found};
      if (named == over) return {};  // two names of one inode stay
      if (over != 0 && is_directory(named) != is_directory(over))
        return {is_directory(over) ? Errc::is_directory : Errc::not_directory};
      over = std::exchange(named, 0);
      return {};
    }
  }
  return {};
}

bool NamesModel::agree(const Call& call, const Answer& possible, const Answer& given) {
  if (possible == given) return true;
  // The inode that is to be linked is gone, and the name is taken: which is said first is not promised.
  return call.kind == Kind::link && possible.error == Errc::not_found && given.error == Errc::exists;
}

}  // namespace cairn

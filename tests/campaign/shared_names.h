// A directory whose names all clients of a run change at once, judged as a whole: is there an order of all calls, each
// taking effect at one moment between its start and its answer, in which every answer is right?
//
//   begin(call) ---- it takes effect once, at some moment, or (without an answer) never ---- end(answer)
//
// What is kept are all states that explain the answers so far: the names, and which of the calls under way have taken
// effect already, with the answers that they must give then. Each inode says in its owner (uid) which call has made it,
// its token, so that names can be told apart whatever is made and removed under them.
//
// The clients' calls are few at a time, and so are the states. Lives outside of the machines.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "common/base/result.h"

namespace cairn {

class NamesModel {
 public:
  static constexpr size_t kNames = 4;
  using Token = uint32_t;  // 0: there is no such name; odd: a directory
  using Names = std::array<Token, kNames>;
  static bool is_directory(Token token) { return token % 2 != 0; }
  Token next_token(bool directory) { return 2 * ++last_token_ + (directory ? 1 : 0); }

  enum class Kind : uint8_t { look, list, make, link, unlink, rmdir, rename };
  struct Call {
    Kind kind = Kind::list;
    size_t name = 0;
    size_t new_name = 0;  // of rename
    Token token = 0;      // of make: the new one; of link: the file that gets another name
  };
  struct Answer {
    std::optional<Errc> error{};
    Names names{};  // of look: the one name; of list: all
    auto operator<=>(const Answer&) const = default;
  };

  using Id = uint64_t;
  Id begin(uint64_t client, const Call& call);
  // Nothing: some order explains this answer too. Otherwise what was possible, in words.
  std::optional<std::string> end(Id id, const Answer& answer);
  // The client's calls that have no answer will get none, and have happened by now or never will: its sessions are
  // over.
  void settle(uint64_t client);
  size_t states() const { return states_.size(); }

 private:
  struct UnderWay {
    uint64_t client = 0;
    Call call;
  };
  struct State {
    Names names{};
    std::map<Id, Answer> done{};  // of those under way
    auto operator<=>(const State&) const = default;
  };
  using States = std::set<State>;
  static Answer take_effect(Names& names, const Call& call);
  static bool agree(const Call& call, const Answer& possible, const Answer& given);
  // All states that calls under way may lead to from here.
  void reach(const State& from, States& reached) const;
  States reachable() const;

  States states_{State{}};
  std::map<Id, UnderWay> under_way_;
  Id last_id_ = 0;
  Token last_token_ = 0;
};

}  // namespace cairn

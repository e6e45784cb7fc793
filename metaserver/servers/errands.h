// What each server of a chunk has yet to confirm, before the metaserver may forget it: a seal, a punch, a removal.
//
// A server that is away delays only its own part: the others are asked and remembered. An errand is done when every
// shard has been confirmed by its server's own answer, never because nobody could be asked. Pure; kept in memory only:
// after a restart everything is asked once more, which changes nothing on the servers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "common/base/result.h"
#include "common/meta/cluster.h"

namespace cairn {

struct Errand {
  enum class Kind : uint8_t { seal, punch, remove };
  Kind kind = Kind::seal;
  ChunkId chunk{};
  uint64_t place = 0;   // of a punch
  uint64_t length = 0;  // of a punch: bytes of each shard
};
struct ErrandCall {
  Errand errand;
  ServerId server{};
  uint8_t shard = 0;
};

// Whether an answer confirms: done, or there is nothing (any more) to do it to.
bool confirms(const Status& answer);

class Errands {
 public:
  // Known ones (by kind, chunk and place) keep what is confirmed.
  void add(const Errand& errand, const std::vector<ServerId>& servers);
  // A known one is for these servers from now on; what was confirmed stays so where the server is the same.
  void move(const Errand& errand, const std::vector<ServerId>& servers);
  // What can be asked now, server by server: unconfirmed shards on servers for which may_ask is true.
  std::vector<ErrandCall> calls(const std::function<bool(ServerId)>& may_ask) const;
  void confirm(const ErrandCall& call);
  // Takes out those that every server has confirmed.
  std::vector<Errand> take_done();
  void drop(Errand::Kind kind, ChunkId chunk);  // nothing of this kind is asked of the chunk any more
  size_t size() const { return errands_.size(); }

 private:
  struct Key {
    Errand::Kind kind;
    ChunkId chunk;
    uint64_t place;
    auto operator<=>(const Key&) const = default;
  };
  struct State {
    Errand errand;
    std::vector<ServerId> servers;
    uint64_t confirmed = 0;  // bit i: shard i; a chunk has at most 40
    bool done() const { return confirmed == (uint64_t{1} << servers.size()) - 1; }
  };
  std::map<Key, State> errands_;
};

}  // namespace cairn

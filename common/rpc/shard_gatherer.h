// Several calls to chunkservers under way at once, gathered by the thread that made them (ShardCalls over the network).
//
//   append, sync, read --> the server's link: requests go out at once, one behind the other
//   wait               --> whichever link can be read: one step of its oldest call's reply, straight into its buffers
//
// One link, with one borrowed connection, for each server that was spoken to. No step waits for one peer while
// another's bytes are there; only starting a call may wait, as long as its peer does not take the bytes. A pooled
// connection that proves dead before it answered anything (the server has restarted since) is replaced once and its
// calls are sent again: an append is byte-identical, so that is allowed. After any other failure of a connection its
// calls are completed with unavailable.
#pragma once

#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "common/rpc/server_pool.h"
#include "common/stripe/shard_calls.h"

namespace cairn {

class ShardGatherer : public ShardCalls {
 public:
  explicit ShardGatherer(ServerPool& pool) : pool_(pool) {}  // outlives this
  ~ShardGatherer() override;

  void append(Tag tag, const AppendCall& call, std::span<const iovec> record, Instant deadline) override;
  void sync(Tag tag, const SyncCall& call, Instant deadline) override;
  void read(Tag tag, const ReadCall& call, std::span<uint8_t> header_into, std::span<uint8_t> cell_into,
            Instant deadline) override;
  void cancel(Tag tag) override;
  size_t under_way() const override { return waited_for_ + ready_.size(); }
  std::optional<Completion> wait(Instant deadline) override;

 private:
  struct Call {
    Tag tag = 0;
    std::variant<AppendCall, SyncCall, ReadCall> what;
    std::vector<iovec> record;       // of an append
    std::span<uint8_t> header_into;  // of a read
    std::span<uint8_t> cell_into;
    Instant started;
    Instant deadline;
    bool cancelled = false;  // its reply is still to come, and forgotten
  };
  struct Link {
    ServerId server{};
    std::unique_ptr<ServerPool::Connection> connection;
    bool reused = false;
    bool answered = false;         // something was received since it was taken
    bool tainted = false;          // not for the pool
    std::deque<Call> calls;        // sent, not answered; the oldest first
    std::optional<uint32_t> tail;  // bytes of the oldest call's tail that have come; nothing: its frame is awaited
  };

  Link& link_to(ServerId server);
  void start(ServerId server, Call call);
  Status transmit(Link& link, const Call& call);
  void advance(Link& link, bool readable);
  Result<bool> step(Link& link, bool& may_read);
  Status take_reply(Link& link, std::span<const uint8_t> frame);
  Status take_tail(Link& link);
  void finish_oldest(Link& link, Completion completion);
  void complete(Link& link, const Call& call, Completion completion);
  void recover(Link& link, Error error);
  void drop(Link& link, const Error& error);
  void expire(Instant now);
  bool reads_pending(const Link& link) const;
  void await_tails(Link& link);
  Instant next_deadline(const Link& link) const;

  ServerPool& pool_;
  std::deque<Link> links_;  // deque: references stay valid
  std::deque<Completion> ready_;
  std::vector<Stream*> streams_;  // scratch of wait()
  std::vector<Link*> readable_;   // scratch of wait(), parallel to streams_
  size_t waited_for_ = 0;         // calls that are neither cancelled nor completed
};

}  // namespace cairn

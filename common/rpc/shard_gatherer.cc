#include "common/rpc/shard_gatherer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/rpc/wire.h"

namespace cairn {
namespace {

using Stub = thrift::ChunkserverClient;

// A reply behind which nothing can be read any more: the connection is dropped with this error.
bool is_about_connection(Errc code) { return code == Errc::unavailable || code == Errc::timed_out; }

}  // namespace

ShardGatherer::~ShardGatherer() {
  const Instant now = pool_.clock().now();
  for (Link& link : links_) {
    for (const Call& call : link.calls) {
      if (!call.cancelled) pool_.abandoned(link.server, now - call.started);
    }
    const bool clean = link.connection && link.calls.empty() && !link.tainted && link.connection->reader().empty();
    if (clean) pool_.give_back(link.server, std::move(link.connection));
  }
}

// ---- starting ------------------------------------------------------------------------------------------------------

void ShardGatherer::append(Tag tag, const AppendCall& call, std::span<const iovec> record, Instant deadline) {
  // The server takes no request while it cannot send a tail, and we take no tail while we send a record: so first the
  // tails.
  await_tails(link_to(call.shard.server));
  Call started{.tag = tag,
               .what = call,
               .record = {record.begin(), record.end()},
               .header_into = {},
               .cell_into = {},
               .started = {},
               .deadline = deadline};
  start(call.shard.server, std::move(started));
}

void ShardGatherer::sync(Tag tag, const SyncCall& call, Instant deadline) {
  start(call.shard.server, Call{.tag = tag,
                                .what = call,
                                .record = {},
                                .header_into = {},
                                .cell_into = {},
                                .started = {},
                                .deadline = deadline});
}

void ShardGatherer::read(Tag tag, const ReadCall& call, std::span<uint8_t> header_into, std::span<uint8_t> cell_into,
                         Instant deadline) {
  start(call.shard.server, Call{.tag = tag,
                                .what = call,
                                .record = {},
                                .header_into = header_into,
                                .cell_into = cell_into,
                                .started = {},
                                .deadline = deadline});
}

ShardGatherer::Link& ShardGatherer::link_to(ServerId server) {
  for (Link& link : links_) {
    if (link.server == server) return link;
  }
  Link& link = links_.emplace_back();
  link.server = server;
  return link;
}

void ShardGatherer::start(ServerId server, Call call) {
  Link& link = link_to(server);
  call.started = pool_.clock().now();
  const Instant deadline = call.deadline;
  pool_.started(server);
  ++waited_for_;
  link.calls.push_back(std::move(call));
  if (!link.connection) {
    auto taken = pool_.take(server, false, deadline);
    if (!taken.ok()) return drop(link, taken.error());
    link.connection = std::move(taken->connection);
    link.reused = taken->reused;
    link.answered = link.tainted = false;
  }
  if (const Status sent = transmit(link, link.calls.back()); !sent.ok()) recover(link, sent.error());
}

// Frame and record leave in one system call.
Status ShardGatherer::transmit(Link& link, const Call& call) {
  std::array<iovec, 64> pieces;
  std::span<const uint8_t> frame;
  size_t tail_bytes = 0;
  for (const iovec& piece : call.record) tail_bytes += piece.iov_len;
  if (const auto* append = std::get_if<AppendCall>(&call.what)) {
    frame = link.connection->encode(&Stub::send_append, to_wire(*append, static_cast<uint32_t>(tail_bytes)));
  } else if (const auto* sync = std::get_if<SyncCall>(&call.what)) {
    frame = link.connection->encode(&Stub::send_sync, to_wire(*sync));
  } else {
    frame = link.connection->encode(&Stub::send_read, to_wire(std::get<ReadCall>(call.what)));
  }
  pieces[0] = {const_cast<uint8_t*>(frame.data()), frame.size()};
  if (call.record.size() < pieces.size()) {
    std::ranges::copy(call.record, pieces.begin() + 1);
    return link.connection->stream().write_all({pieces.data(), 1 + call.record.size()}, call.deadline);
  }
  TRY(link.connection->stream().write_all({pieces.data(), 1}, call.deadline));
  return link.connection->stream().write_all(call.record, call.deadline);
}

// ---- gathering -----------------------------------------------------------------------------------------------------

std::optional<ShardCalls::Completion> ShardGatherer::wait(Instant deadline) {
  for (;;) {
    // What has arrived behind an earlier reply lies in the reader, where no poll sees it.
    for (Link& link : links_) {
      if (!link.calls.empty() && !link.connection->reader().empty()) advance(link, false);
    }
    if (!ready_.empty()) {
      Completion completion = std::move(ready_.front());
      ready_.pop_front();
      return completion;
    }
    if (waited_for_ == 0) return std::nullopt;

    streams_.clear();
    readable_.clear();
    Instant until = deadline;
    for (Link& link : links_) {
      if (link.calls.empty()) continue;
      until = std::min(until, next_deadline(link));
      streams_.push_back(&link.connection->stream());
      readable_.push_back(&link);
    }
    const auto readable = pool_.network().wait_readable(streams_, until);
    if (readable.ok()) {
      advance(*readable_[*readable], true);
    } else if (readable.code() == Errc::timed_out) {
      const Instant now = pool_.clock().now();
      expire(now);
      if (now >= deadline && ready_.empty()) return std::nullopt;
    } else {
      for (Link* const link : readable_) drop(*link, readable.error());
    }
  }
}

// Goes on with what is here; if the link can be read, reads once.
void ShardGatherer::advance(Link& link, bool readable) {
  while (!link.calls.empty()) {
    const auto progress = step(link, readable);
    if (!progress.ok()) return recover(link, progress.error());
    if (!*progress) return;
  }
}

// False when the next thing to do is a read that may not be made.
Result<bool> ShardGatherer::step(Link& link, bool& may_read) {
  FrameReader& reader = link.connection->reader();
  if (link.tail) {
    if (reader.empty() && !std::exchange(may_read, false)) return false;
    TRY(take_tail(link));
    return true;
  }
  const auto frame = reader.frame();
  if (!frame.ok()) return ServerPool::Connection::reply_error(frame.error());
  if (*frame) {
    TRY(take_reply(link, **frame));
    return true;
  }
  if (!std::exchange(may_read, false)) return false;
  TRY(reader.fill(link.calls.front().deadline));
  link.answered = true;
  return true;
}

// An error that is returned ends the connection; the error of an operation completes the call.
Status ShardGatherer::take_reply(Link& link, std::span<const uint8_t> frame) {
  const Call& call = link.calls.front();
  Completion completion;
  completion.tag = call.tag;
  const auto take = [&](const Result<ShardPosition>& position) {
    if (position.ok()) {
      completion.boot = position->boot;
      completion.end = position->end;
    } else {
      completion.status = position.error();
    }
  };
  if (std::holds_alternative<AppendCall>(call.what)) {
    thrift::AppendReply reply;
    TRY(link.connection->decode(frame, &Stub::recv_append, reply));
    take(from_wire(reply));
  } else if (std::holds_alternative<SyncCall>(call.what)) {
    thrift::SyncReply reply;
    TRY(link.connection->decode(frame, &Stub::recv_sync, reply));
    take(from_wire(reply));
  } else {
    thrift::ReadReply reply;
    TRY(link.connection->decode(frame, &Stub::recv_read, reply));
    const auto bytes = from_wire(reply);
    if (bytes.ok()) {
      const size_t wanted = call.header_into.size() + call.cell_into.size();
      if (*bytes != wanted) {
        return Error{Errc::io, fmt::format("chunkserver {} sends {} bytes for {}", raw(link.server), *bytes, wanted)};
      }
      link.tail = 0;
      return {};
    }
    if (!reply.__isset.error) return bytes.error();  // whether a tail follows is unknown
    completion.status = bytes.error();
  }
  finish_oldest(link, std::move(completion));
  return {};
}

// One read of the oldest call's tail, into the header's buffer and then the cell's; of a cancelled call to nowhere.
Status ShardGatherer::take_tail(Link& link) {
  const Call& call = link.calls.front();
  FrameReader& reader = link.connection->reader();
  const size_t header_bytes = call.header_into.size();
  const size_t all = header_bytes + call.cell_into.size();
  const size_t have = *link.tail;
  std::array<uint8_t, 16384> nowhere;
  std::span<uint8_t> into;
  if (call.cancelled) {
    into = {nowhere.data(), std::min(all - have, nowhere.size())};
  } else if (have < header_bytes) {
    into = call.header_into.subspan(have);
  } else {
    into = call.cell_into.subspan(have - header_bytes);
  }
  ASSIGN(const size_t n, reader.read_tail_some(into, call.deadline));
  link.tail = static_cast<uint32_t>(have + n);
  if (have + n < all) return {};
  link.tail.reset();
  finish_oldest(link, Completion{call.tag, {}, {}, 0});
  return {};
}

void ShardGatherer::finish_oldest(Link& link, Completion completion) {
  const Call call = std::move(link.calls.front());
  link.calls.pop_front();
  if (!completion.status.ok() && completion.status.code() == Errc::stale_boot) {
    // It has restarted, perhaps elsewhere, and something else may answer here.
    link.tainted = true;
    pool_.address_changed(link.server);
  }
  if (call.cancelled) return;
  --waited_for_;
  pool_.answered(link.server, pool_.clock().now() - call.started);
  ready_.push_back(std::move(completion));
}

void ShardGatherer::cancel(Tag tag) {
  if (std::erase_if(ready_, [tag](const Completion& one) { return one.tag == tag; }) > 0) return;
  for (Link& link : links_) {
    const auto at =
        std::ranges::find_if(link.calls, [tag](const Call& call) { return call.tag == tag && !call.cancelled; });
    if (at == link.calls.end()) continue;
    at->cancelled = true;
    --waited_for_;
    pool_.abandoned(link.server, pool_.clock().now() - at->started);
    return;
  }
}

// ---- failures ------------------------------------------------------------------------------------------------------

// The connection failed. If it was a pooled one that had not answered yet, a new one gets the same calls.
void ShardGatherer::recover(Link& link, Error error) {
  const bool stale = link.reused && !link.answered && error.code == Errc::unavailable;
  // What went wrong with a call that nobody waits for is no answer to the next one.
  if (!link.calls.empty() && link.calls.front().cancelled && !is_about_connection(error.code))
    error.code = Errc::unavailable;
  std::erase_if(link.calls, [](const Call& call) { return call.cancelled; });
  if (!stale || link.calls.empty()) return drop(link, error);
  auto taken = pool_.take(link.server, true, link.calls.front().deadline);
  if (!taken.ok()) return drop(link, taken.error());
  link.connection = std::move(taken->connection);
  link.reused = false;
  for (const Call& call : link.calls) {
    if (const Status sent = transmit(link, call); !sent.ok()) return drop(link, sent.error());
  }
}

// Completes all calls of the link. The oldest one gets the error itself if it is about that call alone.
void ShardGatherer::drop(Link& link, const Error& error) {
  link.connection.reset();
  link.tail.reset();
  const Instant now = pool_.clock().now();
  bool oldest = true;
  while (!link.calls.empty()) {
    const Call call = std::move(link.calls.front());
    link.calls.pop_front();
    if (call.cancelled) continue;
    Error mine = error;
    if (error.code == Errc::timed_out) {
      if (call.deadline > now) mine.code = Errc::unavailable;
    } else if (!is_about_connection(error.code) && !oldest) {
      mine = Error{Errc::unavailable, "the connection was given up: " + error.what};
    }
    oldest = false;
    --waited_for_;
    pool_.failed(link.server);
    ready_.push_back(Completion{call.tag, std::move(mine), {}, 0});
  }
}

// A call whose time is over takes its connection with it: its reply may still come, and would be taken for the next
// one's.
void ShardGatherer::expire(Instant now) {
  for (Link& link : links_) {
    if (link.calls.empty() || next_deadline(link) > now) continue;
    drop(link, Error{Errc::timed_out, fmt::format("chunkserver {} did not answer in time", raw(link.server))});
  }
}

Instant ShardGatherer::next_deadline(const Link& link) const {
  Instant earliest = Instant::never();
  for (const Call& call : link.calls) earliest = std::min(earliest, call.deadline);
  return earliest;
}

bool ShardGatherer::reads_pending(const Link& link) const {
  return std::ranges::any_of(link.calls, [](const Call& call) { return std::holds_alternative<ReadCall>(call.what); });
}

void ShardGatherer::await_tails(Link& link) {
  if (reads_pending(link)) advance(link, false);  // what lies in the reader, where no poll sees it
  while (reads_pending(link)) {
    Stream* const stream = &link.connection->stream();
    const auto readable = pool_.network().wait_readable({&stream, 1}, next_deadline(link));
    if (readable.ok()) {
      advance(link, true);
    } else if (readable.code() == Errc::timed_out) {
      expire(pool_.clock().now());
    } else {
      drop(link, readable.error());
    }
  }
}

}  // namespace cairn

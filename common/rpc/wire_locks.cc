// The messages of thrift/lock.thrift.
#include <fmt/format.h>

#include "common/rpc/wire.h"
#include "common/rpc/wire_checks.h"

namespace cairn {

using namespace wire_checks;

namespace {

template <typename Enum>
bool in_enum(int32_t value, Enum first, Enum last) {
  return value >= static_cast<int32_t>(first) && value <= static_cast<int32_t>(last);
}

Result<LockOutcome> outcome_of(int32_t value) {
  if (!in_enum(value, LockOutcome::granted, LockOutcome::reclaim_first))
    return invalid(fmt::format("outcome {} of a lock", value));
  return static_cast<LockOutcome>(value);
}

}  // namespace

// ---- values --------------------------------------------------------------------------------------------------------

thrift::Lock to_wire(const HeldLock& lock) {
  thrift::Lock wire;
  wire.inode = to_wire_id(lock.inode);
  wire.kind = static_cast<int32_t>(lock.owner.kind);
  wire.owner = static_cast<int64_t>(lock.owner.id);
  wire.pid = lock.pid;
  wire.first = static_cast<int64_t>(lock.range.first);
  wire.last = static_cast<int64_t>(lock.range.last);
  wire.mode = static_cast<int32_t>(lock.mode);
  wire.token = static_cast<int64_t>(lock.token);
  return wire;
}

Result<HeldLock> from_wire(const thrift::Lock& lock) {
  TRY(check_inode(lock.inode));
  if (!in_enum(lock.kind, LockKind::flock, LockKind::posix)) return invalid(fmt::format("lock kind {}", lock.kind));
  if (!in_enum(lock.mode, LockMode::none, LockMode::exclusive)) return invalid(fmt::format("lock mode {}", lock.mode));
  if (lock.first < 0 || lock.last < lock.first)
    return invalid(fmt::format("a lock of the bytes {} to {}", lock.first, lock.last));
  const LockRange range{static_cast<uint64_t>(lock.first), static_cast<uint64_t>(lock.last)};
  const auto kind = static_cast<LockKind>(lock.kind);
  if (kind == LockKind::flock && range != LockRange{}) return invalid("an flock of a part of a file");
  return HeldLock{from_wire_id<InodeId>(lock.inode), {kind, static_cast<uint64_t>(lock.owner)}, lock.pid, range,
                  static_cast<LockMode>(lock.mode),  static_cast<uint64_t>(lock.token)};
}

thrift::LockCall to_wire(const LockCall& call) {
  thrift::LockCall wire;
  wire.run = static_cast<int64_t>(call.run);
  wire.lock = to_wire(HeldLock{call.inode, call.owner, call.pid, call.range, call.mode, 0});
  wire.wait = call.wait;
  wire.waiter = static_cast<int64_t>(call.waiter);
  return wire;
}

Result<LockCall> from_wire(const thrift::LockCall& call) {
  ASSIGN(const HeldLock lock, from_wire(call.lock));
  if (call.wait && lock.mode == LockMode::none) return invalid("an unlock that waits");
  return LockCall{static_cast<uint64_t>(call.run),   lock.inode, lock.owner, lock.pid, lock.range, lock.mode, call.wait,
                  static_cast<uint64_t>(call.waiter)};
}

thrift::LockNotice to_wire(const LockNotice& notice) {
  thrift::LockNotice wire;
  wire.run = static_cast<int64_t>(notice.run);
  wire.waiter = static_cast<int64_t>(notice.waiter);
  wire.outcome = static_cast<int32_t>(notice.outcome);
  wire.token = static_cast<int64_t>(notice.token);
  return wire;
}

Result<LockNotice> from_wire(const thrift::LockNotice& notice) {
  ASSIGN(const LockOutcome outcome, outcome_of(notice.outcome));
  return LockNotice{static_cast<uint64_t>(notice.run), static_cast<uint64_t>(notice.waiter), outcome,
                    static_cast<uint64_t>(notice.token)};
}

thrift::LockInfo to_wire(const LockInfo& info) {
  thrift::LockInfo wire;
  wire.lock = to_wire(info.lock);
  wire.waiting = info.waiting;
  wire.session = to_wire_id(info.session);
  wire.session_name = info.session_name;
  wire.host = info.host;
  wire.session_pid = info.session_pid;
  return wire;
}

Result<LockInfo> from_wire(const thrift::LockInfo& info) {
  ASSIGN(const HeldLock lock, from_wire(info.lock));
  if (lock.mode == LockMode::none) return invalid("a lock that is none");
  return LockInfo{lock,      info.waiting,    from_wire_id<SessionId>(info.session), info.session_name,
                  info.host, info.session_pid};
}

// ---- requests ------------------------------------------------------------------------------------------------------

thrift::LockRequest to_wire(const LockCall& call, const Mutation& mutation) {
  thrift::LockRequest wire;
  wire.mutation = to_wire(mutation);
  wire.call = to_wire(call);
  return wire;
}

Result<LockCall> from_wire(const thrift::LockRequest& request) { return from_wire(request.call); }

thrift::CancelLockRequest to_wire(const CancelLock& request, const Mutation& mutation) {
  thrift::CancelLockRequest wire;
  wire.mutation = to_wire(mutation);
  wire.run = static_cast<int64_t>(request.run);
  wire.waiter = static_cast<int64_t>(request.waiter);
  return wire;
}

Result<CancelLock> from_wire(const thrift::CancelLockRequest& request) {
  return CancelLock{static_cast<uint64_t>(request.run), static_cast<uint64_t>(request.waiter)};
}

thrift::ReclaimLocksRequest to_wire(const LockReclaim& request, const Mutation& mutation) {
  thrift::ReclaimLocksRequest wire;
  wire.mutation = to_wire(mutation);
  wire.held = to_wire(request.held);
  wire.waiting = to_wire(request.waiting);
  return wire;
}

Result<LockReclaim> from_wire(const thrift::ReclaimLocksRequest& request) {
  LockReclaim own;
  ASSIGN(own.held, from_wire(request.held));
  ASSIGN(own.waiting, from_wire(request.waiting));
  for (const HeldLock& lock : own.held) {
    if (lock.mode == LockMode::none) return invalid("a held lock that is none");
  }
  for (const LockCall& call : own.waiting) {
    if (call.mode == LockMode::none) return invalid("a wait for an unlock");
  }
  return own;
}

thrift::ListLocksRequest to_wire(const LockListCall& request) {
  thrift::ListLocksRequest wire;
  wire.inode = to_wire_id(request.inode);
  wire.after = to_wire_id(request.after);
  wire.skip = static_cast<int64_t>(request.skip);
  wire.limit = static_cast<int32_t>(request.limit);
  return wire;
}

Result<LockListCall> from_wire(const thrift::ListLocksRequest& request) {
  if (request.limit < 1) return invalid(fmt::format("a page of {} locks", request.limit));
  if (request.skip < 0) return invalid("a negative number of locks to leave out");
  return LockListCall{from_wire_id<InodeId>(request.inode), from_wire_id<InodeId>(request.after),
                      static_cast<uint64_t>(request.skip), static_cast<uint32_t>(request.limit)};
}

// ---- replies -------------------------------------------------------------------------------------------------------

void fill_reply(thrift::LockReply& reply, const LockAnswer& answer) {
  reply.__set_run(static_cast<int64_t>(answer.run));
  reply.__set_outcome(static_cast<int32_t>(answer.outcome));
  reply.__set_token(static_cast<int64_t>(answer.token));
}

Result<LockAnswer> from_wire(const thrift::LockReply& reply) {
  return unpack(reply, reply.__isset.run && reply.__isset.outcome, [&]() -> Result<LockAnswer> {
    ASSIGN(const LockOutcome outcome, outcome_of(reply.outcome));
    return LockAnswer{static_cast<uint64_t>(reply.run), outcome, static_cast<uint64_t>(reply.token)};
  });
}

void fill_reply(thrift::TestLockReply& reply, const std::optional<LockInfo>& holder) {
  reply.__set_free(!holder.has_value());
  if (holder) reply.__set_holder(to_wire(*holder));
}

Result<std::optional<LockInfo>> from_wire(const thrift::TestLockReply& reply) {
  return unpack(reply, reply.__isset.free || reply.__isset.holder, [&]() -> Result<std::optional<LockInfo>> {
    if (!reply.__isset.holder) return std::optional<LockInfo>();
    ASSIGN(LockInfo holder, from_wire(reply.holder));
    return std::optional<LockInfo>(std::move(holder));
  });
}

void fill_reply(thrift::ListLocksReply& reply, const LockPage& page) {
  reply.__set_locks(to_wire(page.locks));
  reply.__set_complete(page.complete);
}

Result<LockPage> from_wire(const thrift::ListLocksReply& reply) {
  return unpack(reply, reply.__isset.locks && reply.__isset.complete, [&]() -> Result<LockPage> {
    LockPage page;
    ASSIGN(page.locks, from_wire(reply.locks));
    page.complete = reply.complete;
    return page;
  });
}

}  // namespace cairn

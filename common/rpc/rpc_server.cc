#include "common/rpc/rpc_server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <thrift/TApplicationException.h>
#include <thrift/TProcessor.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <variant>

#include "common/base/log_limit.h"
#include "common/base/thread.h"
#include "common/rpc/frame.h"
#include "common/rpc/message.h"
#include "common/rpc/message_memory.h"

namespace cairn {
namespace {

constexpr Duration kDismissTime = 1s;  // more than its thread needs to wake up and end

}  // namespace

struct RpcServer::State {
  State(Network& n, Clock& c, ProcessorFactory f, Limits l)
      : network(n),
        clock(c),
        factory(std::move(f)),
        limits(l),
        memory(std::max<uint64_t>(l.request_bytes, l.frame_bytes), std::max<uint64_t>(l.reply_bytes, l.frame_bytes)) {}
  void accept_loop();
  void admit(std::unique_ptr<Stream> stream);
  bool make_room(Lock& lock);
  template <typename... Values>
  void complain(fmt::format_string<Values...> format, Values&&... values);
  void finished(uint64_t id);
  void stop();

  Network& network;
  Clock& clock;
  const ProcessorFactory factory;
  const Limits limits;
  MessageMemory memory;
  LogLimit complaints;
  std::unique_ptr<Listener> listener;  // from start() to stop()
  Address address;
  Thread acceptor;
  std::atomic<bool> stopping = false;

  mutable Mutex mutex;
  CondVar changed;                                       // a connection ended, or stopping
  std::map<uint64_t, std::unique_ptr<Connection>> live;  // guarded by mutex
  std::vector<std::unique_ptr<Connection>> ended;        // guarded by mutex; their threads are about to return
  uint64_t next_id = 1;                                  // guarded by mutex
};

// One connection and its thread.
class RpcServer::Connection : public CallTails {
 public:
  Connection(State& state, uint64_t id, std::unique_ptr<Stream> stream)
      : state_(state),
        id_(id),
        stream_(std::move(stream)),
        waiting_since_ns_(state.clock.now().ns),
        reader_(*stream_, {.frame_bytes = state.limits.frame_bytes}),
        transport_(std::make_shared<MessageTransport>()),
        protocol_(std::make_shared<MessageProtocol>(transport_)) {}

  void start() {
    thread_ = Thread(fmt::format("rpc-{}", id_), [this] { run(); });
  }
  bool handling() const { return phase_.load() == Phase::handling; }
  void shut_down() { stream_->shut_down(); }
  // Since when it waits for a whole request; nothing while one is handled.
  std::optional<Instant> waiting_since() const {
    return phase_.load() == Phase::waiting ? std::optional(Instant{waiting_since_ns_.load()}) : std::nullopt;
  }
  // Ends it, unless a request has come meanwhile.
  bool dismiss() {
    Phase expected = Phase::waiting;
    if (!phase_.compare_exchange_strong(expected, Phase::dismissed)) return false;
    stream_->shut_down();
    return true;
  }
  std::string peer() const { return stream_->peer(); }

  Status read_tail(std::span<uint8_t> into) override { return keep(reader_.read_tail(into, io_deadline())); }
  Status skip_tail(uint64_t bytes) override { return keep(reader_.skip_tail(bytes, io_deadline())); }
  void reply_with(std::span<const iovec> pieces) override {
    for (const iovec& piece : pieces) {
      if (piece.iov_len > 0) parts_.emplace_back(piece);
    }
  }
  void reply_with_file(std::shared_ptr<File> file, uint64_t offset, uint64_t length) override {
    if (length > 0) parts_.emplace_back(FileRange{std::move(file), offset, length});
  }

 private:
  struct FileRange {
    std::shared_ptr<File> file;
    uint64_t offset = 0;
    uint64_t length = 0;
  };
  enum class Phase : uint8_t { waiting, handling, dismissed };  // handling: from a whole frame to its reply

  void run();
  Status serve();
  Result<std::span<const uint8_t>> next_frame();
  Status handle(apache::thrift::TProcessor& processor, std::span<const uint8_t> frame);
  Status send_reply();
  Status send_reply(std::span<const uint8_t> frame);
  Instant io_deadline() const { return state_.clock.now() + state_.limits.io_timeout; }
  Status keep(Status status) {
    if (!status.ok()) tail_failed_ = true;
    return status;
  }

  State& state_;
  const uint64_t id_;
  std::unique_ptr<Stream> stream_;
  std::atomic<Phase> phase_ = Phase::waiting;
  std::atomic<int64_t> waiting_since_ns_;
  FrameReader reader_;
  std::shared_ptr<MessageTransport> transport_;
  std::shared_ptr<MessageProtocol> protocol_;
  std::vector<std::variant<iovec, FileRange>> parts_;  // of the reply's tail
  std::vector<iovec> pieces_;                          // being sent
  MessageMemory::Request request_;                     // the current one, if it is large
  bool tail_failed_ = false;
  Thread thread_;
};

void RpcServer::Connection::run() {
  Status status;
  try {
    status = serve();
  } catch (const std::exception& failure) {  // Thrift's, about the frame; or no memory
    status = Error{Errc::invalid, failure.what()};
  }
  if (!status.ok() && (status.code() == Errc::invalid || status.code() == Errc::timed_out)) {
    state_.complain("rpc: closing the connection of {}: {}", stream_->peer(), status.error().what);
  }
  parts_.clear();
  request_ = {};
  stream_->shut_down();  // the peer need not wait until this object is collected
  state_.finished(id_);
}

// Ends with the connection.
Status RpcServer::Connection::serve() {
  const std::shared_ptr<apache::thrift::TProcessor> processor = state_.factory(*this);
  for (;;) {
    ASSIGN(const auto frame, next_frame());
    // Either dismiss() and stop() see that a call is being handled, or the call sees that it came too late.
    Phase expected = Phase::waiting;
    if (!phase_.compare_exchange_strong(expected, Phase::handling) || state_.stopping.load()) return {};
    TRY(handle(*processor, frame));
    // Whoever is idle keeps no memory of its last message.
    transport_->finish();
    reader_.give_back();
    request_ = {};
    waiting_since_ns_.store(state_.clock.now().ns);
    phase_.store(Phase::waiting);
    if (state_.stopping.load()) return {};
  }
}

// An idle connection may stay idle; one that has begun a message must come to its end in time, however it dribbles.
Result<std::span<const uint8_t>> RpcServer::Connection::next_frame() {
  Instant deadline = Instant::never();
  for (;;) {
    ASSIGN(const auto frame, reader_.frame());
    if (frame) return *frame;
    if (!reader_.empty() && deadline == Instant::never()) deadline = io_deadline();
    if (const size_t bytes = reader_.announced(); bytes > kSmallMessageBytes && !request_.holds()) {
      ASSIGN(request_, state_.memory.admit(bytes, deadline));
    }
    const Status filled = reader_.fill(deadline);
    if (!filled.ok() && filled.code() == Errc::timed_out) {
      return Error{Errc::timed_out,
                   fmt::format("a message was begun and not finished within {} ms", state_.limits.io_timeout / 1ms)};
    }
    TRY(filled);
  }
}

Status RpcServer::Connection::handle(apache::thrift::TProcessor& processor, std::span<const uint8_t> frame) {
  if (!is_call(frame)) return Error{Errc::invalid, "a frame that is not a Thrift call"};
  transport_->read_from(frame);
  transport_->start();
  parts_.clear();
  if (!processor.process(protocol_, protocol_, nullptr)) return Error{Errc::invalid, "a call that cannot be handled"};
  if (tail_failed_) return Error{Errc::unavailable, "the tail of a request did not come"};
  if (transport_->written() > state_.limits.frame_bytes) {
    return Error{Errc::invalid, fmt::format("a reply of {} bytes; at most {}: ask for shorter pages",
                                            transport_->written(), state_.limits.frame_bytes)};
  }
  if (is_exception(transport_->frame().subspan(kFrameLengthBytes))) {
    parts_.clear();
    TRY(send_reply());
    return Error{Errc::invalid, "a call that was answered by an exception"};  // its tail, if it had one, was not taken
  }
  return send_reply();
}

// The frame and what is memory go out in one system call; files follow by sendfile.
Status RpcServer::Connection::send_reply() {
  const std::span<const uint8_t> frame = transport_->frame();
  if (frame.size() <= kSmallMessageBytes) return send_reply(frame);
  const MessageMemory::Reply on_its_way(state_.memory, frame.size(), *stream_);
  Status sent = send_reply(frame);
  if (!sent.ok() && on_its_way.was_cut()) {
    return Error{Errc::timed_out,
                 fmt::format("it took its answer of {} bytes too slowly, and all large answers may hold {} bytes",
                             frame.size(), state_.memory.most_replies())};
  }
  return sent;
}

Status RpcServer::Connection::send_reply(std::span<const uint8_t> frame) {
  const Instant deadline = io_deadline();
  pieces_.clear();
  pieces_.push_back({const_cast<uint8_t*>(frame.data()), frame.size()});
  for (const auto& part : parts_) {
    if (const auto* memory = std::get_if<iovec>(&part)) {
      pieces_.push_back(*memory);
      continue;
    }
    const auto& range = std::get<FileRange>(part);
    if (!pieces_.empty()) TRY(stream_->write_all(pieces_, deadline));
    pieces_.clear();
    TRY(stream_->send_file(*range.file, range.offset, range.length, deadline));
  }
  if (!pieces_.empty()) TRY(stream_->write_all(pieces_, deadline));
  parts_.clear();
  return {};
}

void RpcServer::State::accept_loop() {
  while (!stopping.load()) {
    auto stream = listener->accept();
    if (stream.ok()) {
      admit(std::move(stream).value());
      continue;
    }
    if (stopping.load()) return;
    // Out of descriptors, most likely: connections end, so try again soon.
    complain("rpc: {}", stream.error().what);
    Lock lock(mutex);
    changed.wait_until(lock, clock.now() + 100ms);
  }
}

void RpcServer::State::admit(std::unique_ptr<Stream> stream) {
  Connection* connection = nullptr;
  {
    Lock lock(mutex);
    if (stopping.load()) return;
    if (live.size() >= limits.connections && !make_room(lock)) {
      complain(
          "rpc: all {} connections are in use: closing the new one of {}. The option --connections raises the limit",
          limits.connections, stream->peer());
      return;
    }
    const uint64_t id = next_id++;
    auto owned = std::make_unique<Connection>(*this, id, std::move(stream));
    connection = owned.get();
    // Started under the mutex, so that it is not found finished before it is found here.
    try {
      connection->start();
    } catch (const std::exception& failure) {
      complain("rpc: no thread for a connection: {}. The limits of processes and of memory may be too low",
               failure.what());
      return;
    }
    live.emplace(id, std::move(owned));
  }
}

// Closes the connection that has waited longest for a request. False: all are at work, or were a moment ago.
bool RpcServer::State::make_room(Lock& lock) {
  Connection* longest = nullptr;
  Instant since = clock.now() - limits.idle_grace;
  for (const auto& [id, connection] : live) {
    const std::optional<Instant> waits = connection->waiting_since();
    if (!waits || *waits > since) continue;
    longest = connection.get();
    since = *waits;
  }
  if (longest == nullptr || !longest->dismiss()) return false;
  complain(
      "rpc: all {} connections are taken: closed that of {}, idle for {} s. The option --connections raises the limit",
      limits.connections, longest->peer(), (clock.now() - since) / 1s);
  return changed.wait_until(lock, clock.now() + kDismissTime, [this] { return live.size() < limits.connections; }) &&
         !stopping.load();
}

// A line that a peer can cause.
template <typename... Values>
void RpcServer::State::complain(fmt::format_string<Values...> format, Values&&... values) {
  if (const auto left_out = complaints.admit(clock.now()))
    spdlog::warn("{}{}", fmt::format(format, std::forward<Values>(values)...), *left_out);
}

// Called by the connection's own thread as its last act. A thread cannot collect itself, so it collects those before
// it.
void RpcServer::State::finished(uint64_t id) {
  std::vector<std::unique_ptr<Connection>> earlier;
  {
    Lock lock(mutex);
    earlier.swap(ended);
    const auto self = live.find(id);
    ended.push_back(std::move(self->second));
    live.erase(self);
    changed.notify_all();
  }
}

void RpcServer::State::stop() {
  if (stopping.exchange(true) || listener == nullptr) return;
  listener->shut_down();
  changed.notify_all();
  acceptor.join();
  listener.reset();  // from now on connections are refused
  std::vector<std::unique_ptr<Connection>> all_ended;
  {
    Lock lock(mutex);
    for (const auto& [id, connection] : live) {
      if (!connection->handling()) connection->shut_down();
    }
    const auto none = [this] { return live.empty(); };
    if (!changed.wait_until(lock, clock.now() + limits.stop_grace, none)) {
      for (const auto& [id, connection] : live) connection->shut_down();
      changed.wait(lock, none);
    }
    all_ended.swap(ended);
  }
}

RpcServer::RpcServer(Network& network, Clock& clock, ProcessorFactory factory, Limits limits)
    : state_(std::make_unique<State>(network, clock, std::move(factory), limits)) {}

RpcServer::~RpcServer() { stop(); }

Status RpcServer::start(const Address& at) {
  ASSIGN(state_->listener, state_->network.listen(at));
  state_->address = state_->listener->address();
  state_->acceptor = Thread("rpc-accept", [state = state_.get()] { state->accept_loop(); });
  return {};
}

Address RpcServer::address() const { return state_->address; }

void RpcServer::stop() { state_->stop(); }

uint64_t RpcServer::request_bytes() const { return state_->memory.request_bytes(); }

uint64_t RpcServer::reply_bytes() const { return state_->memory.reply_bytes(); }

uint32_t RpcServer::connections() const {
  Lock lock(state_->mutex);
  return static_cast<uint32_t>(state_->live.size());
}

}  // namespace cairn

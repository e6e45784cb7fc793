#include "common/rpc/rpc_server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <thrift/TApplicationException.h>
#include <thrift/TProcessor.h>

#include <atomic>
#include <map>
#include <variant>

#include "common/base/thread.h"
#include "common/rpc/frame.h"
#include "common/rpc/message.h"

namespace cairn {

struct RpcServer::State {
  State(Network& n, Clock& c, ProcessorFactory f, Limits l) : network(n), clock(c), factory(std::move(f)), limits(l) {}
  void accept_loop();
  void admit(std::unique_ptr<Stream> stream);
  void finished(uint64_t id);
  void stop();

  Network& network;
  Clock& clock;
  const ProcessorFactory factory;
  const Limits limits;
  std::unique_ptr<Listener> listener;  // from start() to stop()
  Address address;
  Thread acceptor;
  std::atomic<bool> stopping = false;

  mutable Mutex mutex;
  CondVar changed;                                       // a connection ended, or stopping
  std::map<uint64_t, std::unique_ptr<Connection>> live;  // guarded by mutex
  std::vector<std::unique_ptr<Connection>> ended;        // guarded by mutex; their threads are about to return
  uint64_t next_id = 1;                                  // guarded by mutex
  bool full = false;                                     // guarded by mutex; said so in the log
};

// One connection and its thread.
class RpcServer::Connection : public CallTails {
 public:
  Connection(State& state, uint64_t id, std::unique_ptr<Stream> stream)
      : state_(state),
        id_(id),
        stream_(std::move(stream)),
        reader_(*stream_, {.frame_bytes = state.limits.frame_bytes}),
        transport_(std::make_shared<MessageTransport>()),
        protocol_(std::make_shared<MessageProtocol>(transport_)) {}

  void start() {
    thread_ = Thread(fmt::format("rpc-{}", id_), [this] { run(); });
  }
  bool handling() const { return handling_.load(); }
  void shut_down() { stream_->shut_down(); }

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

  void run();
  Status serve();
  Result<std::span<const uint8_t>> next_frame();
  Status handle(apache::thrift::TProcessor& processor, std::span<const uint8_t> frame);
  Status send_reply();
  Instant io_deadline() const { return state_.clock.now() + state_.limits.io_timeout; }
  Status keep(Status status) {
    if (!status.ok()) tail_failed_ = true;
    return status;
  }

  State& state_;
  const uint64_t id_;
  std::unique_ptr<Stream> stream_;
  FrameReader reader_;
  std::shared_ptr<MessageTransport> transport_;
  std::shared_ptr<MessageProtocol> protocol_;
  std::vector<std::variant<iovec, FileRange>> parts_;  // of the reply's tail
  std::vector<iovec> pieces_;                          // being sent
  bool tail_failed_ = false;
  std::atomic<bool> handling_ = false;  // from a whole frame to its reply
  Thread thread_;
};

void RpcServer::Connection::run() {
  Status status;
  try {
    status = serve();
  } catch (const std::exception& failure) {  // Thrift's, about the frame; or no memory
    status = Error{Errc::invalid, failure.what()};
  }
  if (!status.ok() && status.code() == Errc::invalid) {
    spdlog::warn("rpc: closing the connection of {}: {}", stream_->peer(), status.error().what);
  }
  parts_.clear();
  stream_->shut_down();  // the peer need not wait until this object is collected
  state_.finished(id_);
}

// Ends with the connection.
Status RpcServer::Connection::serve() {
  const std::shared_ptr<apache::thrift::TProcessor> processor = state_.factory(*this);
  for (;;) {
    ASSIGN(const auto frame, next_frame());
    // Either stop() sees that a call is being handled, or the call sees that the server stops.
    handling_.store(true);
    if (state_.stopping.load()) return {};
    TRY(handle(*processor, frame));
    handling_.store(false);
    if (state_.stopping.load()) return {};
  }
}

// An idle connection may stay idle; one that has begun a message must go on.
Result<std::span<const uint8_t>> RpcServer::Connection::next_frame() {
  for (;;) {
    ASSIGN(const auto frame, reader_.frame());
    if (frame) return *frame;
    TRY(reader_.fill(reader_.empty() ? Instant::never() : io_deadline()));
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
    return Error{Errc::invalid, fmt::format("a reply of {} bytes", transport_->written())};
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
    spdlog::error("rpc: {}", stream.error().what);
    Lock lock(mutex);
    changed.wait_until(lock, clock.now() + 100ms);
  }
}

void RpcServer::State::admit(std::unique_ptr<Stream> stream) {
  Connection* connection = nullptr;
  {
    Lock lock(mutex);
    if (stopping.load()) return;
    if (live.size() >= limits.connections) {
      if (!std::exchange(full, true))
        spdlog::error("rpc: all {} connections are taken; closing new ones", limits.connections);
      return;
    }
    full = false;
    const uint64_t id = next_id++;
    auto owned = std::make_unique<Connection>(*this, id, std::move(stream));
    connection = owned.get();
    // Started under the mutex, so that it is not found finished before it is found here.
    try {
      connection->start();
    } catch (const std::exception& failure) {
      spdlog::error("rpc: no thread for a connection: {}", failure.what());
      return;
    }
    live.emplace(id, std::move(owned));
  }
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

uint32_t RpcServer::connections() const {
  Lock lock(state_->mutex);
  return static_cast<uint32_t>(state_->live.size());
}

}  // namespace cairn

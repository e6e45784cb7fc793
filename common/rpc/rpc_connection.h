// One client connection: a stream, its frames, and Thrift's generated client writing to and reading from memory.
//
// For one thread at a time; the clients' pools hand it on. After any error but a reply's own it is unusable: drop it.
// Not here: pools, repetitions, what an error in a reply means (meta_client.cc, chunk_client.cc).
#pragma once

#include <fmt/format.h>
#include <thrift/TApplicationException.h>

#include <memory>
#include <span>

#include "common/base/network.h"
#include "common/rpc/frame.h"
#include "common/rpc/message.h"

namespace cairn {

template <typename Client>
class RpcConnection {
 public:
  // Replies may be longer than requests: a page of a directory, a map of a large cluster.
  static constexpr uint32_t kMaxReplyBytes = 64u << 20;

  RpcConnection(std::unique_ptr<Stream> stream, uint32_t read_ahead_bytes)
      : stream_(std::move(stream)),
        reader_(*stream_, {.frame_bytes = kMaxReplyBytes, .read_ahead_bytes = read_ahead_bytes}),
        transport_(std::make_shared<MessageTransport>()),
        client_(std::make_shared<MessageProtocol>(transport_)) {}

  Stream& stream() { return *stream_; }
  FrameReader& reader() { return reader_; }

  // The request's frame, ready to be sent; valid until the next one.
  template <typename Request>
  std::span<const uint8_t> encode(void (Client::*put)(const Request&), const Request& request) {
    transport_->start();
    (client_.*put)(request);
    return transport_->frame();
  }

  template <typename Request>
  Status send(void (Client::*put)(const Request&), const Request& request, Instant deadline) {
    const auto frame = encode(put, request);
    const iovec piece{const_cast<uint8_t*>(frame.data()), frame.size()};
    return stream_->write_all({&piece, 1}, deadline);
  }

  // not_supported: the server does not know the method. io: it failed to handle it, or answered what is no reply.
  template <typename Reply>
  Status decode(std::span<const uint8_t> frame, void (Client::*get)(Reply&), Reply& reply) {
    using apache::thrift::TApplicationException;
    transport_->read_from(frame);
    try {
      (client_.*get)(reply);
      return {};
    } catch (const TApplicationException& failure) {
      const bool unknown = failure.getType() == TApplicationException::UNKNOWN_METHOD;
      return Error{unknown ? Errc::not_supported : Errc::io,
                   fmt::format("{} answered: {}", stream_->peer(), failure.what())};
    } catch (const std::exception& failure) {
      return Error{Errc::io, fmt::format("a malformed reply of {}: {}", stream_->peer(), failure.what())};
    }
  }

  // One call without tails, from its first to its last byte.
  template <typename Request, typename Reply>
  Status call(void (Client::*put)(const Request&), void (Client::*get)(Reply&), const Request& request, Reply& reply,
              Instant deadline) {
    TRY(send(put, request, deadline));
    const auto frame = reader_.read(deadline);
    if (!frame.ok()) return reply_error(frame.error());
    const Status decoded = decode(*frame, get, reply);
    transport_->finish();
    reader_.give_back();
    return decoded;
  }

  // A reply that is too long is the server's fault, not the caller's argument.
  static Error reply_error(Error error) {
    if (error.code == Errc::invalid) error.code = Errc::io;
    return error;
  }

 private:
  std::unique_ptr<Stream> stream_;
  FrameReader reader_;
  std::shared_ptr<MessageTransport> transport_;
  Client client_;
};

}  // namespace cairn

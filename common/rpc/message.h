// A Thrift message in memory: what generated code reads from and writes to. It never touches a socket.
//
// Thrift's own framed transport counts what was read over its whole life and drops the connection after 100 MB. Here
// each message is its own span, and what may be allocated for it is bounded by that span: strings and the elements of
// lists must be there before memory is taken for them. One per connection, reused for each message; for one thread. Not
// here: the way to the peer (frame.h).
#pragma once

#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/transport/TVirtualTransport.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "common/rpc/frame.h"

namespace cairn {

class MessageTransport : public apache::thrift::transport::TVirtualTransport<MessageTransport> {
 public:
  // Incoming: the bytes must outlive their reading.
  void read_from(std::span<const uint8_t> frame) { in_ = frame; }
  size_t unread() const { return in_.size(); }
  uint8_t peek(uint32_t ahead) const {
    check_unread(uint64_t{ahead} + 1);
    return in_[ahead];
  }

  // Outgoing: starts a new message, forgetting the last.
  void start();
  size_t written() const { return size_ - kFrameLengthBytes; }
  // The message with its length in front, ready to be sent; valid until start().
  std::span<const uint8_t> frame();
  void finish();  // forgets both, and gives the memory of a large message back

  // What generated code calls. Throw TTransportException at the end of the message.
  uint32_t read(uint8_t* into, uint32_t length) { return readAll(into, length); }
  uint32_t readAll(uint8_t* into, uint32_t length) {
    check_unread(length);
    std::memcpy(into, in_.data(), length);
    in_ = in_.subspan(length);
    return length;
  }
  const uint8_t* borrow(uint8_t* /*into*/, uint32_t* length) {
    check_unread(*length);  // instead of a null pointer, after which the caller would allocate
    *length = static_cast<uint32_t>(in_.size());
    return in_.data();
  }
  void consume(uint32_t length) {
    check_unread(length);
    in_ = in_.subspan(length);
  }
  void write(const uint8_t* bytes, uint32_t length) {
    if (size_ + length > capacity_) [[unlikely]]
      grow(length);
    std::memcpy(out_.get() + size_, bytes, length);
    size_ += length;
  }
  bool isOpen() const override { return true; }
  // Called by the protocol on this class, hence instead of the counting one of the base.
  void checkReadBytesAvailable(int64_t bytes) { check_unread(static_cast<uint64_t>(bytes)); }
  void check_unread(uint64_t bytes) const {
    if (bytes > in_.size()) [[unlikely]]
      overrun();
  }

 private:
  [[noreturn]] static void overrun();
  void grow(size_t more);

  std::span<const uint8_t> in_;
  std::unique_ptr<uint8_t[]> out_;
  size_t size_ = kFrameLengthBytes;
  size_t capacity_ = 0;
};

// The binary protocol, strict: numbers of types are checked before they become Thrift's enums, and lists before their
// elements are allocated.
class MessageProtocol final : public apache::thrift::protocol::TBinaryProtocolT<MessageTransport> {
 public:
  using Type = apache::thrift::protocol::TType;
  using MessageType = apache::thrift::protocol::TMessageType;
  explicit MessageProtocol(std::shared_ptr<MessageTransport> transport);

  uint32_t readMessageBegin_virt(std::string& name, MessageType& type, int32_t& sequence) override;
  uint32_t readFieldBegin_virt(std::string& name, Type& type, int16_t& id) override;
  uint32_t readListBegin_virt(Type& element, uint32_t& size) override;
  uint32_t readSetBegin_virt(Type& element, uint32_t& size) override;
  uint32_t readMapBegin_virt(Type& key, Type& value, uint32_t& size) override;
  uint32_t skip_virt(Type type) override;  // by way of the above

 private:
  void check_next_type(uint32_t ahead) const;
};

// Whether the frame starts as a call, or as the reply that says that the server could not handle the call at all.
bool is_call(std::span<const uint8_t> frame);
bool is_exception(std::span<const uint8_t> frame);

}  // namespace cairn

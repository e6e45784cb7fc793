#include "common/rpc/message.h"

#include <thrift/protocol/TProtocolException.h>
#include <thrift/transport/TTransportException.h>

#include <algorithm>

namespace cairn {
namespace {

using apache::thrift::protocol::TProtocolException;

constexpr size_t kFirstBytes = 1024;
constexpr size_t kKeptBytes = 16u << 10;  // a larger buffer is given back behind its message

// The smallest struct that stands in a list of our contracts, an event without lease, has 19 bytes; Thrift itself
// counts structs as nothing, so that a few bytes could ask for two thousand million of them. tests/rpc/message_test.cc
// watches it.
constexpr uint32_t kMinStructBytes = 16;

// No list of our contracts is longer: callers ask page by page. Generated code makes room for a whole list at once, and
// believes what type the list says its elements have; so a hostile frame costs at most about 30 times its size.
constexpr int32_t kMaxListElements = 256 << 10;

// The binary protocol's first word: version 1 and the type of message.
constexpr uint8_t kVersion[3] = {0x80, 0x01, 0x00};
bool starts_as(std::span<const uint8_t> frame, apache::thrift::protocol::TMessageType type) {
  return frame.size() >= 4 && std::equal(std::begin(kVersion), std::end(kVersion), frame.begin()) &&
         frame[3] == static_cast<uint8_t>(type);
}

}  // namespace

void MessageTransport::start() {
  size_ = kFrameLengthBytes;
  if (capacity_ == 0) grow(kFirstBytes - kFrameLengthBytes);
}

void MessageTransport::finish() {
  in_ = {};
  size_ = kFrameLengthBytes;
  if (capacity_ <= kKeptBytes) return;
  out_.reset();
  capacity_ = 0;
}

std::span<const uint8_t> MessageTransport::frame() {
  const auto length = static_cast<uint32_t>(written());
  for (uint32_t i = 0; i < kFrameLengthBytes; ++i) out_[i] = static_cast<uint8_t>(length >> (24 - 8 * i));
  return {out_.get(), size_};
}

void MessageTransport::grow(size_t more) {
  const size_t wanted = std::max(2 * capacity_, size_ + more);
  if (wanted > UINT32_MAX) throw apache::thrift::transport::TTransportException("a message of more than 4 GiB");
  auto larger = std::make_unique_for_overwrite<uint8_t[]>(wanted);
  if (capacity_ > 0) std::memcpy(larger.get(), out_.get(), size_);
  out_ = std::move(larger);
  capacity_ = wanted;
}

void MessageTransport::overrun() {
  using apache::thrift::transport::TTransportException;
  throw TTransportException(TTransportException::END_OF_FILE, "the message ends in the middle of a field");
}

MessageProtocol::MessageProtocol(std::shared_ptr<MessageTransport> transport)
    : TBinaryProtocolT<MessageTransport>(std::move(transport), 0, kMaxListElements, true, true) {}

// The number of a type that lies so many bytes ahead.
void MessageProtocol::check_next_type(uint32_t ahead) const {
  if (trans_->peek(ahead) <= apache::thrift::protocol::T_LIST) return;
  throw TProtocolException(TProtocolException::INVALID_DATA, "an unknown type of field");
}

uint32_t MessageProtocol::readMessageBegin_virt(std::string& name, MessageType& type, int32_t& sequence) {
  const uint8_t number = trans_->peek(3);
  if (number < apache::thrift::protocol::T_CALL || number > apache::thrift::protocol::T_ONEWAY) {
    throw TProtocolException(TProtocolException::INVALID_DATA, "an unknown type of message");
  }
  return readMessageBegin(name, type, sequence);
}

uint32_t MessageProtocol::readFieldBegin_virt(std::string& name, Type& type, int16_t& id) {
  check_next_type(0);
  return readFieldBegin(name, type, id);
}

uint32_t MessageProtocol::readListBegin_virt(Type& element, uint32_t& size) {
  check_next_type(0);
  const uint32_t n = readListBegin(element, size);
  const bool is_struct = element == apache::thrift::protocol::T_STRUCT;
  const auto each = is_struct ? kMinStructBytes : static_cast<uint32_t>(getMinSerializedSize(element));
  trans_->check_unread(uint64_t{size} * std::max(each, 1u));
  return n;
}

uint32_t MessageProtocol::readSetBegin_virt(Type& element, uint32_t& size) {
  check_next_type(0);
  return readSetBegin(element, size);
}

uint32_t MessageProtocol::readMapBegin_virt(Type& key, Type& value, uint32_t& size) {
  check_next_type(0);
  check_next_type(1);
  return readMapBegin(key, value, size);
}

uint32_t MessageProtocol::skip_virt(Type type) {
  return apache::thrift::protocol::skip(static_cast<apache::thrift::protocol::TProtocol&>(*this), type);
}

bool is_call(std::span<const uint8_t> frame) { return starts_as(frame, apache::thrift::protocol::T_CALL); }
bool is_exception(std::span<const uint8_t> frame) { return starts_as(frame, apache::thrift::protocol::T_EXCEPTION); }

}  // namespace cairn

#include "chunkserver/worker/counting_network.h"

#include <vector>

namespace cairn {

class CountingNetwork::CountedStream : public Stream {
 public:
  CountedStream(CountingNetwork& network, std::unique_ptr<Stream> inner)
      : network_(network), inner_(std::move(inner)) {}

  // Counted although it may fail half-way: how much went out then, nobody says.
  Status write_all(std::span<const iovec> pieces, Instant deadline) override {
    uint64_t bytes = 0;
    for (const iovec& piece : pieces) bytes += piece.iov_len;
    network_.sent_.fetch_add(bytes, std::memory_order_relaxed);
    return inner_->write_all(pieces, deadline);
  }
  Status send_file(File& file, uint64_t offset, uint64_t length, Instant deadline) override {
    network_.sent_.fetch_add(length, std::memory_order_relaxed);
    return inner_->send_file(file, offset, length, deadline);
  }
  Result<size_t> read_some(std::span<uint8_t> into, Instant deadline) override {
    Result<size_t> got = inner_->read_some(into, deadline);
    if (got.ok()) network_.received_.fetch_add(*got, std::memory_order_relaxed);
    return got;
  }
  Status read_exact(std::span<uint8_t> into, Instant deadline) override {
    network_.received_.fetch_add(into.size(), std::memory_order_relaxed);
    return inner_->read_exact(into, deadline);
  }
  void shut_down() override { inner_->shut_down(); }
  std::string peer() const override { return inner_->peer(); }
  int descriptor() const override { return inner_->descriptor(); }
  Stream& inner() { return *inner_; }

 private:
  CountingNetwork& network_;
  const std::unique_ptr<Stream> inner_;
};

Result<std::unique_ptr<Stream>> CountingNetwork::connect(const Address& to, Instant deadline) {
  ASSIGN(std::unique_ptr<Stream> stream, inner_.connect(to, deadline));
  return std::unique_ptr<Stream>(std::make_unique<CountedStream>(*this, std::move(stream)));
}

Result<size_t> CountingNetwork::wait_readable(std::span<Stream* const> streams, Instant deadline) {
  std::vector<Stream*> behind;
  for (Stream* stream : streams) behind.push_back(&static_cast<CountedStream*>(stream)->inner());
  return inner_.wait_readable(behind, deadline);
}

}  // namespace cairn

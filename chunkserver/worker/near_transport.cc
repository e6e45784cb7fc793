#include "chunkserver/worker/near_transport.h"

#include <deque>

namespace cairn {

class NearTransport::Calls : public ShardCalls {
 public:
  explicit Calls(NearTransport& transport) : transport_(transport), network_(transport.network_.calls()) {}

  void append(Tag tag, const AppendCall& call, std::span<const iovec> record, Instant deadline) override {
    network_->append(tag, call, record, deadline);
  }
  void sync(Tag tag, const SyncCall& call, Instant deadline) override { network_->sync(tag, call, deadline); }

  void read(Tag tag, const ReadCall& call, std::span<uint8_t> header_into, std::span<uint8_t> cell_into,
            Instant deadline) override {
    if (call.shard.server == transport_.own_) {
      if (transport_.local_.read(call, header_into, cell_into).ok()) {
        ++transport_.counts_.local_reads;
        transport_.counts_.local_bytes += header_into.size() + cell_into.size();
        ready_.push_back({tag, {}, {}, 0});
        return;
      }
      ++transport_.counts_.local_misses;
    }
    network_->read(tag, call, header_into, cell_into, deadline);
  }

  void cancel(Tag tag) override {
    if (std::erase_if(ready_, [&](const Completion& one) { return one.tag == tag; }) == 0) network_->cancel(tag);
  }
  size_t under_way() const override { return ready_.size() + network_->under_way(); }
  std::optional<Completion> wait(Instant deadline) override {
    if (ready_.empty()) return network_->wait(deadline);
    Completion first = std::move(ready_.front());
    ready_.pop_front();
    return first;
  }

 private:
  NearTransport& transport_;
  const std::unique_ptr<ShardCalls> network_;
  std::deque<Completion> ready_;  // read from the disk, not taken yet
};

std::unique_ptr<ShardCalls> NearTransport::calls() { return std::make_unique<Calls>(*this); }

}  // namespace cairn

#include "chunkserver/chunkserver.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/base/random.h"

namespace cairn {
namespace {

constexpr Duration kMetaTimeout = 2s;  // of a call to the metaserver: so long a stop may have to wait for a heartbeat

}  // namespace

Chunkserver::Chunkserver(Network& network, Clock& clock, Disk& disk, ChunkserverOptions options, uint64_t seed)
    : network_(network),
      clock_(clock),
      disk_(disk),
      options_(std::move(options)),
      seed_(seed),
      boot_(BootId{std::max<uint64_t>(mix64(seed ^ 0xB007), 1)}) {}

Chunkserver::~Chunkserver() {
  Status stopped = stop();
  if (!stopped.ok()) spdlog::error("stopping the chunkserver of {}: {}", options_.data, stopped.error().what);
}

Status Chunkserver::start() {
  TRY(disk_.make_directories(options_.data));
  ASSIGN(identity_, IdentityFile::open(disk_, options_.data, seed_));
  store_ = std::make_unique<ShardStore>(disk_, clock_, options_.data, options_.store);
  ASSIGN(StoreInventory found, store_->open());
  spdlog::info("{} ({}): {} open, {} sealed and {} failed shards", options_.data, identity_->get().uuid, found.open,
               found.sealed, found.failed);
  for (const std::string& file : found.unknown_files) spdlog::warn("left alone: {}", file);
  if (found.unknown > found.unknown_files.size()) spdlog::warn("left alone: {} files in all", found.unknown);

  check_ = std::make_unique<StartupCheck>(*store_, *identity_, clock_, options_.check);
  buffers_ = std::make_unique<BufferPool>(options_.buffer_bytes);
  Metrics& metrics = options_.metrics != nullptr ? *options_.metrics : own_metrics_;
  counters_ = std::make_unique<ChunkCounters>(metrics, options_.metric_labels);
  if (options_.metaserver) {
    MetaClient::Options impatient{.call_timeout = kMetaTimeout, .attempt_timeout = kMetaTimeout};
    metaserver_ = std::make_unique<MetaClient>(network_, clock_, *options_.metaserver, impatient);
  }
  peers_ = std::make_unique<Peers>(network_, clock_, metaserver_.get());
  rebuilds_ = std::make_unique<ShardRebuilds>(disk_, clock_, *store_, *peers_, options_.data, options_.rebuild);
  TRY(rebuilds_->open());
  ChunkServiceParts parts{clock_,    *store_,    *rebuilds_, *identity_,          *check_,
                          *buffers_, *counters_, boot_,      options_.buffer_wait};
  server_ = std::make_unique<RpcServer>(network_, clock_, chunk_processors(parts), options_.rpc);
  TRY(server_->start(options_.listen));
  running_ = true;
  count_with(metrics);
  check_->start();
  if (metaserver_) {
    heartbeater_ = std::make_unique<Heartbeater>(
        clock_, *identity_, [this] { return describe(); },
        [this](const Heartbeat& report) { return metaserver_->heartbeat(report); });
    heartbeater_->start();
  }
  return {};
}

Status Chunkserver::stop() {
  if (!running_) return {};
  running_ = false;
  if (heartbeater_) heartbeater_->stop();
  check_->stop();
  server_->stop();
  return store_->sync_everything();
}

Address Chunkserver::advertised() const {
  Address told = options_.advertise.value_or(server_->address());
  if (told.port == 0) told.port = server_->address().port;
  return told;
}

bool Chunkserver::wait_until_registered(Instant deadline) {
  return heartbeater_ && heartbeater_->wait_until_registered(deadline);
}

std::string Chunkserver::ailment() const {
  if (!running_) return options_.data + " is not served";
  if (heartbeater_ && !heartbeater_->registered()) return options_.data + " is not registered with its metaserver";
  return {};
}

Result<Heartbeat> Chunkserver::describe() {
  ASSIGN(DiskSpace space, store_->space());
  Identity identity = identity_->get();
  return Heartbeat{identity.uuid,        advertised(),      boot_,
                   options_.labels,      space.total_bytes, space.free_bytes,
                   identity.incarnation, store_->shards(),  check_->totals().bad_records};
}

void Chunkserver::count_with(Metrics& metrics) {
  const std::string& labels = options_.metric_labels;
  metrics.gauge_from("cairn_chunkserver_shards", "Shards that are stored.", labels,
                     [this] { return static_cast<double>(store_->shards()); });
  metrics.gauge_from("cairn_chunkserver_bad_records", "Damaged records that the start-up check found.", labels,
                     [this] { return static_cast<double>(check_->totals().bad_records); });
  metrics.gauge_from("cairn_chunkserver_open_files", "Descriptors of shards that are kept open.", labels,
                     [this] { return static_cast<double>(store_->open_files()); });
  metrics.gauge_from("cairn_chunkserver_buffer_bytes", "Memory for appends on their way to the disk.", labels,
                     [this] { return static_cast<double>(buffers_->held_bytes()); });
  metrics.gauge_from("cairn_chunkserver_free_bytes", "Bytes that can still be stored.", labels, [this] {
    auto space = store_->space();
    return space.ok() ? static_cast<double>(space->free_bytes) : 0.0;
  });
}

}  // namespace cairn

#include "chunkserver/identity.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>

#include "chunkserver/shard_name.h"
#include "common/base/random.h"

namespace cairn {
namespace {

constexpr int64_t kFormat = 1;
constexpr size_t kMaxBytes = 16384;  // of the file; a larger one is not ours
constexpr const char* kName = "identity.toml";
constexpr const char* kTemporaryName = "identity.toml.new";

// The file is written with what was read from it, so nothing may be in it that would end its quotes.
bool is_uuid(std::string_view text) {
  return text.size() == 36 && text.find_first_not_of("0123456789abcdefABCDEF-") == std::string_view::npos;
}

Result<Incarnation> parse_incarnation(const std::string& text) {
  uint64_t value = 0;
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (failure != std::errc{} || end != text.data() + text.size()) {
    return {Errc::invalid, "identity: incarnation '" + text + "' is not a hexadecimal number"};
  }
  return Incarnation{value};
}

}  // namespace

std::string make_uuid(uint64_t seed) {
  uint64_t high = mix64(seed), low = mix64(seed + 1);
  high = (high & ~0xF000ull) | 0x4000;                           // version 4
  low = (low & ~0xC000000000000000ull) | 0x8000000000000000ull;  // variant 1
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xFFFF, high & 0xFFFF, low >> 48,
                     low & 0xFFFFFFFFFFFFull);
}

std::string encode_identity(const Identity& identity) {
  return fmt::format(
      "# The identity of this data directory of a cairn-chunkserver. Do not edit or copy it.\n"
      "format = {}\nuuid = \"{}\"\nincarnation = \"{:x}\"\nserver = {}\n",
      kFormat, identity.uuid, raw(identity.incarnation), raw(identity.server));
}

Result<Identity> decode_identity(const std::string& text) {
  try {
    toml::table table = toml::parse(text);
    // value<>() would convert a float, beyond int64_t's range too, which is undefined.
    auto format = table["format"].value_exact<int64_t>();
    auto uuid = table["uuid"].value_exact<std::string>();
    auto incarnation = table["incarnation"].value_exact<std::string>();
    auto server = table["server"].value_exact<int64_t>();
    if (format != kFormat) return {Errc::invalid, "identity: made by another version of cairn-chunkserver"};
    if (!uuid || !is_uuid(*uuid) || !incarnation || !server || *server < 0 || *server > UINT32_MAX) {
      return {Errc::invalid, "identity: uuid, incarnation or server is missing or malformed"};
    }
    ASSIGN(Incarnation parsed, parse_incarnation(*incarnation));
    return Identity{*uuid, parsed, ServerId{static_cast<uint32_t>(*server)}};
  } catch (const toml::parse_error& failure) {
    return {Errc::invalid, fmt::format("identity: {}", failure.description())};
  }
}

IdentityFile::IdentityFile(Disk& disk, std::string directory, Identity identity)
    : disk_(disk), directory_(std::move(directory)), identity_(std::move(identity)) {}

Result<std::unique_ptr<IdentityFile>> IdentityFile::open(Disk& disk, std::string directory, uint64_t seed) {
  std::string path = directory + "/" + kName;
  auto file = disk.open(path, OpenMode::read_only);
  if (!file.ok() && file.code() != Errc::not_found) return file.error();
  if (file.ok()) {
    std::string text(kMaxBytes, '\0');
    ASSIGN(size_t size, (*file)->read_at(0, {reinterpret_cast<uint8_t*>(text.data()), text.size()}));
    text.resize(size);
    auto identity = decode_identity(text);
    if (!identity.ok()) return {identity.code(), path + ": " + identity.error().what};
    return std::unique_ptr<IdentityFile>(new IdentityFile(disk, std::move(directory), *identity));
  }
  ASSIGN(auto names, disk.list(directory));
  if (std::find(names.begin(), names.end(), kShardsFolder) != names.end()) {
    return {Errc::invalid,
            path + " is missing although " + directory + " has shards: restore it, or empty the directory"};
  }
  Identity made{make_uuid(seed), {}, {}};
  std::unique_ptr<IdentityFile> fresh(new IdentityFile(disk, std::move(directory), made));
  TRY(fresh->write(made));
  return fresh;
}

Identity IdentityFile::get() const {
  Lock lock(mutex_);
  return identity_;
}

Status IdentityFile::write(const Identity& identity) {
  std::string text = encode_identity(identity);
  std::string temporary = directory_ + "/" + kTemporaryName;
  Status removed = disk_.remove(temporary);  // of a start that was cut off
  if (!removed.ok() && removed.code() != Errc::not_found) return removed;
  ASSIGN(auto file, disk_.open(temporary, OpenMode::create_new));
  iovec piece{text.data(), text.size()};
  TRY(file->write_at(0, {&piece, 1}));
  TRY(file->sync_data());
  TRY(disk_.rename(temporary, directory_ + "/" + kName));
  return disk_.sync_directory(directory_);
}

Status IdentityFile::adopt(Incarnation incarnation, ServerId server) {
  Identity current = get();
  if (raw(incarnation) == 0) return {Errc::invalid, "the metaserver's incarnation is 0"};
  if (raw(current.incarnation) != 0) TRY(check(incarnation));
  if (current.incarnation == incarnation && current.server == server) return {};
  Identity next{current.uuid, incarnation, server};
  TRY(write(next));  // one caller: the heartbeat's thread
  Lock lock(mutex_);
  identity_ = next;
  return {};
}

Status IdentityFile::check(Incarnation incarnation, ServerId server) const {
  Lock lock(mutex_);
  if (raw(identity_.incarnation) == 0)
    return {Errc::unavailable, directory_ + " is not registered with a metaserver yet"};
  if (identity_.incarnation != incarnation) {
    return {Errc::stale_epoch, fmt::format("{} belongs to cluster incarnation {:x}, the call is for {:x}", directory_,
                                           raw(identity_.incarnation), raw(incarnation))};
  }
  if (raw(server) != 0 && server != identity_.server) {
    return {Errc::stale_boot, fmt::format("this is server {}, the call is for {}", raw(identity_.server), raw(server))};
  }
  return {};
}

}  // namespace cairn

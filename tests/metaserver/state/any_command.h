// Random commands and outcomes, field by field, and bytes as a test shows them.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "metaserver/state/command_codec.h"

namespace cairn::test {

inline std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<uint8_t>(byte));
  return text;
}

class Any {
 public:
  explicit Any(uint64_t seed) : random_(seed) {}
  uint64_t number() { return random_() >> (random_() % 64); }
  uint64_t below(uint64_t bound) { return random_() % bound; }
  bool coin() { return below(2) == 0; }
  std::string text() {
    std::string bytes(below(20), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random_());
    return bytes;
  }
  template <typename T>
  std::optional<T> maybe(T value) {
    return coin() ? std::optional<T>(value) : std::nullopt;
  }
  template <typename Id>
  Id id() {
    return Id{static_cast<std::underlying_type_t<Id>>(number())};
  }
  template <typename Make>
  auto list(Make make) {
    std::vector<decltype(make())> values;
    for (uint64_t left = below(4); left > 0; --left) values.push_back(make());
    return values;
  }
  uint32_t u32() { return static_cast<uint32_t>(number()); }
  Time time() { return {static_cast<int64_t>(number()), u32()}; }
  Code code() { return {static_cast<uint8_t>(number()), static_cast<uint8_t>(number())}; }
  std::vector<ChunkId> chunk_ids() {
    return list([&] { return id<ChunkId>(); });
  }
  Extent extent() { return {number(), number(), id<ChunkId>(), number(), number(), {code(), u32(), u32(), u32()}}; }
  Attributes attributes() {
    return {id<InodeId>(), number(), u32(),  u32(),  u32(),  u32(),         number(),
            number(),      number(), time(), time(), time(), id<ClassId>(), u32()};
  }
  ChunkInfo chunk() {
    return {id<ChunkId>(), id<ClassId>(), code(),      list([&] { return id<ServerId>(); }),
            coin(),        number(),      id<Epoch>(), id<Incarnation>(),
            number(),      u32(),         number()};
  }
  StaleShard stale_shard() { return {id<ServerId>(), id<ChunkId>(), static_cast<uint8_t>(number())}; }
  CommandBody body(size_t number_of_body);
  Answer answer(size_t number_of_answer) {
    switch (number_of_answer) {
      case 0:
        return std::monostate();
      case 1:
        return Entry{id<InodeId>(), text(), attributes(), number()};
      case 2:
        return attributes();
      case 3:
        return Removed{id<InodeId>(), u32(), coin()};
      case 4:
        return Renamed{attributes(), id<InodeId>(), u32()};
      case 5:
        return Committed{list([&] { return attributes(); }), list([&] { return id<InodeId>(); })};
      case 6:
        return list([&] { return chunk(); });
      case 7:
        return id<SessionId>();
      case 8:
        return id<ServerId>();
      case 9:
        return id<ClassId>();
      case 10:
        return id<JobId>();
      case 11:
        return static_cast<TaskVerdict>(below(5));
      default:
        return JobFinished{static_cast<TaskVerdict>(below(5)), {attributes(), id<InodeId>(), u32()}};
    }
  }
  JobOutput output() {
    return {id<InodeId>(), text(), coin(), static_cast<TableFormat>(1 + below(2)), u32(), u32(), u32()};
  }
  std::map<std::string, std::string> arguments() { return {{text(), text()}, {text(), text()}}; }
  TaskCounters counters() { return {number(), number(), number(), number(), number()}; }
  TaskRef ref() { return {id<JobId>(), static_cast<JobPhase>(below(9)), u32(), id<AttemptId>()}; }
  Error error() { return {static_cast<Errc>(1 + below(20)), text()}; }
  CommandBody job_body(size_t number_of_body);
  std::string damaged(std::string bytes) {
    if (!bytes.empty() && coin()) {
      bytes[below(bytes.size())] ^= static_cast<char>(1 + below(255));
    } else if (coin()) {
      bytes.resize(below(bytes.size() + 1));
    } else {
      bytes += text();
    }
    return bytes;
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace cairn::test

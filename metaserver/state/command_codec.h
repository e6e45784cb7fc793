// Commands and outcomes as bytes: in the log, and in the rows that answer retries.
//
//   command   version u8 | body number u8 | session, request, lowest unanswered u64 | wall_ns i64 | the body's fields
//   outcome   version u8 | 0 and code u8, what | 1 + number of the answer and its fields
//
// Little-endian, field by field, in the order of the structs; strings and lists are preceded by a 32-bit count. Numbers
// of bodies and answers are their positions in the variants of command.h, which only grow at the end. Decoding takes
// any bytes: what is not exactly one value is `corrupt`, and no allocation exceeds the input's size by more than a
// small factor.
#pragma once

#include <string>
#include <string_view>

#include "metaserver/state/command.h"

namespace cairn {

inline constexpr uint8_t kCommandVersion = 1;
inline constexpr uint8_t kOutcomeVersion = 1;

std::string encode_command(const Command& command);
Result<Command> decode_command(std::string_view bytes);

std::string encode_outcome(const Outcome& outcome);
// The outer error: the bytes are corrupt.
Result<Outcome> decode_outcome(std::string_view bytes);

// "make_node", for logs and metrics.
const char* name_of(const CommandBody& body);

}  // namespace cairn

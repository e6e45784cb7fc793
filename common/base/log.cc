#include "common/base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>

namespace cairn {
namespace {

struct Level {
  const char* name;
  spdlog::level::level_enum value;
};
constexpr std::array kLevels{Level{"trace", spdlog::level::trace}, Level{"debug", spdlog::level::debug},
                             Level{"info", spdlog::level::info},   Level{"warn", spdlog::level::warn},
                             Level{"error", spdlog::level::err},   Level{"off", spdlog::level::off}};

}  // namespace

Status set_up_logging(const std::string& program, const std::string& level) {
  for (const Level& one : kLevels) {
    if (level != one.name) continue;
    auto logger = std::make_shared<spdlog::logger>(program, std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %n[%P] %l: %v", spdlog::pattern_time_type::utc);
    logger->set_level(one.value);
    logger->flush_on(spdlog::level::trace);  // a crash must not take the last lines with it
    spdlog::set_default_logger(std::move(logger));
    return {};
  }
  return Error{Errc::invalid, fmt::format("log level \"{}\" is none of trace, debug, info, warn, error, off", level)};
}

}  // namespace cairn

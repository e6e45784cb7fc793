#include "tools/cairn/task_client.h"

#include <fmt/format.h>

#include <charconv>

#include "tools/cairn/locate.h"

namespace cairn::tools {

Result<JobClient> connect_to_jobs(const Address& metaserver) {
  ASSIGN(std::unique_ptr<MetaClient> meta, connect_metaserver(metaserver));
  return JobClient::connect(std::move(meta), real_clock());
}

Result<JobId> parse_job(const std::string& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number > 0) return JobId{number};
  return {Errc::invalid, fmt::format("\"{}\" is no job; see them by: cairn task list", text)};
}

}  // namespace cairn::tools

// The commands' way to the jobs of a cluster.
#pragma once

#include <string>

#include "client/jobs/job_client.h"

namespace cairn::tools {

// A client with a session. unavailable: nothing answers there, with a sentence for people.
Result<JobClient> connect_to_jobs(const Address& metaserver);

// "7", as printed by run --detach and list. invalid: something else.
Result<JobId> parse_job(const std::string& text);

}  // namespace cairn::tools

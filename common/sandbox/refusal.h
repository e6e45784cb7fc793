// Why this kernel does not let us make a sandbox, and what to set. Pure, but for the settings that it is handed.
#pragma once

#include <functional>
#include <string>

namespace cairn::sandbox {

// The text of a file below /proc/sys without its line end; empty if there is none.
using ReadSysctl = std::function<std::string(const std::string& path)>;
std::string read_sysctl(const std::string& path);

// Whether an errno of this step means that user namespaces are forbidden.
bool forbids_user_namespaces(const std::string& step, int error);
std::string explain_refusal(const std::string& step, int error, const ReadSysctl& read);

}  // namespace cairn::sandbox

#include "common/sandbox/refusal.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace cairn::sandbox {
namespace {

struct Setting {
  const char* path;
  const char* forbids;  // the value that does
  const char* remedy;
};
constexpr Setting kSettings[] = {
    {"kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"},
    {"user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=15000"},
    {"user/max_net_namespaces", "0", "sysctl user.max_net_namespaces=15000"},
    {"kernel/apparmor_restrict_unprivileged_userns", "1", "sysctl kernel.apparmor_restrict_unprivileged_userns=0"},
};

}  // namespace

std::string read_sysctl(const std::string& path) {
  std::ifstream file("/proc/sys/" + path);
  std::string text;
  std::getline(file, text);
  return text;
}

bool forbids_user_namespaces(const std::string& step, int error) {
  // Ubuntu's AppArmor lets them be made and then takes their capabilities away: the first step that needs one fails.
  const bool early = step == "make namespaces" || step == "write uid_map" || step == "make mounts private" ||
                     step == "setgroups" || step == "setresgid" || step == "sethostname";
  return early && (error == EPERM || error == EACCES || error == ENOSPC || error == EUSERS || error == EINVAL);
}

std::string explain_refusal(const std::string& step, int error, const ReadSysctl& read) {
  std::string out = fmt::format("no sandbox: {}: {}", step, ::strerror(error));
  if (!forbids_user_namespaces(step, error)) return out;
  std::string remedies;
  for (const Setting& setting : kSettings) {
    if (read(setting.path) == setting.forbids) remedies += std::string(remedies.empty() ? "" : "; ") + setting.remedy;
  }
  if (remedies.empty())
    return out +
           "; user namespaces are forbidden, perhaps by the container that this runs in; or install bubblewrap "
           "setuid (chmod u+s /usr/bin/bwrap)";
  return out + "; user namespaces are forbidden here. As root: " + remedies +
         "; or install bubblewrap setuid (chmod u+s /usr/bin/bwrap)";
}

}  // namespace cairn::sandbox

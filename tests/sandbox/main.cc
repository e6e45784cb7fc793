// Runs the tests as who starts them, or with --as-user as nobody (65534), if root starts them. Whoever runs them, no
// process has anything to do with the probes but these tests.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/sandbox/support.h"

namespace cairn::sandbox {

Places places;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

void write_file(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
}

std::unique_ptr<Sandbox> open_sandbox(SandboxOptions options) {
  options.launcher = places.launcher;
  Result<std::unique_ptr<Sandbox>> sandbox = Sandbox::open(std::move(options));
  if (sandbox.ok()) return *std::move(sandbox);
  ADD_FAILURE() << sandbox.error().what;
  return nullptr;
}

Result<Ran> run_spec(const Sandbox& sandbox, const SandboxSpec& spec, std::string_view input) {
  Ran ran;
  ASSIGN(const std::unique_ptr<Run> run, sandbox.start(spec, [&](std::string_view bytes) {
    ran.output += bytes;
    return Status();
  }));
  TRY(run->feed(input));
  ASSIGN(ran.outcome, run->finish());
  return ran;
}

Ran run_here(const Sandbox& sandbox, const SandboxSpec& spec, std::string_view input) {
  Result<Ran> ran = run_spec(sandbox, spec, input);
  if (ran.ok()) return *std::move(ran);
  ADD_FAILURE() << ran.error().what;
  return {};
}

SandboxSpec probe_spec(std::vector<std::string> words) {
  static const std::string probe = read_file(places.probe);
  SandboxSpec spec;
  words.insert(words.begin(), kProgramPath);
  spec.argv = std::move(words);
  spec.program = probe;
  spec.limits.wall = std::chrono::seconds(20);
  return spec;
}

SandboxSpec shell_spec(const std::string& script) {
  SandboxSpec spec;
  spec.argv = {"sh", "-c", script};
  spec.limits.wall = std::chrono::seconds(20);
  return spec;
}

}  // namespace cairn::sandbox

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  using cairn::sandbox::places;
  testing::InitGoogleMock(&argc, argv);
  const bool as_user = argc > 1 && std::strcmp(argv[1], "--as-user") == 0;
  if (as_user && ::geteuid() != 0) {
    std::printf("these are run as the user who starts them anyway\n");
    return 0;
  }
  constexpr uid_t kNobody = 65534;
  ::umask(022);
  char folder[] = "/var/tmp/cairn-sandbox-test-XXXXXX";
  if (::mkdtemp(folder) == nullptr || ::chmod(folder, 0755) != 0) return 1;
  const fs::path build = fs::read_symlink("/proc/self/exe").parent_path();
  places = {folder, std::string(folder) + "/cairn-sandbox", {}, std::string(folder) + "/bin/sandbox_probe"};
  if (::geteuid() == 0 && fs::exists("/usr/bin/bwrap")) {
    places.bubblewrap = std::string(folder) + "/bwrap";
    fs::copy_file("/usr/bin/bwrap", places.bubblewrap);
    if (::chmod(places.bubblewrap.c_str(), 04755) != 0) return 1;
  }
  fs::create_directory(std::string(folder) + "/bin");
  fs::copy_file(build / "../bin/cairn-sandbox", places.launcher);
  fs::copy_file(build / "sandbox_probe", places.probe);
  if (as_user &&
      (::chown(folder, kNobody, kNobody) != 0 ||
       ::chown((std::string(folder) + "/bin").c_str(), kNobody, kNobody) != 0 || ::setgroups(0, nullptr) != 0 ||
       ::setresgid(kNobody, kNobody, kNobody) != 0 || ::setresuid(kNobody, kNobody, kNobody) != 0))
    return 1;
  if (as_user) ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // as every program that such a user starts
  const int result = RUN_ALL_TESTS();
  fs::remove_all(folder);
  return result;
}

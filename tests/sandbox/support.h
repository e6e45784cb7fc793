// What the tests of the sandbox share: a sandbox with the probe in its view, runs of one line, and layers taken away.
#pragma once

#include <string>
#include <vector>

#include "common/sandbox/plan.h"
#include "common/sandbox/sandbox.h"

namespace cairn::sandbox {

// The only way to weaken a sandbox. Friend of Sandbox.
struct SandboxForTests {
  static void take_away(Sandbox& sandbox, uint32_t layers) { sandbox.layers_ &= ~layers; }
  static void through_bubblewrap(Sandbox& sandbox) { sandbox.bubblewrap_ = true; }
};

// Set by main.cc before the first test: the launcher and the probe lie where every user may execute them.
struct Places {
  std::string folder;      // ours alone to write, of the user that the tests run as
  std::string launcher;    // a copy of cairn-sandbox
  std::string bubblewrap;  // a copy that is setuid root; empty if there is none, or only root could make it
  std::string probe;       // of probe.cc, static; alone in its folder
};
extern Places places;

std::unique_ptr<Sandbox> open_sandbox(SandboxOptions options = {});

struct Ran {
  Outcome outcome;
  std::string output;
  std::string text() const { return output + "|" + outcome.message() + "|" + outcome.error_tail; }
};
Result<Ran> run_spec(const Sandbox& sandbox, const SandboxSpec& spec, std::string_view input = {});
// The probe with these words, shipped as /job/program.
SandboxSpec probe_spec(std::vector<std::string> words);
SandboxSpec shell_spec(const std::string& script);
// Fails the test if it cannot be started.
Ran run_here(const Sandbox& sandbox, const SandboxSpec& spec, std::string_view input = {});

std::string read_file(const std::string& path);
void write_file(const std::string& path, std::string_view text);

}  // namespace cairn::sandbox

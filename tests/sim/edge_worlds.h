// Where one suite of tests runs against the real edges and against the simulated ones.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "common/base/clock.h"
#include "common/base/disk.h"
#include "common/base/network.h"

namespace cairn {

class EdgeWorld {
 public:
  virtual ~EdgeWorld() = default;
  // Runs the body of a test where it may block; fails the test if it hangs.
  virtual void run(std::function<void()> body) = 0;
  virtual Disk& disk() = 0;
  virtual std::string root() const = 0;  // an empty directory for the test
  virtual Clock& clock() = 0;
  virtual Network& here() = 0;
  virtual Network& there() = 0;              // another host, in the simulation
  virtual Address listen_there() const = 0;  // any port
};

std::unique_ptr<EdgeWorld> make_real_world();
std::unique_ptr<EdgeWorld> make_forgetful_world();  // real, over a ForgetfulDisk
std::unique_ptr<EdgeWorld> make_simulated_world();

struct EdgeKind {
  std::string name;
  std::unique_ptr<EdgeWorld> (*make)();
};
inline void PrintTo(const EdgeKind& kind, std::ostream* out) { *out << kind.name; }

}  // namespace cairn

#include "tests/sim/edge_worlds.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "common/base/forgetful_disk.h"
#include "tests/sim/sim_cluster.h"

namespace cairn {
namespace {

class RealWorld : public EdgeWorld {
 public:
  RealWorld() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cairn_edges_XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  ~RealWorld() override { std::filesystem::remove_all(root_); }
  void run(std::function<void()> body) override { body(); }
  Disk& disk() override { return real_disk(); }
  std::string root() const override { return root_; }
  Clock& clock() override { return real_clock(); }
  Network& here() override { return real_network(); }
  Network& there() override { return real_network(); }
  Address listen_there() const override { return {"127.0.0.1", 0}; }

 private:
  std::string root_;
};

class ForgetfulWorld : public RealWorld {
 public:
  ForgetfulWorld() {
    auto disk = ForgetfulDisk::open(real_disk(), {.shadow_directory = root() + "/shadow", .seed = 20261121});
    EXPECT_TRUE(disk.ok());
    disk_ = std::move(*disk);
  }
  Disk& disk() override { return *disk_; }

 private:
  std::unique_ptr<Disk> disk_;
};

class SimulatedWorld : public EdgeWorld {
 public:
  SimulatedWorld() : cluster_(20261120) {
    EXPECT_TRUE(cluster_.disk("there").make_directories("/data").ok());
    cluster_.network_of("here");
    cluster_.network_of("there");
  }
  void run(std::function<void()> body) override {
    const Status end = cluster_.run(std::move(body));
    EXPECT_TRUE(end.ok()) << end.error().what;
  }
  Disk& disk() override { return cluster_.disk("there"); }
  std::string root() const override { return "/data"; }
  Clock& clock() override { return cluster_.clock("there"); }
  Network& here() override { return cluster_.network_of("here"); }
  Network& there() override { return cluster_.network_of("there"); }
  Address listen_there() const override { return {"there", 0}; }

 private:
  SimCluster cluster_;
};

}  // namespace

std::unique_ptr<EdgeWorld> make_real_world() { return std::make_unique<RealWorld>(); }
std::unique_ptr<EdgeWorld> make_forgetful_world() { return std::make_unique<ForgetfulWorld>(); }
std::unique_ptr<EdgeWorld> make_simulated_world() { return std::make_unique<SimulatedWorld>(); }

}  // namespace cairn

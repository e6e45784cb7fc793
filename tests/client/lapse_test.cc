// A mount whose metaserver does not answer for longer than cached things may be trusted.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/base/thread.h"
#include "tests/client/cluster_fixture.h"

namespace cairn::test {
namespace {

// A kernel that cannot drop its pages yet.
class BusyKernel : public CacheListener {
 public:
  void drop_pages(InodeId, uint64_t, uint64_t) override {}
  void become_shared() override {
    Lock lock(mutex_);
    told_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return done_; });
  }
  bool wait_until_told(Duration most) {
    Lock lock(mutex_);
    return changed_.wait_until(lock, real_clock().now() + most, [this] { return told_; });
  }
  void be_done() {
    Lock lock(mutex_);
    done_ = true;
    changed_.notify_all();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool told_ = false, done_ = false;  // guarded by mutex_
};

class LapseTest : public testing::Test {
 protected:
  uint64_t counter(const char* name) const {
    return nlohmann::json::parse(mounted_->statistics_json()).at(name).get<uint64_t>();
  }
  // Whether a call is answered from what is cached.
  bool trusts(InodeId inode) {
    if (!mounted_->get_attributes(inode).ok()) return false;
    const uint64_t before = counter("attribute_hits");
    return mounted_->get_attributes(inode).ok() && counter("attribute_hits") > before;
  }
  Cluster cluster_{{.chunkservers = 3, .policy = {1, 2}, .session_ttl = 2s}};
  std::unique_ptr<Filesystem> mounted_ = cluster_.mount();
};

// The pages that the kernel is to drop may be locked by a read that itself waits until the session is renewed.
TEST_F(LapseTest, TheSessionIsRenewedWhileTheKernelStillDropsItsPages) {
  BusyKernel kernel;
  mounted_->set_listener(&kernel);
  const auto made = must(mounted_->create(file_node("file")));
  const InodeId inode = made.entry.attributes.inode;
  ASSERT_TRUE(trusts(inode));
  cluster_.kill_metaserver();
  ASSERT_TRUE(kernel.wait_until_told(30s));
  cluster_.start_metaserver();
  const Instant deadline = real_clock().now() + 30s;
  bool trusted = false;
  while (!trusted && real_clock().now() < deadline) trusted = trusts(inode);
  kernel.be_done();
  EXPECT_TRUE(trusted);
  EXPECT_EQ(counter("lost_sessions"), 0u);
  must(mounted_->release(made.handle));
  must(mounted_->close());
}

}  // namespace
}  // namespace cairn::test

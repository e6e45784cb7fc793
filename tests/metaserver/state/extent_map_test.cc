// What a commit of many extents costs the store.
#include "metaserver/state/extent_map.h"

#include "machine.h"

namespace cairn {
namespace {

// Counts the walks over the store beneath a transaction: each may have to skip any number of erased rows.
class CountingView : public StoreView {
 public:
  explicit CountingView(std::shared_ptr<const StoreView> view) : view_(std::move(view)) {}
  Result<std::optional<std::string>> get(std::string_view key) const override { return view_->get(key); }
  Status scan(std::string_view from, std::string_view to, const Visit& visit) const override {
    ++scans;
    return view_->scan(from, to, visit);
  }
  mutable size_t scans = 0;

 private:
  std::shared_ptr<const StoreView> view_;
};

TEST(ExtentMapTest, ManySmallExtentsOverAFileWalkOverTheStoreAFewTimes) {
  constexpr uint64_t kCount = 2000;
  Machine machine(6);
  const SessionId session = machine.open_session();
  const ChunkInfo chunk = machine.open_chunk(session);
  const InodeId file = machine.make(session, kRootInode, "f").attributes.inode;
  ASSERT_TRUE(machine.commit_extent(session, chunk, file, 0, kCount * 100).ok());
  InodeRow inode = machine.inode(file);

  const auto view = std::make_shared<CountingView>(machine.view());
  Transaction transaction(view);
  SpaceLedger ledger;
  ExtentMap extents(transaction, ledger, LogIndex{1000}, inode);
  const uint64_t place = machine.chunk(chunk.chunk).committed;
  for (uint64_t i = 0; i < kCount; ++i) {
    Extent extent = machine.stripe_extent(chunk, i * 100 + 10, 10);
    extent.place = place + i * extent.shape.stride();
    ASSERT_TRUE(extents.insert(extent).ok());
  }
  EXPECT_EQ(inode.extents, 2 * kCount + 1);
  EXPECT_LT(view->scans, 40u);

  // What was written through is what is read back.
  const auto found = extents_in(transaction, inode.map, 0, UINT64_MAX, SIZE_MAX);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 2 * kCount + 1);
  uint64_t end = 0;
  for (const Extent& extent : *found) {
    EXPECT_EQ(extent.offset, end);
    end = extent.end();
  }
  EXPECT_EQ(end, kCount * 100);
}

}  // namespace
}  // namespace cairn

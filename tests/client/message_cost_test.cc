// What costs a message and what does not: looks at what is leased are answered from memory, a recall goes to who holds
// the lease, and what memory says is still what another mount has just made of it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "common/base/random.h"
#include "common/base/thread.h"
#include "common/rpc/meta_client.h"
#include "tests/client/cluster_fixture.h"

namespace cairn::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

using Messages = std::map<std::string, uint64_t>;
using Names = std::map<std::string, InodeId>;

uint64_t counter(const Filesystem& filesystem, const char* name) {
  return nlohmann::json::parse(filesystem.statistics_json()).at(name).get<uint64_t>();
}

// Those that calls cause: renewals and polls come by time.
Messages messages(const Filesystem& filesystem) {
  auto all = nlohmann::json::parse(filesystem.statistics_json()).at("messages").get<Messages>();
  all.erase("renew_session");
  all.erase("events");
  return all;
}

Messages since(const Messages& before, const Filesystem& filesystem) {
  Messages more;
  for (const auto& [name, count] : messages(filesystem)) {
    const auto known = before.find(name);
    if (const uint64_t old = known == before.end() ? 0 : known->second; count > old) more[name] = count - old;
  }
  return more;
}

Names list(Filesystem& filesystem, InodeId directory, uint32_t page_entries = 7) {
  Names names;
  for (uint64_t cookie = 0;;) {
    const DirectoryPage page = must(filesystem.read_directory(directory, cookie, page_entries, false));
    for (const Entry& entry : page.entries) {
      EXPECT_TRUE(names.emplace(entry.name, entry.attributes.inode).second) << entry.name << " twice";
      EXPECT_GT(entry.cookie, cookie);
      cookie = entry.cookie;
    }
    if (page.complete) return names;
  }
}

// As most programs read: what is asked for in parts is kept in memory.
std::vector<uint8_t> read_in_parts(Filesystem& filesystem, InodeId inode) {
  std::vector<uint8_t> all;
  std::array<uint8_t, 16 << 10> part{};
  while (const size_t count = must(filesystem.read(inode, all.size(), part)))
    all.insert(all.end(), part.begin(), part.begin() + count);
  return all;
}

// A directory with everything that can be looked at.
struct Tree {
  InodeId directory{}, file{}, link{};
};

Tree make_tree(Filesystem& filesystem) {
  Tree tree;
  tree.directory = must(filesystem.make_node(directory_node("d"))).attributes.inode;
  for (int i = 0; i < 30; ++i) must(filesystem.make_node(file_node(fmt::format("entry{}", i), tree.directory)));
  const auto file = must(filesystem.create(file_node("file", tree.directory)));
  tree.file = file.entry.attributes.inode;
  must(filesystem.write(tree.file, 0, pattern(1, 300'000)));
  must(filesystem.release(file.handle));
  MakeNode link{tree.directory, "link", S_IFLNK | 0777, 0, 0, 0, std::string(4000, 't')};
  tree.link = must(filesystem.make_node(link)).attributes.inode;
  must(filesystem.set_xattr({tree.file, "user.small", "value", 0}));
  must(filesystem.set_xattr({tree.file, "user.large", std::string(60'000, 'x'), 0}));
  must(filesystem.sync_all());
  return tree;
}

void look_at_everything(Filesystem& filesystem, const Tree& tree) {
  EXPECT_EQ(must(filesystem.lookup(kRootInode, "d")).attributes.inode, tree.directory);
  EXPECT_EQ(must(filesystem.lookup(tree.directory, "file")).attributes.inode, tree.file);
  EXPECT_EQ(filesystem.lookup(tree.directory, "absent").code(), Errc::not_found);
  EXPECT_EQ(must(filesystem.get_attributes(tree.file)).size, 300'000u);
  const FileHandle handle = must(filesystem.open(tree.file, false, false));
  EXPECT_EQ(read_in_parts(filesystem, tree.file), pattern(1, 300'000));
  must(filesystem.flush(handle));
  must(filesystem.release(handle));
  EXPECT_EQ(list(filesystem, tree.directory).size(), 32u);
  EXPECT_EQ(must(filesystem.readlink(tree.link)), std::string(4000, 't'));
  EXPECT_EQ(must(filesystem.get_xattr(tree.file, "user.small")), "value");
  EXPECT_EQ(must(filesystem.get_xattr(tree.file, "user.large")).size(), 60'000u);
  EXPECT_EQ(filesystem.get_xattr(tree.file, "security.capability").code(), Errc::no_attribute);
  EXPECT_THAT(must(filesystem.list_xattrs(tree.file)), UnorderedElementsAre("user.large", "user.small"));
  EXPECT_THAT(must(filesystem.list_xattrs(tree.directory)), IsEmpty());
  EXPECT_EQ(filesystem.get_xattr(tree.directory, "user.none").code(), Errc::no_attribute);
}

void expect_no_message_after_the_first_time(Filesystem& filesystem, const Tree& tree) {
  look_at_everything(filesystem, tree);
  const Messages before = messages(filesystem);
  const uint64_t misses = counter(filesystem, "cached_stripe_misses");
  for (int i = 0; i < 20; ++i) look_at_everything(filesystem, tree);
  EXPECT_THAT(since(before, filesystem), IsEmpty());
  EXPECT_EQ(counter(filesystem, "cached_stripe_misses"), misses) << "nor to a chunkserver";
}

// Sessions so long that nothing happens by time.
class MessageCostTest : public testing::Test {
 protected:
  MessageCostTest() : cluster_({.session_ttl = 600s}), a_(cluster_.mount()) {}
  void TearDown() override {
    for (auto* one : {&a_, &b_, &c_})
      if (*one) must((*one)->close());
  }

  Cluster cluster_;
  std::unique_ptr<Filesystem> a_, b_, c_;
};

TEST_F(MessageCostTest, ASoleMountIsAnsweredFromItsMemoryTheSecondTime) {
  const Tree tree = make_tree(*a_);
  expect_no_message_after_the_first_time(*a_, tree);
  must(a_->close());
  a_ = cluster_.mount();  // knows nothing of it
  EXPECT_TRUE(a_->sole());
  expect_no_message_after_the_first_time(*a_, tree);

  // With the attributes of all entries, as readdirplus wants them.
  const auto attributed = [&] { return must(a_->read_directory(tree.directory, 0, 1000, true)); };
  const std::vector<Entry> first = attributed().entries;
  const Messages before = messages(*a_);
  const std::vector<Entry> again = attributed().entries;
  ASSERT_EQ(again.size(), first.size());
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(again[i].name, first[i].name);
    EXPECT_EQ(again[i].attributes, first[i].attributes);
  }
  EXPECT_THAT(since(before, *a_), IsEmpty());
}

TEST_F(MessageCostTest, TwoMountsAreAnsweredFromTheirMemoriesTheSecondTime) {
  const Tree tree = make_tree(*a_);
  b_ = cluster_.mount();
  EXPECT_FALSE(a_->sole());
  expect_no_message_after_the_first_time(*b_, tree);
  expect_no_message_after_the_first_time(*a_, tree);
  EXPECT_THAT(since({}, *b_), testing::Not(testing::Contains(testing::Key("acquire_leases")))) << "none of its own";
}

TEST_F(MessageCostTest, WhatAMountHasMadeItselfItKnowsWithoutAsking) {
  b_ = cluster_.mount();
  MakeNode link{kRootInode, "link", S_IFLNK | 0777, 0, 0, 0, "elsewhere"};
  const InodeId inode = must(b_->make_node(link)).attributes.inode;
  const auto made = must(b_->create(file_node("file")));
  const Messages before = messages(*b_);
  EXPECT_EQ(must(b_->readlink(inode)), "elsewhere");
  EXPECT_THAT(must(b_->list_xattrs(made.entry.attributes.inode)), IsEmpty());
  EXPECT_EQ(must(b_->get_attributes(made.entry.attributes.inode)).size, 0u);
  must(b_->release(made.handle));
  EXPECT_THAT(since(before, *b_), IsEmpty());
}

TEST_F(MessageCostTest, AChangeOnTheOtherMountIsSeenAtOnce) {
  const Tree tree = make_tree(*a_);
  b_ = cluster_.mount();
  look_at_everything(*a_, tree);
  look_at_everything(*b_, tree);
  for (auto [changer, looker] : {std::pair(b_.get(), a_.get()), std::pair(a_.get(), b_.get())}) {
    const std::string who = changer == a_.get() ? "a" : "b";
    const Names before = list(*looker, tree.directory);
    must(changer->make_node(file_node("new", tree.directory)));
    EXPECT_TRUE(list(*looker, tree.directory).contains("new"));
    must(changer->rename({tree.directory, "new", tree.directory, "newer", 0}));
    EXPECT_FALSE(list(*looker, tree.directory).contains("new"));
    EXPECT_TRUE(list(*looker, tree.directory).contains("newer"));
    must(changer->unlink(tree.directory, "newer"));
    EXPECT_EQ(list(*looker, tree.directory), before);

    must(changer->set_xattr({tree.file, "user.small", who, 0}));
    EXPECT_EQ(must(looker->get_xattr(tree.file, "user.small")), who);
    must(changer->set_xattr({tree.file, "user.another", who, 0}));
    EXPECT_EQ(must(looker->list_xattrs(tree.file)).size(), 3u);
    EXPECT_EQ(must(looker->get_xattr(tree.file, "user.another")), who);
    must(changer->remove_xattr({tree.file, "user.another"}));
    EXPECT_EQ(looker->get_xattr(tree.file, "user.another").code(), Errc::no_attribute);
    EXPECT_EQ(must(looker->list_xattrs(tree.file)).size(), 2u);
    must(changer->set_xattr({tree.directory, "user.new", who, 0}));
    EXPECT_THAT(must(looker->list_xattrs(tree.directory)), ElementsAre("user.new"));
    must(changer->remove_xattr({tree.directory, "user.new"}));
    EXPECT_THAT(must(looker->list_xattrs(tree.directory)), IsEmpty());

    // A directory that was moved has another "..".
    const InodeId below = must(changer->make_node(directory_node("below", tree.directory))).attributes.inode;
    EXPECT_EQ(must(looker->read_directory(below, 0, 10, false)).parent, tree.directory);
    EXPECT_EQ(must(changer->read_directory(below, 0, 10, false)).parent, tree.directory);
    must(changer->rename({tree.directory, "below", kRootInode, "below", 0}));
    EXPECT_EQ(must(looker->read_directory(below, 0, 10, false)).parent, kRootInode);
    EXPECT_EQ(must(changer->read_directory(below, 0, 10, false)).parent, kRootInode);
    must(changer->rmdir(kRootInode, "below"));
    EXPECT_EQ(looker->lookup(kRootInode, "below").code(), Errc::not_found);
  }
}

TEST_F(MessageCostTest, AListingGoesOnCorrectlyAfterItWasForgotten) {
  const Tree tree = make_tree(*a_);
  b_ = cluster_.mount();
  const Names before = list(*a_, tree.directory);
  for (Filesystem* const changer : {a_.get(), b_.get()}) {
    const DirectoryPage first = must(a_->read_directory(tree.directory, 0, 10, false));  // from memory
    ASSERT_EQ(first.entries.size(), 10u);
    Names seen;
    for (const Entry& entry : first.entries) seen.emplace(entry.name, entry.attributes.inode);
    const std::string at = first.entries.back().name;  // the cookie of an entry that is gone still says where to go on
    const uint64_t cookie = first.entries.back().cookie;
    must(changer->rename({tree.directory, at, kRootInode, at, 0}));
    for (uint64_t after = cookie;;) {
      const DirectoryPage next = must(a_->read_directory(tree.directory, after, 10, false));
      for (const Entry& entry : next.entries) {
        EXPECT_TRUE(seen.emplace(entry.name, entry.attributes.inode).second) << entry.name << " twice";
        after = entry.cookie;
      }
      if (next.complete) break;
    }
    EXPECT_EQ(seen, before);
    must(changer->rename({kRootInode, at, tree.directory, at, 0}));
    EXPECT_EQ(list(*a_, tree.directory), before);
  }
}

TEST_F(MessageCostTest, ListingsOfTwoMountsAreThoseOfAModelWhateverEitherChanges) {
  b_ = cluster_.mount();
  Random random(7);
  std::vector<InodeId> directories;
  std::vector<Names> model(3);
  for (int i = 0; i < 3; ++i)
    directories.push_back(must(a_->make_node(directory_node(fmt::format("d{}", i)))).attributes.inode);
  for (int step = 0; step < 600; ++step) {
    Filesystem& filesystem = random.one_in(2) ? *a_ : *b_;
    const size_t where = random.below(3);
    const size_t there = random.below(3);
    const std::string name = fmt::format("n{}", random.below(20));
    const std::string other = fmt::format("n{}", random.below(20));
    Names& names = model[where];
    switch (random.below(6)) {
      case 0:
        if (names.contains(name)) break;
        names[name] = must(filesystem.make_node(file_node(name, directories[where]))).attributes.inode;
        break;
      case 1:
        if (names.erase(name) == 0) break;
        must(filesystem.unlink(directories[where], name));
        break;
      case 2: {
        const auto old = names.find(name);
        if (old == names.end() || (where == there && name == other)) break;
        must(filesystem.rename({directories[where], name, directories[there], other, 0}));
        model[there][other] = old->second;
        names.erase(name);
        break;
      }
      default: {
        const auto entries = static_cast<uint32_t>(random.between(1, 12));
        ASSERT_EQ(list(filesystem, directories[where], entries), names) << "step " << step;
      }
    }
  }
  EXPECT_GT(counter(*a_, "listing_hits"), 0u);
  EXPECT_GT(counter(*b_, "listing_hits"), 0u);
}

TEST_F(MessageCostTest, ARecallIsOneEventAndOneMessageOfWhoHoldsTheLeaseAndNothingOfOthers) {
  const Tree tree = make_tree(*a_);
  b_ = cluster_.mount();
  c_ = cluster_.mount();
  must(b_->get_attributes(tree.file));
  must(c_->get_attributes(tree.link));  // of something else
  const std::array<Filesystem*, 3> mounts{a_.get(), b_.get(), c_.get()};
  std::array<uint64_t, 3> recalls{};
  std::array<Messages, 3> before;
  const auto note = [&] {
    for (size_t i = 0; i < 3; ++i) {
      recalls[i] = counter(*mounts[i], "recalls");
      before[i] = messages(*mounts[i]);
    }
  };
  SetAttributes mode;
  mode.inode = tree.file;
  mode.mode = 0600;
  note();
  must(a_->set_attributes(mode));
  EXPECT_EQ(since(before[0], *a_), (Messages{{"set_attributes", 1}}));
  EXPECT_EQ(since(before[1], *b_), (Messages{{"release_leases", 1}}));
  EXPECT_THAT(since(before[2], *c_), IsEmpty());
  EXPECT_EQ(counter(*a_, "recalls"), recalls[0]);
  EXPECT_EQ(counter(*b_, "recalls"), recalls[1] + 1);
  EXPECT_EQ(counter(*c_, "recalls"), recalls[2]);

  note();
  mode.mode = 0644;
  must(a_->set_attributes(mode));  // nobody else holds it any more
  EXPECT_EQ(since(before[0], *a_), (Messages{{"set_attributes", 1}}));
  EXPECT_THAT(since(before[1], *b_), IsEmpty());
  EXPECT_THAT(since(before[2], *c_), IsEmpty());

  note();
  EXPECT_EQ(must(b_->get_attributes(tree.file)).mode & 07777, 0644u);
  EXPECT_EQ(since(before[1], *b_), (Messages{{"get_attributes", 1}}));
  EXPECT_THAT(since(before[0], *a_), IsEmpty()) << "readers do not recall each other's leases";
}

TEST_F(MessageCostTest, MemoryKeepsToItsBounds) {
  const InodeId small = must(a_->make_node(directory_node("small"))).attributes.inode;
  const InodeId large = must(a_->make_node(directory_node("large"))).attributes.inode;
  for (int i = 0; i < 30; ++i) must(a_->make_node(file_node(fmt::format("s{}", i), small)));
  for (int i = 0; i < 300; ++i) must(a_->make_node(file_node(fmt::format("l{}", i), large)));
  FilesystemOptions options;
  options.cached_inodes = 50;
  options.cached_names = 60;
  options.listing_bytes = 20'000;
  options.detail_bytes = 8'000;
  b_ = cluster_.mount(options);
  for (int round = 0; round < 2; ++round) {
    for (const auto& [name, inode] : list(*b_, large)) {
      EXPECT_EQ(must(b_->lookup(large, name)).attributes.inode, inode);
      EXPECT_EQ(b_->get_xattr(inode, "user.absent").code(), Errc::no_attribute);
      EXPECT_LE(counter(*b_, "cached_inodes"), 50u);
      EXPECT_LE(counter(*b_, "cached_names"), 60u);
      EXPECT_LE(counter(*b_, "detail_bytes"), 8'000u);
      EXPECT_LE(counter(*b_, "listing_bytes"), 20'000u);
    }
    EXPECT_EQ(list(*b_, small).size(), 30u);
  }
  const Messages before = messages(*b_);
  EXPECT_EQ(list(*b_, small).size(), 30u);
  EXPECT_THAT(since(before, *b_), IsEmpty());
  EXPECT_EQ(list(*b_, large).size(), 300u);
  EXPECT_GT(since(before, *b_)["read_directory"], 1u) << "more than a quarter of all: it is not kept";
}

// A metaserver that lists four looks of a session, and clients that give nothing back unless they are asked to.
TEST(ListedInodesTest, AFileThatIsOpenedBeyondTheBoundLivesOnWhenAnotherMountRemovesIt) {
  Cluster cluster({.chunkservers = 0, .session_ttl = 600s, .most_listed = 2});
  const auto client = [&](uint64_t nonce) {
    auto one = std::make_unique<MetaClient>(real_network(), real_clock(), cluster.metaserver());
    must(one->open_session({.name = "mount", .host = "here", .pid = 1, .mount = true, .nonce = nonce}));
    return one;
  };
  const auto remover = client(1);  // alone, so that it gets no leases of what it makes
  std::vector<InodeId> files;
  for (int i = 0; i < 6; ++i)
    files.push_back(must(remover->make_node(file_node(fmt::format("f{}", i)))).attributes.inode);
  must(remover->release_leases({{InodeId{0}, LeaseKind::exclusive, 0}}));
  const auto opener = client(2);
  uint64_t leased = 0;
  for (const InodeId file : files) must(opener->get_attributes(file, &leased));
  EXPECT_EQ(leased, 0u) << "a look beyond the bound";
  const InodeId looked_at = files[4], open = files[5];
  EXPECT_THAT(must(opener->acquire_leases({{open, LeaseKind::read, 0}})), testing::SizeIs(1)) << "as open() does";
  must(opener->get_attributes(open));

  std::atomic<bool> removed = false;
  Thread removing("remover", [&] {
    for (const char* name : {"f4", "f5"}) must(remover->remove({kRootInode, name, false}));
    removed = true;
  });
  for (uint64_t acknowledged = 0; !removed;) {
    const EventPage page = must(opener->events(acknowledged, 100ms));
    for (const Event& event : page.events) {
      acknowledged = event.sequence;
      if (!event.lease) continue;
      const bool is_open = event.lease->inode == open;
      must(opener->release_leases({*event.lease}, is_open ? std::vector{open} : std::vector<InodeId>{}));
    }
  }
  removing.join();
  must(remover->forget_orphans({{looked_at, open}}));
  EXPECT_EQ(opener->get_attributes(looked_at).code(), Errc::stale_handle) << "nobody has it open";
  EXPECT_EQ(must(opener->get_attributes(open)).links, 0u) << "it is open, and so it lives";
  must(opener->forget_orphans({{open}}));
  EXPECT_EQ(opener->get_attributes(open).code(), Errc::stale_handle);
}

}  // namespace
}  // namespace cairn::test

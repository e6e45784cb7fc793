// Listing directories. Stateless: the kernel gives back the cookie of the last entry it has seen.
//
//   offset 0: ".", cookie 1     offset 1: "..", cookie 2     offset >= 2: the entries behind that cookie, in cookie
//   order
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "client/fuse/fuse_ops.h"
#include "client/fuse/fuse_reply.h"

namespace cairn::fuse_ops {
namespace {

constexpr uint64_t kDotCookie = 1;
constexpr uint64_t kDotDotCookie = 2;
// What an entry takes in the answer, with a name of ordinary length: how many to ask for.
constexpr size_t kPlainBytes = 48;
constexpr size_t kPlusBytes = 184;
constexpr uint32_t kMaxEntries = 4096;

class Listing {
 public:
  // attributed: entries have attributes.
  Listing(fuse_req_t request, size_t size, bool plus, bool attributed, double timeout)
      : request_(request),
        directories_(front_of(request).directories),
        buffer_(size),
        plus_(plus),
        attributed_(attributed),
        timeout_(timeout) {}

  // False: it does not fit, and the answer is full.
  bool add_dot(const char* name, InodeId inode, uint64_t cookie) {
    fuse_entry_param entry{};  // inode 0: the kernel takes no reference
    entry.attr.st_ino = raw(inode);
    entry.attr.st_mode = S_IFDIR;
    return add(name, entry, cookie);
  }
  bool add(const Entry& entry) {
    fuse_entry_param out = entry_of(entry, timeout_);
    // Attributes that the kernel may not keep are not given: another mount may be writing, and a stat asks.
    if (!attributed_ || timeout_ <= 0) out.ino = 0;
    if (plus_ && out.ino != 0) directories_.told(entry);
    return add(entry.name.c_str(), out, entry.cookie);
  }
  void reply() { fuse_reply_buf(request_, buffer_.data(), used_); }

 private:
  bool add(const char* name, const fuse_entry_param& entry, uint64_t cookie) {
    const size_t room = buffer_.size() - used_;
    const auto offset = static_cast<off_t>(cookie);
    const size_t needed = plus_ ? fuse_add_direntry_plus(request_, buffer_.data() + used_, room, name, &entry, offset)
                                : fuse_add_direntry(request_, buffer_.data() + used_, room, name, &entry.attr, offset);
    if (needed > room) return false;
    used_ += needed;
    return true;
  }

  fuse_req_t request_;
  MovedDirectories& directories_;
  std::vector<char> buffer_;
  bool plus_;
  bool attributed_;
  double timeout_;
  size_t used_ = 0;
};

void list(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, bool plus) {
  FuseFront& front = front_of(request);
  const auto from = static_cast<uint64_t>(offset);
  const size_t expected = std::max<size_t>(1, size / (plus ? kPlusBytes : kPlainBytes));
  const bool attributed = plus && front.filesystem.sole();
  const Result<DirectoryPage> page =
      front.filesystem.read_directory(InodeId{inode}, std::max(from, kDotDotCookie),
                                      static_cast<uint32_t>(std::min<size_t>(expected, kMaxEntries)), attributed);
  if (!page.ok()) return reply_error(request, page.error());
  const KernelCache::Grant grant(front.cache);
  Listing listing(request, std::min<size_t>(size, kMaxRequestBytes), plus, attributed, grant.timeout());
  bool room = true;
  if (room && from < kDotCookie) room = listing.add_dot(".", InodeId{inode}, kDotCookie);
  if (room && from < kDotDotCookie) room = listing.add_dot("..", page->parent, kDotDotCookie);
  for (const Entry& entry : page->entries) {
    if (!room) break;
    room = listing.add(entry);
  }
  listing.reply();
}

}  // namespace

void readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info*) {
  list(request, inode, size, offset, false);
}

void readdirplus(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info*) {
  list(request, inode, size, offset, true);
}

// The kernel forwards neither sync nor syncfs: an fsync of the root is how everything is made safe.
void fsyncdir(fuse_req_t request, fuse_ino_t inode, int, fuse_file_info*) {
  Filesystem& filesystem = front_of(request).filesystem;
  reply_status(request, InodeId{inode} == kRootInode ? filesystem.sync_all() : filesystem.sync(InodeId{inode}));
}

}  // namespace cairn::fuse_ops

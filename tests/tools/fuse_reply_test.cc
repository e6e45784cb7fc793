#include "client/fuse/fuse_reply.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cerrno>

namespace cairn {
namespace {

TEST(FuseReplyTest, EveryCodeIsAnErrno) {
  for (int code = static_cast<int>(Errc::not_found); code <= static_cast<int>(Errc::interrupted); ++code) {
    EXPECT_GT(errno_of(static_cast<Errc>(code)), 0) << code;
  }
}

TEST(FuseReplyTest, WhatIsUnknownIsNeverReportedAsAbsent) {
  for (const Errc code : {Errc::unavailable, Errc::timed_out, Errc::corrupt, Errc::io, Errc::no_session,
                          Errc::stale_epoch, Errc::stale_boot}) {
    EXPECT_EQ(errno_of(code), EIO) << name_of(code);
  }
  EXPECT_EQ(errno_of(Errc::not_found), ENOENT);
  EXPECT_EQ(errno_of(Errc::stale_handle), ESTALE);
}

TEST(FuseReplyTest, AttributesBecomeAStat) {
  Attributes attributes;
  attributes.inode = InodeId{42};
  attributes.mode = S_IFREG | 0640;
  attributes.links = 2;
  attributes.size = (uint64_t{1} << 40) + 1;
  attributes.stored = 513;
  attributes.mtime = {-5, 999'999'999};
  const struct stat out = stat_of(attributes);
  EXPECT_EQ(out.st_ino, 42u);
  EXPECT_EQ(out.st_mode, static_cast<mode_t>(S_IFREG | 0640));
  EXPECT_EQ(out.st_nlink, 2u);
  EXPECT_EQ(out.st_size, (off_t{1} << 40) + 1);
  EXPECT_EQ(out.st_blocks, 2);
  EXPECT_EQ(out.st_mtim.tv_sec, -5);
  EXPECT_EQ(out.st_mtim.tv_nsec, 999'999'999);
}

}  // namespace
}  // namespace cairn

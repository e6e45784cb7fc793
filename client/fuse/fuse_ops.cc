#include "client/fuse/fuse_ops.h"

namespace cairn {

const fuse_lowlevel_ops& fuse_operations() {
  static const fuse_lowlevel_ops kOperations = [] {
    fuse_lowlevel_ops ops{};
    ops.init = fuse_ops::init;
    ops.lookup = fuse_ops::lookup;
    ops.forget = fuse_ops::forget;
    ops.forget_multi = fuse_ops::forget_multi;
    ops.getattr = fuse_ops::getattr;
    ops.setattr = fuse_ops::setattr;
    ops.readlink = fuse_ops::readlink;
    ops.mknod = fuse_ops::mknod;
    ops.mkdir = fuse_ops::mkdir;
    ops.unlink = fuse_ops::unlink;
    ops.rmdir = fuse_ops::rmdir;
    ops.symlink = fuse_ops::symlink;
    ops.rename = fuse_ops::rename;
    ops.link = fuse_ops::link;
    ops.open = fuse_ops::open;
    ops.create = fuse_ops::create;
    ops.read = fuse_ops::read;
    ops.write = fuse_ops::write;
    ops.fallocate = fuse_ops::fallocate;
    ops.flush = fuse_ops::flush;
    ops.release = fuse_ops::release;
    ops.fsync = fuse_ops::fsync;
    ops.getlk = fuse_ops::getlk;
    ops.setlk = fuse_ops::setlk;
    ops.flock = fuse_ops::flock;
    ops.readdir = fuse_ops::readdir;
    ops.readdirplus = fuse_ops::readdirplus;
    ops.fsyncdir = fuse_ops::fsyncdir;
    ops.statfs = fuse_ops::statfs;
    ops.getxattr = fuse_ops::getxattr;
    ops.setxattr = fuse_ops::setxattr;
    ops.listxattr = fuse_ops::listxattr;
    ops.removexattr = fuse_ops::removexattr;
    return ops;
  }();
  return kOperations;
}

}  // namespace cairn

// The connection to the kernel, with what libfuse 3.14 cannot ask for.
//
// FUSE_DIRECT_IO_ALLOW_MMAP (Linux 6.6): files that are opened for direct I/O can be mapped shared. libfuse 3.14 knows
// only the first 32 flags of INIT, so its answer is completed on its way out (struct fuse_init_out of
// linux/fuse.h, protocol 7.36: flags2 lies at byte 32). Without it, in an older kernel, MAP_SHARED of a file on several
// mounts is ENODEV.
#pragma once

#include <fuse_lowlevel.h>

namespace cairn {

// After fuse_session_mount, before the loop. False: this libfuse does not let itself be helped.
bool complete_init(fuse_session* session);

}  // namespace cairn

// How an answer reaches the kernel: the one place where Errc becomes errno, and Attributes become struct stat.
//
// Each function answers the request, exactly once. Any thread. What an errno cannot say (which server, which chunk)
// goes to the log, at most once a second, because a program that meets EIO meets it a thousand times. Not here: how
// long the kernel may believe an answer (kernel_cache.h).
#pragma once

#include <fuse_lowlevel.h>

#include "client/fuse/kernel_cache.h"
#include "common/base/result.h"
#include "common/meta/attributes.h"

namespace cairn {

inline constexpr uint32_t kPreferredIoBytes = 1u << 20;  // st_blksize: cp and cat read and write this much at a time

int errno_of(Errc code);
struct stat stat_of(const Attributes& attributes);

void reply_error(fuse_req_t request, const Error& error);
void reply_status(fuse_req_t request, const Status& status);
void reply_attributes(fuse_req_t request, KernelCache& cache, const Result<Attributes>& result);
void reply_entry(fuse_req_t request, KernelCache& cache, const Result<Entry>& result);
// "There is no such name", which the kernel may remember.
void reply_absent(fuse_req_t request, KernelCache& cache);
// The value of an xattr or a list of names: size 0 asks for the length only, and a short buffer is ERANGE.
void reply_sized(fuse_req_t request, const std::string& value, size_t room);

fuse_entry_param entry_of(const Entry& entry, double timeout);

}  // namespace cairn

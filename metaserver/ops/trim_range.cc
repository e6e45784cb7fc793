// fallocate(2) that punches a hole or zeroes a range: it reads as zeros, and its space is given back.
#include "metaserver/ops/content.h"
#include "metaserver/ops/operations.h"

namespace cairn::ops {

Result<Answer> run(Operation& operation, const TrimRange& request) {
  TRY(check_time(request.mtime));
  if (request.length == 0 || request.offset > kMaxFileBytes || request.length > kMaxFileBytes - request.offset) {
    return Error{Errc::invalid,
                 fmt::format("{} bytes from {} are not a range of a file", request.length, request.offset)};
  }
  ASSIGN(InodeRow* const file, operation.regular_file(request.inode));

  TRY(trim(operation, *file, request.offset, request.offset + request.length));
  operation.touch(*file);
  file->attributes.mtime = request.mtime;
  file->attributes.ctime = std::max(file->attributes.ctime, request.mtime);
  return Answer(file->attributes);
}

}  // namespace cairn::ops

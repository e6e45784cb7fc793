#include "metaserver/ops/content.h"

#include "metaserver/ops/free_inode.h"

namespace cairn::ops {

Status check_time(const Time& time) {
  if (time.nanoseconds < 1'000'000'000) return {};
  return Error{Errc::invalid, fmt::format("{} nanoseconds are no part of a second", time.nanoseconds)};
}

Result<std::string> read_content(Operation& operation, const InodeRow& inode) {
  if (inode.content_bytes == 0) return std::string();
  ASSIGN(std::optional<std::string> content, operation.rows.get(keys::content(inode.attributes.inode)));
  if (!content || content->size() != inode.content_bytes) {
    return Error{Errc::corrupt,
                 fmt::format("metadata: the content of inode {} is damaged", raw(inode.attributes.inode))};
  }
  return std::move(*content);
}

void write_content(Operation& operation, InodeRow& inode, std::string content) {
  drop_content(operation, inode);
  if (content.empty()) return;
  inode.content_bytes = static_cast<uint32_t>(content.size());
  inode.attributes.stored += content.size();
  operation.rows.put(keys::content(inode.attributes.inode), std::move(content));
}

Status resize(Operation& operation, InodeRow& file, uint64_t size) {
  if (size == 0) {
    TRY(drop_data(operation, file));
  } else if (size < file.attributes.size) {
    if (file.content_bytes > size) {
      ASSIGN(std::string content, read_content(operation, file));
      content.resize(size);
      write_content(operation, file, std::move(content));
    }
    TRY(operation.extents(file).remove(size, UINT64_MAX));
  }
  file.attributes.size = size;
  return {};
}

Status trim(Operation& operation, InodeRow& file, uint64_t from, uint64_t to) {
  if (file.content_bytes > from) {
    ASSIGN(std::string content, read_content(operation, file));
    const uint64_t end = std::min<uint64_t>(to, content.size());
    if (end == content.size()) {
      content.resize(from);
    } else {
      content.replace(from, end - from, end - from, '\0');
    }
    write_content(operation, file, std::move(content));
  }
  if (from == 0 && to >= file.attributes.size) return drop_data(operation, file);
  return operation.extents(file).remove(from, to);
}

}  // namespace cairn::ops

// Reads of the name and file layers.
#include "metaserver/state/queries.h"

#include "common/meta/policy.h"
#include "metaserver/state/extent_map.h"
#include "metaserver/state/rows.h"

namespace cairn::queries {

namespace {

Result<InodeRow> existing_inode(const StoreView& view, InodeId id) {
  ASSIGN(std::optional<InodeRow> row, find_inode(view, id));
  if (!row) return Error{Errc::stale_handle, fmt::format("inode {} does not exist", raw(id))};
  return std::move(*row);
}

Result<InodeRow> existing_directory(const StoreView& view, InodeId id) {
  ASSIGN(InodeRow row, existing_inode(view, id));
  if (!is_directory(row)) return Error{Errc::not_directory, fmt::format("inode {} is not a directory", raw(id))};
  return row;
}

Result<Entry> entry_of(const StoreView& view, InodeId parent, std::string name, InodeId inode, uint64_t cookie) {
  ASSIGN(std::optional<InodeRow> row, find_inode(view, inode));
  if (!row) {
    return Error{Errc::corrupt, fmt::format("metadata: '{}' in directory {} names inode {}, which does not exist", name,
                                            raw(parent), raw(inode))};
  }
  return Entry{parent, std::move(name), row->attributes, cookie};
}

Result<std::string> content(const StoreView& view, const InodeRow& inode) {
  ASSIGN(std::optional<std::string> bytes, view.get(keys::content(inode.attributes.inode)));
  if (!bytes || bytes->size() != inode.content_bytes) {
    return Error{Errc::corrupt,
                 fmt::format("metadata: the content of inode {} is damaged", raw(inode.attributes.inode))};
  }
  return std::move(*bytes);
}

}  // namespace

Result<Entry> lookup(const StoreView& view, InodeId parent, std::string_view name) {
  ASSIGN(const std::optional<DentryRow> dentry, find_row<DentryRow>(view, keys::dentry(parent, name)));
  if (dentry) return entry_of(view, parent, std::string(name), dentry->inode, dentry->cookie);
  ASSIGN(const InodeRow directory, existing_directory(view, parent));
  if (name.size() > kMaxNameBytes) return Error{Errc::name_too_long, fmt::format("a name of {} bytes", name.size())};
  return Error{Errc::not_found, fmt::format("directory {} has no '{}'", raw(directory.attributes.inode), name)};
}

Result<Attributes> attributes(const StoreView& view, InodeId inode) {
  ASSIGN(const InodeRow row, existing_inode(view, inode));
  return row.attributes;
}

Result<std::string> readlink(const StoreView& view, InodeId inode) {
  ASSIGN(const InodeRow row, existing_inode(view, inode));
  if (!is_symlink(row)) return Error{Errc::invalid, fmt::format("inode {} is not a symlink", raw(inode))};
  return content(view, row);
}

Result<DirectoryPage> directory(const StoreView& view, InodeId inode, uint64_t after_cookie, uint32_t limit) {
  ASSIGN(const InodeRow row, existing_directory(view, inode));
  DirectoryPage page;
  page.parent = row.parent;
  if (after_cookie == UINT64_MAX) {
    page.complete = true;
    return page;
  }
  struct Found {
    uint64_t cookie;
    CookieRow row;
  };
  std::vector<Found> found;  // one more than asked for, to know whether that is all
  Status damaged;
  TRY(view.scan(keys::cookie(inode, after_cookie + 1), keys::last(Table::cookie, raw(inode)),
                [&](std::string_view key, std::string_view value) {
                  keys::Reader reader(Table::cookie, key);
                  reader.number();
                  const uint64_t cookie = reader.number();
                  damaged = reader.finish();
                  if (!damaged.ok()) return false;
                  Result<CookieRow> entry = decode_row<CookieRow>(value);
                  if (!entry.ok()) {
                    damaged = entry.error();
                    return false;
                  }
                  found.push_back({cookie, std::move(*entry)});
                  return found.size() <= limit;
                }));
  TRY(damaged);
  page.complete = found.size() <= limit;
  if (!page.complete) found.pop_back();
  page.entries.reserve(found.size());
  for (Found& entry : found) {
    ASSIGN(Entry complete, entry_of(view, inode, std::move(entry.row.name), entry.row.inode, entry.cookie));
    page.entries.push_back(std::move(complete));
  }
  return page;
}

Result<std::string> xattr(const StoreView& view, InodeId inode, std::string_view name) {
  ASSIGN(const InodeRow row, existing_inode(view, inode));
  if (name == kPolicyXattr) {
    ASSIGN(const StorageClass defaults, storage_class(view, kDefaultClass));
    ASSIGN(const StorageClass own, storage_class(view, row.attributes.storage_class));
    return policy_text(own, defaults);
  }
  if (row.xattr_names > 0) {
    ASSIGN(std::optional<std::string> value, view.get(keys::xattr(inode, name)));
    if (value) return std::move(*value);
  }
  return Error{Errc::no_attribute, fmt::format("inode {} has no attribute '{}'", raw(inode), name.substr(0, 255))};
}

Result<std::vector<std::string>> xattr_names(const StoreView& view, InodeId inode) {
  ASSIGN(const InodeRow row, existing_inode(view, inode));
  std::vector<std::string> names;
  if (row.xattr_names == 0) return names;
  Status damaged;
  TRY(view.scan(keys::first(Table::xattr, raw(inode)), keys::last(Table::xattr, raw(inode)),
                [&](std::string_view key, std::string_view) {
                  keys::Reader reader(Table::xattr, key);
                  reader.number();
                  names.emplace_back(reader.rest());
                  damaged = reader.finish();
                  return damaged.ok();
                }));
  TRY(damaged);
  return names;
}

Result<Layout> layout(const StoreView& view, InodeId inode, uint64_t offset, uint64_t length, uint32_t limit) {
  ASSIGN(const InodeRow row, existing_inode(view, inode));
  if (is_directory(row)) return Error{Errc::is_directory, fmt::format("inode {} is a directory", raw(inode))};
  if (!is_regular(row)) return Error{Errc::invalid, fmt::format("inode {} is not a regular file", raw(inode))};
  if (limit == 0) return Error{Errc::invalid, "a layout of no extents"};
  Layout layout;
  layout.attributes = row.attributes;
  const uint64_t end = length > UINT64_MAX - offset ? UINT64_MAX : offset + length;
  layout.covered_until = end;
  if (row.content_bytes > 0) {
    ASSIGN(layout.inline_data, content(view, row));
    return layout;
  }
  if (row.extents == 0) return layout;
  ASSIGN(layout.extents, extents_in(view, row.map, offset, end, limit));
  if (layout.extents.size() == limit) layout.covered_until = std::min(end, layout.extents.back().end());
  for (const Extent& extent : layout.extents) {
    const auto same = [&](const ChunkInfo& info) { return info.chunk == extent.chunk; };
    if (std::any_of(layout.chunks.begin(), layout.chunks.end(), same)) continue;
    ASSIGN(std::optional<ChunkRow> chunk, find_chunk(view, extent.chunk));
    if (!chunk)
      return Error{Errc::corrupt, fmt::format("metadata: inode {} refers to chunk {}, which does not exist", raw(inode),
                                              raw(extent.chunk))};
    layout.chunks.push_back(std::move(chunk->info));
  }
  return layout;
}

}  // namespace cairn::queries

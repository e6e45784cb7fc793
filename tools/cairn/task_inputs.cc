#include "tools/cairn/task_inputs.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "common/base/errno_error.h"

namespace cairn::tools {
namespace {

namespace fs = std::filesystem;

bool is_glob(const std::string& text) { return text.find_first_of("*?[") != std::string::npos; }
// What a merge is writing: a file that will have another name, or none.
bool is_hidden_output(std::string_view name) { return name.starts_with(".cairn-job-"); }

Error no_match(const std::string& pattern) {
  return {Errc::not_found, fmt::format("no file matches {}; see what there is by: ls -d {}", pattern,
                                       fs::path(pattern).parent_path().string() + "/*")};
}

class Inputs {
 public:
  Status add(InodeId inode, std::string name) {
    if (found_.size() == kMaxJobInputs)
      return {Errc::too_big,
              fmt::format("more than {} files: take several jobs, or fewer and larger files", kMaxJobInputs)};
    found_.push_back({inode, std::move(name)});
    return {};
  }
  Result<std::vector<JobInput>> take(const std::vector<std::string>& paths) {
    if (found_.empty())
      return Error{Errc::not_found, fmt::format("there is no regular file in {}", fmt::join(paths, ", "))};
    return std::move(found_);
  }

 private:
  std::vector<JobInput> found_;
};

// ---- under a mount

class MountWalk {
 public:
  MountWalk(dev_t device, int access) : device_(device), access_(access) {}

  Status add(const std::string& path) {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) return file_error("find", path, errno);
    if (found.st_dev != device_)
      return {Errc::invalid, path + " lies in another filesystem: a job is about files of one mount"};
    if (S_ISDIR(found.st_mode)) return add_below(path);
    if (!S_ISREG(found.st_mode)) return {Errc::invalid, path + " is not a regular file"};
    return add_allowed(InodeId{found.st_ino}, path);
  }
  Status add_glob(const std::string& pattern) {
    glob_t matches{};
    const int failure = ::glob(pattern.c_str(), 0, nullptr, &matches);
    Status status = failure == 0 ? Status{} : Status{no_match(pattern)};
    for (size_t i = 0; status.ok() && i < matches.gl_pathc; ++i) status = add(matches.gl_pathv[i]);
    ::globfree(&matches);
    return status;
  }
  Inputs& inputs() { return inputs_; }

 private:
  Status add_below(const std::string& directory) {
    std::vector<std::pair<std::string, ino_t>> files;
    std::error_code error;
    fs::recursive_directory_iterator it(directory, error);
    for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
      struct stat one {};
      if (::lstat(it->path().c_str(), &one) != 0) continue;  // removed meanwhile
      if (S_ISDIR(one.st_mode) && one.st_dev != device_) it.disable_recursion_pending();
      if (S_ISREG(one.st_mode) && !is_hidden_output(it->path().filename().string()))
        files.emplace_back(it->path().string(), one.st_ino);
    }
    if (error) return {Errc::io, fmt::format("{} cannot be listed: {}", directory, error.message())};
    std::ranges::sort(files);
    for (const auto& [path, inode] : files) TRY(add_allowed(InodeId{inode}, path));
    return {};
  }
  // Workers read by inode, whoever asks: what the kernel would refuse is refused here.
  Status add_allowed(InodeId inode, const std::string& path) {
    if (::access(path.c_str(), access_) != 0)
      return file_error((access_ & W_OK) != 0 ? "write to" : "read", path, errno);
    return inputs_.add(inode, path);
  }

  const dev_t device_;
  const int access_;
  Inputs inputs_;
};

// ---- from the root

constexpr uint32_t kEntriesPerCall = 1000;

class RootWalk {
 public:
  explicit RootWalk(MetaClient& meta) : meta_(meta) {}

  Status add(const std::string& path) {
    std::vector<std::string> components;
    for (const fs::path& part : fs::path(path).relative_path()) {
      if (!part.empty() && part != ".") components.push_back(part.string());
    }
    const uint64_t before = matched_;
    TRY(descend(kRootInode, "", components));
    if (matched_ == before) return no_match(path);
    return {};
  }
  Inputs& inputs() { return inputs_; }

 private:
  Status descend(InodeId directory, const std::string& prefix, std::span<const std::string> rest) {
    if (rest.empty()) return add_below(directory, prefix);
    const std::string& wanted = rest.front();
    if (!is_glob(wanted)) {
      const Result<Entry> entry = meta_.lookup(directory, wanted);
      if (!entry.ok() && entry.code() == Errc::not_found)
        return {Errc::not_found, fmt::format("there is no {}/{} in the filesystem", prefix, wanted)};
      if (!entry.ok()) return entry.error();
      return visit(entry->attributes, prefix + "/" + wanted, rest.subspan(1), true);
    }
    ASSIGN(const std::vector<Entry> entries, list(directory));
    for (const Entry& entry : entries) {
      if (::fnmatch(wanted.c_str(), entry.name.c_str(), FNM_PERIOD) == 0)
        TRY(visit(entry.attributes, prefix + "/" + entry.name, rest.subspan(1), rest.size() == 1));
    }
    return {};
  }
  // strict: one that is neither file nor directory, or that should be a directory and is not, is an error.
  Status visit(const Attributes& found, const std::string& path, std::span<const std::string> rest, bool strict) {
    if (S_ISDIR(found.mode)) return descend(found.inode, path, rest);
    if (S_ISREG(found.mode) && rest.empty()) {
      ++matched_;
      return inputs_.add(found.inode, path);
    }
    if (!strict) return {};
    return {Errc::invalid,
            path + (S_ISLNK(found.mode) ? " is a link: name what it leads to" : " is not a regular file")};
  }
  Status add_below(InodeId directory, const std::string& prefix) {
    ++matched_;
    ASSIGN(const std::vector<Entry> entries, list(directory));
    for (const Entry& entry : entries) {
      const std::string path = prefix + "/" + entry.name;
      if (S_ISDIR(entry.attributes.mode)) TRY(add_below(entry.attributes.inode, path));
      if (S_ISREG(entry.attributes.mode) && !is_hidden_output(entry.name))
        TRY(inputs_.add(entry.attributes.inode, path));
    }
    return {};
  }
  Result<std::vector<Entry>> list(InodeId directory) {
    std::vector<Entry> all;
    for (uint64_t cookie = 0;;) {
      ASSIGN(DirectoryPage page, meta_.read_directory(directory, cookie, kEntriesPerCall));
      for (Entry& entry : page.entries) {
        cookie = entry.cookie;
        all.push_back(std::move(entry));
      }
      if (page.complete || page.entries.empty()) break;
    }
    std::ranges::sort(all, {}, &Entry::name);
    return all;
  }

  MetaClient& meta_;
  Inputs inputs_;
  uint64_t matched_ = 0;  // files, and directories whose contents are meant
};

Error bad_output(const std::string& path) {
  return {Errc::invalid, path + " names no file: --out takes the path of a file in a directory that is there"};
}

}  // namespace

Result<std::vector<JobInput>> inputs_under_mount(const std::string& mountpoint, const std::vector<std::string>& paths,
                                                 int access) {
  struct stat mount {};
  if (::stat(mountpoint.c_str(), &mount) != 0) return file_error("find", mountpoint, errno);
  MountWalk walk(mount.st_dev, access);
  for (const std::string& path : paths) {
    struct stat found {};
    const bool literal = ::lstat(path.c_str(), &found) == 0 || !is_glob(path);
    TRY(literal ? walk.add(path) : walk.add_glob(path));
  }
  return walk.inputs().take(paths);
}

Result<std::vector<JobInput>> inputs_from_root(MetaClient& meta, const std::vector<std::string>& paths) {
  RootWalk walk(meta);
  for (const std::string& path : paths) TRY(walk.add(path));
  return walk.inputs().take(paths);
}

Result<NamedPlace> place_under_mount(const std::string& path) {
  const fs::path whole(path);
  struct stat found {};
  const std::string parent = whole.has_parent_path() ? whole.parent_path().string() : ".";
  if (whole.filename().empty()) return bad_output(path);
  if (::stat(parent.c_str(), &found) != 0) return file_error("find", parent, errno);
  if (!S_ISDIR(found.st_mode)) return bad_output(path);
  if (::access(parent.c_str(), W_OK | X_OK) != 0) return file_error("write to", parent, errno);
  NamedPlace place{InodeId{found.st_ino}, whole.filename().string()};
  place.exists = ::lstat(path.c_str(), &found) == 0;
  if (place.exists && !S_ISREG(found.st_mode)) return bad_output(path);
  return place;
}

Result<NamedPlace> place_from_root(MetaClient& meta, const std::string& path) {
  InodeId directory = kRootInode;
  const fs::path whole = fs::path(path).relative_path();
  if (whole.filename().empty()) return bad_output(path);
  for (const fs::path& part : whole.parent_path()) {
    const Result<Entry> entry = meta.lookup(directory, part.string());
    if (!entry.ok()) return Error{entry.code(), fmt::format("{}: {}: {}", path, part.string(), entry.error().what)};
    if (!S_ISDIR(entry->attributes.mode)) return bad_output(path);
    directory = entry->attributes.inode;
  }
  NamedPlace place{directory, whole.filename().string()};
  const Result<Entry> there = meta.lookup(directory, place.name);
  place.exists = there.ok();
  if (!there.ok() && there.code() != Errc::not_found) return there.error();
  if (there.ok() && !S_ISREG(there->attributes.mode)) return bad_output(path);
  return place;
}

}  // namespace cairn::tools

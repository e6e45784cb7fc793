#include "metaserver/log/space_needs.h"

#include <algorithm>

namespace cairn {

namespace {

struct NeedsSpace {
  bool operator()(const MakeNode&) const { return true; }
  bool operator()(const MakeAnonymous&) const { return true; }
  bool operator()(const LinkNode&) const { return true; }
  bool operator()(const Rename&) const { return true; }
  bool operator()(const SetXattr&) const { return true; }
  bool operator()(const CreateChunks&) const { return true; }
  bool operator()(const AdmitJob&) const { return true; }
  bool operator()(const AddJobInputs&) const { return true; }
  bool operator()(const FinishTask& request) const { return !request.partial.empty() || !request.heads.empty(); }
  // Truncation frees; modes and times add nothing, but a stream of them would eat the reserve.
  bool operator()(const SetAttributes& request) const { return !request.size; }
  bool operator()(const Commit& request) const {
    return std::any_of(request.files.begin(), request.files.end(),
                       [](const FileCommit& file) { return !file.extents.empty() || file.inline_data; });
  }
  template <typename Other>
  bool operator()(const Other&) const {
    return false;
  }
};

}  // namespace

bool needs_space(const Command& command) {
  return raw(command.mutation.session) != 0 && std::visit(NeedsSpace(), command.body);
}

}  // namespace cairn

#include "common/sandbox/launcher/plan_view.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>

namespace cairn::sandbox {
namespace {

// `count` strings from `at` on, as a list that ends with null.
char** take_strings(char*& at, uint32_t count) {
  auto** list = static_cast<char**>(std::calloc(count + size_t{1}, sizeof(char*)));
  if (list == nullptr) std::abort();
  for (uint32_t i = 0; i < count; ++i) {
    list[i] = at;
    at += std::strlen(at) + 1;
  }
  return list;
}

}  // namespace

const PlanView* PlanView::map() {
  struct stat found {};
  if (::fstat(kPlanFd, &found) != 0 || static_cast<size_t>(found.st_size) < sizeof(Plan)) return nullptr;
  void* mapped = ::mmap(nullptr, static_cast<size_t>(found.st_size), PROT_READ | PROT_WRITE, MAP_PRIVATE, kPlanFd, 0);
  if (mapped == MAP_FAILED || static_cast<const Plan*>(mapped)->magic != kPlanMagic) return nullptr;
  static PlanView view;
  view.plan_ = static_cast<const Plan*>(mapped);
  char* at = static_cast<char*>(mapped) + sizeof(Plan);
  view.argv_ = take_strings(at, view.plan_->words);
  view.environment_ = take_strings(at, view.plan_->variables);
  view.readonly_paths_ = take_strings(at, view.plan_->readonly_paths);
  view.cgroup_ = at;
  at += std::strlen(at) + 1;
  view.launcher_ = at;
  at += std::strlen(at) + 1;
  view.bubblewrap_ = at;
  return &view;
}

sock_fprog PlanView::filter() const {
  // sock_fprog's pointer is not const; the kernel only reads.
  return {static_cast<unsigned short>(plan_->filter_bytes / sizeof(sock_filter)),
          const_cast<sock_filter*>(reinterpret_cast<const sock_filter*>(at(plan_->filter_at)))};
}

}  // namespace cairn::sandbox

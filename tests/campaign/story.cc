#include "tests/campaign/story.h"

#include <unistd.h>

#include <cerrno>

namespace cairn {

void Story::line(const std::string& text) const {
  const std::string whole = fmt::format("{:11.6f} {}\n", now(), text);
  for (size_t at = 0; at < whole.size();) {
    const ssize_t count = ::write(to_, whole.data() + at, whole.size() - at);
    if (count < 0 && errno != EINTR) return;  // nobody listens any more: the run's end is still told by its exit code
    if (count > 0) at += static_cast<size_t>(count);
  }
}

void Story::end_with(const std::string& text) const {
  line("WRONG: " + text);
  ::_exit(kWrong);
}

}  // namespace cairn

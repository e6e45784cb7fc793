#include "common/sandbox/run.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "common/base/errno_error.h"

namespace cairn::sandbox {
namespace {

constexpr size_t kReadBytes = 64u << 10;

// A program that does not read to its end must not end this process, which need not ignore SIGPIPE: it is blocked for
// this thread, and taken away if it came.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  NoPipeSignal(const NoPipeSignal&) = delete;
  ~NoPipeSignal() {
    const timespec at_once{};
    if (!was_pending_) ::sigtimedwait(&pipe_, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_, before_;
  bool was_pending_;
};

// What could not be started, as an error of ours.
Error start_error(const Verdict& verdict) {
  Error error = file_error("sandbox:", verdict.step, verdict.error);
  if (std::string_view(verdict.step).starts_with("execute ") && verdict.error == ENOEXEC)
    error.what += "; a script begins with #! and the path of its interpreter";
  return error;
}

}  // namespace

void Run::Pipes::send_some(std::string_view& bytes) {
  const NoPipeSignal no_signal;
  const ssize_t sent = ::write(input.get(), bytes.data(), bytes.size());
  if (sent >= 0) {
    bytes.remove_prefix(static_cast<size_t>(sent));
  } else if (errno != EAGAIN && errno != EINTR) {
    input = UniqueFd();  // EPIPE: it does not want more
  }
}

// After the first thing that is wrong with it output is thrown away, so that the program's end is not held up.
Status Run::Pipes::deliver(std::string_view bytes) {
  if (too_much_output || !sink_status.ok()) return {};
  if (bytes.size() > limits.output_bytes - output_bytes) {
    too_much_output = true;
    kill();
    return {};
  }
  output_bytes += bytes.size();
  sink_status = sink(bytes);
  if (!sink_status.ok()) kill();
  return sink_status;
}

Status Run::Pipes::take_output() {
  char buffer[kReadBytes];
  const ssize_t got = ::read(output.get(), buffer, sizeof buffer);
  if (got > 0) return deliver({buffer, static_cast<size_t>(got)});
  if (got == 0 || (errno != EAGAIN && errno != EINTR)) output = UniqueFd();
  return {};
}

void Run::Pipes::take_errors() {
  char buffer[kReadBytes];
  const ssize_t got = ::read(errors.get(), buffer, sizeof buffer);
  if (got > 0) {
    error_tail.append(buffer, static_cast<size_t>(got));
    if (error_tail.size() >= 2 * kErrorTailBytes) error_tail.erase(0, error_tail.size() - kErrorTailBytes);
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    errors = UniqueFd();
  }
}

void Run::Pipes::take_verdict() {
  Verdict received;
  ssize_t got = ::recv(control.get(), &received, sizeof received, MSG_DONTWAIT);
  // Told once if the supervisor went with a kill of ours unread; its verdict is behind it.
  if (got < 0 && errno == ECONNRESET) got = ::recv(control.get(), &received, sizeof received, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got == sizeof received) verdict = received;
  input = UniqueFd();
}

Status Run::Pipes::exchange(std::string_view bytes, bool until_end) {
  bool supervisor_spoke = verdict.has_value();
  while (true) {
    const bool sending = input.valid() && !bytes.empty();
    if (until_end ? supervisor_spoke && !output.valid() && !errors.valid() : !sending) return {};
    pollfd ready[] = {{supervisor_spoke ? -1 : control.get(), POLLIN, 0},
                      {output.get(), POLLIN, 0},
                      {errors.get(), POLLIN, 0},
                      {sending ? input.get() : -1, POLLOUT, 0}};
    if (::poll(ready, std::size(ready), -1) < 0 && errno != EINTR) return file_error("poll", "sandbox", errno);
    if (ready[1].revents != 0) TRY(take_output());
    if (ready[2].revents != 0) take_errors();
    if (ready[3].revents != 0) send_some(bytes);
    if (ready[0].revents != 0) {
      take_verdict();
      supervisor_spoke = true;
    }
  }
}

void Run::Pipes::kill() const { (void)!::send(control.get(), "k", 1, MSG_NOSIGNAL | MSG_DONTWAIT); }

void Run::Pipes::reap() {
  if (supervisor < 0) return;
  int status = 0;
  while (::waitpid(supervisor, &status, __WALL) < 0 && errno == EINTR) {
  }
  supervisor = -1;
}

Run::Run(std::unique_ptr<Pipes> pipes) : pipes_(std::move(pipes)) {}

Run::~Run() {
  pipes_->kill();
  pipes_->input = UniqueFd();
  pipes_->output = UniqueFd();
  pipes_->errors = UniqueFd();
  pipes_->reap();
}

Status Run::feed(std::string_view bytes) {
  TRY(pipes_->sink_status);
  return pipes_->exchange(bytes, false);
}

Result<Verdict> Run::end() {
  TRY(pipes_->sink_status);
  pipes_->input = UniqueFd();
  TRY(pipes_->exchange({}, true));
  pipes_->reap();
  if (!pipes_->verdict) return {Errc::io, "sandbox: its supervisor was killed"};
  return *pipes_->verdict;
}

Result<Outcome> Run::finish() {
  ASSIGN(const Verdict verdict, end());
  Pipes& pipes = *pipes_;
  if (verdict.error != 0) return start_error(verdict);
  if (verdict.lost != 0) {
    // Or bubblewrap gave up, which says why there.
    const std::string& tail = pipes.error_tail;
    return {Errc::io, "sandbox: it was ended from outside" + (tail.empty() ? "" : "; it said: " + tail)};
  }
  Outcome outcome;
  outcome.hit = static_cast<Hit>(verdict.hit);
  if (pipes.too_much_output) outcome.hit = Hit::output;
  if (outcome.hit == Hit::none) {
    if (WIFSIGNALED(verdict.status)) outcome.signal = WTERMSIG(verdict.status);
    if (WIFEXITED(verdict.status)) outcome.exit_code = WEXITSTATUS(verdict.status);
  }
  outcome.scratch_was_full = verdict.scratch_was_full != 0;
  outcome.had_all_processes = verdict.had_all_processes != 0;
  outcome.error_tail = std::move(pipes.error_tail);
  if (outcome.error_tail.size() > kErrorTailBytes)
    outcome.error_tail.erase(0, outcome.error_tail.size() - kErrorTailBytes);
  outcome.output_bytes = pipes.output_bytes;
  outcome.peak_memory_bytes = verdict.peak_memory_bytes;
  outcome.cpu = Duration(static_cast<int64_t>(verdict.cpu_ns));
  outcome.wall = real_clock().now() - pipes.began;
  outcome.limits = pipes.limits;
  return outcome;
}

void Run::cancel() { pipes_->kill(); }

}  // namespace cairn::sandbox

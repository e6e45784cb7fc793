// A program that tries to get out, one way at a time: prints "escaped" if it did, else what held it. Static, so that it
// runs in any root. Whatever it is, it is bounded by itself: these tests run on machines that are needed.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

int escaped() {
  std::printf("escaped\n");
  return 0;
}
int held(const char* step) {
  std::printf("held: %s: %s\n", step, std::strerror(errno));
  return 1;
}

int connect_to(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return held("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return held("connect");
  return escaped();
}

int connect_abstract(const char* name) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) return held("socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path + 1, name, sizeof address.sun_path - 2);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + std::strlen(name));
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), length) != 0) return held("connect");
  return escaped();
}

int read_path(const char* path) {
  const int fd = ::open(path, O_RDONLY);
  if (fd < 0) return held("open");
  // A folder that can be opened can be listed; memory that can be opened can be read where there is some.
  char byte;
  return ::read(fd, &byte, 1) == 1 || errno == EISDIR || errno == EIO ? escaped() : held("read");
}

int write_path(const char* path) {
  const int fd = ::open(path, O_WRONLY | O_CREAT, 0666);
  if (fd < 0) return held("open");
  return ::write(fd, "x", 1) == 1 ? escaped() : held("write");
}

int trace(int pid) { return ::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0 ? escaped() : held("ptrace"); }

int trace_child() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  const long traced = ::ptrace(PTRACE_SEIZE, child, nullptr, nullptr);
  const int error = errno;
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  errno = error;
  return traced == 0 ? escaped() : held("ptrace");
}

// Anything but 0, 1 and 2.
int find_descriptors() {
  for (int fd = 3; fd < 1024; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) return escaped();
  }
  return held("fcntl");
}

int try_unshare() { return ::unshare(CLONE_NEWUSER) == 0 ? escaped() : held("unshare"); }
int clone_user() {
  const long pid = ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) ::_exit(0);
  return pid > 0 ? escaped() : held("clone");
}
int try_mount() { return ::mount("x", "/scratch", "tmpfs", 0, "") == 0 ? escaped() : held("mount"); }

// Each call with arguments that a kernel refuses: what tells is the errno. ENOSYS: the filter.
int system_calls() {
  struct Call {
    const char* name;
    long number;
  };
  constexpr Call kCalls[] = {{"bpf", SYS_bpf},
                             {"keyctl", SYS_keyctl},
                             {"add_key", SYS_add_key},
                             {"request_key", SYS_request_key},
                             {"perf_event_open", SYS_perf_event_open},
                             {"io_uring_setup", SYS_io_uring_setup},
                             {"init_module", SYS_init_module},
                             {"finit_module", SYS_finit_module},
                             {"delete_module", SYS_delete_module},
                             {"kexec_load", SYS_kexec_load},
                             {"ptrace", SYS_ptrace},
                             {"process_vm_readv", SYS_process_vm_readv},
                             {"process_vm_writev", SYS_process_vm_writev},
                             {"kcmp", SYS_kcmp},
                             {"pidfd_getfd", SYS_pidfd_getfd},
                             {"unshare", SYS_unshare},
                             {"setns", SYS_setns},
                             {"mount", SYS_mount},
                             {"umount2", SYS_umount2},
                             {"pivot_root", SYS_pivot_root},
                             {"chroot", SYS_chroot},
                             {"fsopen", SYS_fsopen},
                             {"open_tree", SYS_open_tree},
                             {"move_mount", SYS_move_mount},
                             {"mount_setattr", SYS_mount_setattr},
                             {"userfaultfd", SYS_userfaultfd},
                             {"memfd_create", SYS_memfd_create},
                             {"shmget", SYS_shmget},
                             {"msgget", SYS_msgget},
                             {"mq_open", SYS_mq_open},
                             {"socket", SYS_socket},
                             {"socketpair", SYS_socketpair},
                             {"clone3", SYS_clone3},
                             {"open_by_handle_at", SYS_open_by_handle_at},
                             {"personality", SYS_personality},
                             {"reboot", SYS_reboot},
                             {"swapon", SYS_swapon},
                             {"settimeofday", SYS_settimeofday},
                             {"clock_settime", SYS_clock_settime},
                             {"sethostname", SYS_sethostname},
                             {"syslog", SYS_syslog},
                             {"quotactl", SYS_quotactl},
                             {"acct", SYS_acct},
                             {"mknod", SYS_mknod},
                             {"mknodat", SYS_mknodat},
                             {"fanotify_init", SYS_fanotify_init},
                             {"execveat", SYS_execveat},
                             {"seccomp", SYS_seccomp},
                             {"capset", SYS_capset},
                             {"setgroups", SYS_setgroups},
                             {"vmsplice", SYS_vmsplice},
                             {"iopl", SYS_iopl},
                             {"ioperm", SYS_ioperm},
                             {"modify_ldt", SYS_modify_ldt}};
  int wrong = 0;
  for (const Call& call : kCalls) {
    errno = 0;
    const long result = ::syscall(call.number, -1L, -1L, -1L, -1L, -1L, -1L);
    if (result >= 0 || errno != ENOSYS) {
      std::printf("%s: %ld, %s\n", call.name, result, std::strerror(errno));
      ++wrong;
    }
  }
  return wrong == 0 ? held("all") : escaped();
}

// getpid, as programs for the x32 ABI call it.
int call_x32() {
  constexpr long kX32 = 0x40000000;
  return ::syscall(kX32 + SYS_getpid) > 0 ? escaped() : held("x32");
}

// Pushes a character into the terminal's input, as if it was typed.
int type_into_terminal() {
  const int fd = ::open("/dev/tty", O_RDWR);
  const char character = ' ';
  if (fd >= 0 && ::ioctl(fd, TIOCSTI, &character) == 0) return escaped();
  return ::ioctl(0, TIOCSTI, &character) == 0 ? escaped() : held(fd < 0 ? "open /dev/tty" : "TIOCSTI");
}

int fork_many(int most) {
  int made = 0;
  for (; made < most; ++made) {
    const pid_t child = ::fork();
    if (child < 0) break;
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
  }
  std::printf("%d\n", made);
  return made == most ? escaped() : held("fork");
}

int touch(char* memory, size_t bytes) {
  for (size_t at = 0; at < bytes; at += 4096) memory[at] = 1;
  return 0;
}
int take_memory(size_t mib, int flags) {
  const size_t bytes = mib << 20;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return held("mmap");
  touch(static_cast<char*>(memory), bytes);
  return escaped();
}
// So much in each of several children, which wait for one another.
int take_memory_in_children(size_t mib, int children) {
  for (int i = 0; i < children; ++i) {
    if (::fork() == 0) {
      const int result = take_memory(mib, MAP_PRIVATE);
      if (result == 0) ::pause();
      ::_exit(result);
    }
  }
  int status = 0;
  ::wait(&status);
  return held("a child");
}

int spin(int seconds) {
  timespec used{};
  do {
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  } while (used.tv_sec < seconds);
  return escaped();
}
int spin_in_children(int seconds, int children) {
  for (int i = 0; i < children; ++i) {
    if (::fork() == 0) ::_exit(spin(seconds));
  }
  for (int i = 0; i < children; ++i) ::wait(nullptr);
  return escaped();
}

int flood(int fd, size_t mib) {
  const std::string line(1 << 16, 'x');
  for (size_t written = 0; written < mib << 20; written += line.size()) {
    if (::write(fd, line.data(), line.size()) < 0) return held("write");
  }
  return 0;
}

int fill(const char* path, size_t mib) {
  const int fd = ::open(path, O_WRONLY | O_CREAT, 0600);
  if (fd < 0) return held("open");
  ::signal(SIGXFSZ, SIG_IGN);
  return flood(fd, mib) == 0 ? escaped() : 1;
}
int fill_with_files(int most) {
  for (int i = 0; i < most; ++i) {
    const std::string path = "/scratch/" + std::to_string(i);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT, 0600);
    if (fd < 0) return held("open");
    ::close(fd);
  }
  return escaped();
}
int open_many(int most) {
  for (int i = 0; i < most; ++i) {
    if (::dup(0) < 0) return held("dup");
  }
  return escaped();
}

int crash() {
  const pid_t child = ::fork();
  if (child == 0) std::abort();
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WCOREDUMP(status)) return escaped();
  struct stat found {};
  return ::stat("core", &found) == 0 ? escaped() : held("no core");
}

// Who runs this, as setuid would change it.
int who() {
  std::printf("uid %u %u gid %u %u no_new_privs %d\n", ::getuid(), ::geteuid(), ::getgid(), ::getegid(),
              ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  return 0;
}
int execute(const char* path, const char* word) {
  ::execl(path, path, word, nullptr);
  return held("execl");
}

int links(const char* target) {
  if (::symlink(target, "/scratch/link") == 0 && read_path("/scratch/link") == 0) return 0;
  if (::link("/usr/bin/env", "/scratch/hard") == 0) return escaped();
  const std::string up = "/scratch/../../../../.." + std::string(target);
  if (read_path(up.c_str()) == 0) return 0;
  for (const char* root : {"/proc/1/root", "/proc/self/root", "/proc/self/cwd/..", "/proc/1/cwd/../.."}) {
    if (read_path((root + std::string(target)).c_str()) == 0) return 0;
  }
  return held("links");
}

}  // namespace

int main(int argc, char** argv) {
  ::setvbuf(stdout, nullptr, _IONBF, 0);
  const std::string what = argc > 1 ? argv[1] : "";
  const char* text = argc > 2 ? argv[2] : "";
  const int number = std::atoi(text), second = argc > 3 ? std::atoi(argv[3]) : 0;
  if (what == "connect") return connect_to(number);
  if (what == "abstract") return connect_abstract(text);
  if (what == "read") return read_path(text);
  if (what == "write") return write_path(text);
  if (what == "signal") return ::kill(number, 0) == 0 ? escaped() : held("kill");
  if (what == "trace") return trace(number);
  if (what == "trace-child") return trace_child();
  if (what == "descriptors") return find_descriptors();
  if (what == "unshare") return try_unshare();
  if (what == "clone-user") return clone_user();
  if (what == "mount") return try_mount();
  if (what == "calls") return system_calls();
  if (what == "x32") return call_x32();
  if (what == "terminal") return type_into_terminal();
  if (what == "fork") return fork_many(number);
  if (what == "memory") return take_memory(static_cast<size_t>(number), MAP_PRIVATE);
  if (what == "named-memory") {
    ::prctl(PR_SET_NAME, "RssAnon:");
    return take_memory(static_cast<size_t>(number), MAP_PRIVATE);
  }
  if (what == "shared-memory") return take_memory(static_cast<size_t>(number), MAP_SHARED);
  if (what == "memory-children") return take_memory_in_children(static_cast<size_t>(number), second);
  if (what == "spin") return spin(number);
  if (what == "spin-children") return spin_in_children(number, second);
  if (what == "flood") return flood(1, static_cast<size_t>(number));
  if (what == "flood-errors") return flood(2, static_cast<size_t>(number));
  if (what == "fill") return fill(text, static_cast<size_t>(second));
  if (what == "files") return fill_with_files(number);
  if (what == "open") return open_many(number);
  if (what == "crash") return crash();
  if (what == "who") return who();
  if (what == "execute") return execute(text, argc > 3 ? argv[3] : nullptr);
  if (what == "links") return links(text);
  if (what == "wait") return ::pause();
  std::fprintf(stderr, "no such probe: %s\n", what.c_str());
  return 3;
}

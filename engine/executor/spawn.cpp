#include "engine/executor/spawn.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FLOWRUN_NO_SANITIZE __attribute__((no_sanitize("address", "thread", "undefined")))
#else
#define FLOWRUN_NO_SANITIZE
#endif
#if defined(__SANITIZE_THREAD__)
// The sanitizer takes clone(2) for a fork. By its other name it goes unseen.
extern "C" int __clone(int (*)(void*), void*, int, void*, ...);
#define FLOWRUN_CLONE __clone
#else
#define FLOWRUN_CLONE clone
#endif

namespace flowrun {
namespace {

constexpr std::size_t kStack = 64 * 1024;

rlimit file_limit{RLIM_INFINITY, RLIM_INFINITY};  // of children
bool file_limit_raised = false;
std::vector<int> handled;  // signals that a handler of ours would take in a child

/// What parent and child share while the child loads its program.
struct Launch {
  const char* program;
  char* const* argv;
  char* const* env;
  const char* cwd;
  int in, out, err;
  const std::vector<int>* inherited;
  int driver;
  sigset_t mask;
  int failed_errno;
  bool failed_at_cwd;
};

/// As the kernel has it; all zero: the default.
struct KernelSigaction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  std::uint64_t mask;
};

// Runs in our memory, on its own stack, while the calling thread stands still: it allocates nothing, and makes system
// calls only, since a function of libc may be wrapped by a sanitizer that keeps books in that memory.
FLOWRUN_NO_SANITIZE int child(void* argument) {
  auto* launch = static_cast<Launch*>(argument);
  syscall(SYS_setsid);
  syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (syscall(SYS_getppid) != launch->driver) syscall(SYS_exit_group, 127);
  // No handler of ours may run in here once the mask is empty.
  const KernelSigaction fresh{};
  for (int signal : handled) syscall(SYS_rt_sigaction, signal, &fresh, nullptr, sizeof fresh.mask);
  bool ready = !launch->cwd || syscall(SYS_chdir, launch->cwd) == 0;
  launch->failed_at_cwd = !ready;
  // All three are above 2: prepare() sees to it.
  ready = ready && syscall(SYS_dup3, launch->in, 0, 0) >= 0 && syscall(SYS_dup3, launch->out, 1, 0) >= 0 &&
          syscall(SYS_dup3, launch->err, 2, 0) >= 0;
  if (ready) {
    // libcurl opens sockets without O_CLOEXEC. Kernels before 5.11 refuse this; then children see those.
    if (file_limit_raised) syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &file_limit, nullptr);
    syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
    for (const int descriptor : *launch->inherited) syscall(SYS_fcntl, descriptor, F_SETFD, 0);
    const std::uint64_t none = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
    syscall(SYS_execve, launch->program, launch->argv, launch->env);
  }
  launch->failed_errno = errno;
  syscall(SYS_exit_group, 127);
  return 0;
}

bool is_program(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && access(path.c_str(), X_OK) == 0;
}

/// Where the program is, as execvp(3) would find it in the child's PATH. Empty: nowhere.
std::string locate(const SpawnRequest& request) {
  const std::string& name = request.argv.front();
  if (name.find('/') != std::string::npos) return name;
  std::string_view path = "/usr/local/bin:/usr/bin:/bin";
  for (const char* variable : request.env)
    if (std::strncmp(variable, "PATH=", 5) == 0) path = variable + 5;
  std::string candidate;
  for (std::size_t from = 0; from <= path.size();) {
    std::size_t end = std::min(path.find(':', from), path.size());
    std::string_view folder = end > from ? path.substr(from, end - from) : ".";
    candidate.clear();
    if (folder[0] != '/' && !request.cwd.empty()) candidate.append(request.cwd).append(1, '/');
    candidate.append(folder).append(1, '/').append(name);
    if (is_program(candidate)) return candidate;
    from = end + 1;
  }
  return "";
}

/// Why the kernel says that |launch|'s program is not there: it may lack what runs it.
std::string explain_missing(const SpawnRequest& request, const Launch& launch) {
  const std::string& name = request.argv.front();
  std::string path = launch.program;
  if (path[0] != '/' && !request.cwd.empty()) path = request.cwd + "/" + path;
  char bytes[256];
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  const ssize_t size = file < 0 ? -1 : read(file, bytes, sizeof bytes);
  if (file >= 0) close(file);
  if (size < 0) return fmt::format("program {} not found", name);
  std::string_view line(bytes, static_cast<std::size_t>(size));
  line = line.substr(0, line.find('\n'));
  if (!line.starts_with("#!")) return fmt::format("what loads {} is not found; is it made for this system?", name);
  line.remove_prefix(std::min(line.find_first_not_of(" \t", 2), line.size()));
  const std::string_view interpreter = line.substr(0, line.find_first_of(" \t\r"));
  if (line.ends_with('\r'))
    return fmt::format("{} has line ends of CR LF, and there is no interpreter `{}\\r`; save it with LF alone", name,
                       interpreter);
  return fmt::format("the interpreter {} of {} is not found", interpreter, name);
}

std::string explain(const SpawnRequest& request, const Launch& launch) {
  const std::string& name = request.argv.front();
  if (launch.failed_at_cwd)
    return fmt::format("cannot go to the folder {}: {}", request.cwd, std::strerror(launch.failed_errno));
  switch (launch.failed_errno) {
    case ENOENT:
      return explain_missing(request, launch);
    case EACCES:
      return fmt::format("program {} may not be executed: {}", name, std::strerror(EACCES));
    case E2BIG:
      return fmt::format("the arguments and environment of {} are too long; give large values by `stdin`", name);
    case ENOEXEC:
      return fmt::format("{} is no program; does it lack a first line like #!/bin/sh?", name);
    default:
      return fmt::format("cannot start {}: {}", name, std::strerror(launch.failed_errno));
  }
}

/// As execve(2) wants a list: it changes nothing, and says so nowhere.
std::vector<char*> pointers(const auto& texts, const auto& c_str) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (const auto& text : texts) list.push_back(const_cast<char*>(c_str(text)));
  list.push_back(nullptr);
  return list;
}

}  // namespace

Spawned spawn(const SpawnRequest& request) {
  Spawned spawned;
  std::string program = locate(request);
  if (program.empty()) {
    spawned.error = fmt::format("program {} not found on PATH", request.argv.front());
    return spawned;
  }
  std::vector<char*> argv = pointers(request.argv, [](const std::string& text) { return text.c_str(); });
  std::vector<char*> env = pointers(request.env, [](const char* text) { return text; });
  Launch launch{};
  launch.program = program.c_str();
  launch.argv = argv.data();
  launch.env = env.data();
  launch.cwd = request.cwd.empty() ? nullptr : request.cwd.c_str();
  launch.in = request.in;
  launch.out = request.out;
  launch.err = request.err;
  launch.inherited = &request.inherited;
  launch.driver = getpid();

  // One stack a thread: the thread that spawns stands still until the child has left it.
  thread_local std::unique_ptr<char[]> stack(new char[kStack]);
  sigset_t all;
  sigfillset(&all);
  // The end of an earlier child, while this thread has it blocked, would wake another thread for nothing.
  sigdelset(&all, SIGCHLD);
  pthread_sigmask(SIG_SETMASK, &all, &launch.mask);
  // The address is 16-byte aligned as the ABI wants it.
  char* top = stack.get() + kStack;
  top -= reinterpret_cast<std::uintptr_t>(top) % 16;
  int pid = FLOWRUN_CLONE(child, top, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &launch, &spawned.pidfd);
  int clone_errno = errno;
  pthread_sigmask(SIG_SETMASK, &launch.mask, nullptr);
  if (pid < 0) {
    spawned.pidfd = -1;
    spawned.error = fmt::format("cannot start a process: {}", std::strerror(clone_errno));
    return spawned;
  }
  if (launch.failed_errno != 0) {
    siginfo_t ignored{};
    waitid(P_PID, static_cast<id_t>(pid), &ignored, WEXITED);
    close(spawned.pidfd);
    spawned.pidfd = -1;
    spawned.error = explain(request, launch);
    return spawned;
  }
  spawned.pid = pid;
  return spawned;
}

namespace {

void prepare() {
  // Descriptors 0 to 2 are for a child's own: a pipe of ours must never be one of them.
  int opened = -1;
  do {
    opened = open("/dev/null", O_RDWR | O_CLOEXEC);
  } while (opened >= 0 && opened <= 2);
  if (opened > 2) close(opened);
  for (int ours : {SIGPIPE, SIGXFSZ}) signal(ours, SIG_IGN);
  // Whoever started us may have had it ignored, and then nobody could ask how a child ended.
  signal(SIGCHLD, SIG_DFL);
  // What loses its parent below us becomes our child, wherever we run: else it is up to the first process of a
  // container to reap it, and some never do.
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  // What was ignored before us (nohup) stays ignored; that these two are, is our doing.
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction now {};
    if (sigaction(signal, nullptr, &now) != 0 || now.sa_handler == SIG_DFL) continue;
    if (now.sa_handler != SIG_IGN || signal == SIGPIPE || signal == SIGXFSZ) handled.push_back(signal);
  }
  if (file_limit_raised || getrlimit(RLIMIT_NOFILE, &file_limit) != 0) return;
  rlimit most{file_limit.rlim_max, file_limit.rlim_max};
  file_limit_raised = file_limit.rlim_cur < most.rlim_max && setrlimit(RLIMIT_NOFILE, &most) == 0;
}

}  // namespace

void prepare_spawns() {
  static std::once_flag once;
  std::call_once(once, prepare);
}

void reap_orphans() {
  for (;;) {
    siginfo_t ended{};
    if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT | __WNOTHREAD) != 0 || ended.si_pid == 0) return;
    if (getsid(ended.si_pid) == getsid(0)) return;
    waitid(P_PID, static_cast<id_t>(ended.si_pid), &ended, WEXITED | WNOHANG | __WNOTHREAD);
  }
}

int null_device() {
  static const int device = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return device;
}

}  // namespace flowrun

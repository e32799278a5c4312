// The least that starting COUNT processes, WIDTH at a time, can cost: two threads, clone(2) as vfork, two pipes each,
// one epoll. Nothing is written down and nobody is told.
//
//   bench_spawn_loop WIDTH COUNT PROGRAM [ARGS...]
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

extern char** environ;

namespace {

struct Child {
  int pidfd = -1, out = -1, err = -1;
};

struct Start {
  char** argv;
  int in, out, err;
};

int child(void* argument) {
  auto* start = static_cast<Start*>(argument);
  dup2(start->in, 0);
  dup2(start->out, 1);
  dup2(start->err, 2);
  execvpe(start->argv[0], start->argv, environ);
  _exit(127);
}

class Loop {
 public:
  Loop(int width, std::atomic<int>& left, char** argv) : argv_(argv), left_(left), children_(width) {}

  void run() {
    for (std::size_t slot = 0; slot < children_.size(); ++slot) begin(slot);
    epoll_event events[64];
    while (running_ > 0) {
      int count = epoll_wait(epoll_, events, 64, -1);
      for (int i = 0; i < count; ++i) happened(events[i].data.u64 >> 2, events[i].data.u64 & 3);
    }
  }

 private:
  void begin(std::size_t slot) {
    if (left_.fetch_sub(1) <= 0) return;
    int out[2], err[2];
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) std::abort();
    Start start{argv_, null_, out[1], err[1]};
    Child& child_of_slot = children_[slot];
    int pid = clone(child, stack_ + sizeof stack_, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &start,
                    &child_of_slot.pidfd);
    if (pid < 0) std::abort();
    close(out[1]);
    close(err[1]);
    child_of_slot.out = out[0];
    child_of_slot.err = err[0];
    watch(child_of_slot.pidfd, slot << 2);
    watch(child_of_slot.out, slot << 2 | 1);
    watch(child_of_slot.err, slot << 2 | 2);
    ++running_;
  }

  void watch(int descriptor, std::uint64_t data) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = data;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  }

  void drop(int& descriptor) {
    if (descriptor < 0) return;
    epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
    close(descriptor);
    descriptor = -1;
  }

  void happened(std::size_t slot, std::uint64_t what) {
    Child& of_slot = children_[slot];
    if (what != 0) {
      int& descriptor = what == 1 ? of_slot.out : of_slot.err;
      char buffer[65536];
      if (descriptor >= 0 && read(descriptor, buffer, sizeof buffer) <= 0) drop(descriptor);
      return;
    }
    siginfo_t info{};
    if (of_slot.pidfd < 0 || waitid(P_PIDFD, static_cast<id_t>(of_slot.pidfd), &info, WEXITED) != 0) return;
    drop(of_slot.pidfd);
    drop(of_slot.out);
    drop(of_slot.err);
    --running_;
    begin(slot);
  }

  char** argv_;
  std::atomic<int>& left_;
  std::vector<Child> children_;
  int running_ = 0;
  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  const int null_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  alignas(16) char stack_[65536];
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: bench_spawn_loop WIDTH COUNT PROGRAM [ARGS...]\n");
    return 2;
  }
  const int width = std::atoi(argv[1]);
  std::atomic<int> left = std::atoi(argv[2]);
  auto work = [&](int places) {
    auto loop = std::make_unique<Loop>(places, left, argv + 3);
    loop->run();
  };
  if (width < 2) {
    work(1);
    return 0;
  }
  std::thread other(work, width / 2);
  work(width - width / 2);
  other.join();
}

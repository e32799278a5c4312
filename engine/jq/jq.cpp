// flowrun's side of the jq process: starts it, asks, and kills it when an answer takes too long.
#include "engine/jq/jq.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <optional>
#include <set>

#include "engine/jq/tree_size.h"
#include "engine/jq/wire.h"
#include "engine/model/error.h"
#include "engine/model/hash.h"

namespace flowrun {
namespace {

using namespace jq;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kTime = 2s;
// On a machine that has no time for jq its two seconds may take longer; nothing waits longer than this.
constexpr auto kPatience = 60s;
// Shorter values are sent anew each time; longer ones are kept in the child as long as there is room.
constexpr std::size_t kWorthKeeping = 8 << 10;
constexpr std::size_t kKept = 16 << 20;
// What is shorter as text is tried; of longer ones it is known before whether they fit.
constexpr std::size_t kWorthWeighing = 8 << 20;

/// The child and our end of its socket. Dies with it.
class Process {
 public:
  /// Throws a message.
  Process() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      throw fmt::format("can not start jq: {}", std::strerror(errno));
    constexpr int kChild = 3;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], kChild);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    // libjq reports failed assertions there.
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, kChild + 1);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    // A group of its own: Ctrl-C is for flowrun, which still evaluates expressions while it comes to rest.
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    std::string number = std::to_string(kChild);
    const std::string parent = std::to_string(getpid());
    const char* arguments[] = {"flowrun", "__jq", number.c_str(), parent.c_str(), nullptr};
    const char* environment[] = {"TZ=UTC", "LC_ALL=C", nullptr};
    int failed = posix_spawn(&pid_, "/proc/self/exe", &actions, &attributes, const_cast<char**>(arguments),
                             const_cast<char**>(environment));
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    socket_ = ends[0];
    if (failed != 0) {
      close(socket_);
      throw fmt::format("can not start jq: {}", std::strerror(failed));
    }
  }
  ~Process() {
    close(socket_);
    if (!status_) {
      kill(pid_, SIGKILL);
      wait(0);
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  int socket() const { return socket_; }
  bool alive() {
    if (!status_) wait(WNOHANG);
    return !status_;
  }
  /// The signal that ended it, or 0. Call when its socket is closed.
  int signal() {
    if (!status_) wait(0);
    return status_ && WIFSIGNALED(*status_) ? WTERMSIG(*status_) : 0;
  }
  /// Whether it left for want of libjq. Call when its socket is closed.
  bool lacks_libjq() {
    if (!status_) wait(0);
    return status_ && WIFEXITED(*status_) && WEXITSTATUS(*status_) == kNoLibjq;
  }
  /// Time that it has computed so far.
  std::chrono::nanoseconds computed() const {
    clockid_t clock;
    timespec time{};
    if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &time) != 0) return kPatience;
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }

 private:
  void wait(int options) {
    int status = 0;
    pid_t found;
    while ((found = waitpid(pid_, &status, options)) < 0 && errno == EINTR) {
    }
    if (found == pid_) status_ = status;
    if (found < 0) status_ = 0;  // somebody else has reaped it
  }

  pid_t pid_ = -1;
  int socket_ = -1;
  std::optional<int> status_;
};

class JqProcess : public Jq {
 public:
  explicit JqProcess(std::vector<Program> programs) : programs_(std::move(programs)) {}

  Answer evaluate(const Question& question) override {
    if (std::string trouble = too_much(question); !trouble.empty()) return {{}, std::move(trouble)};
    // What kills the child may be left over from the question before, such as a value too deep to be freed. A new
    // child tells whether it is this one.
    for (bool again = true;; again = false) {
      begun_ = false;
      try {
        return ask(question);
      } catch (const std::string& trouble) {
        process_.reset();
        if (begun_ || !again) return {{}, trouble};
      }
    }
  }

  std::vector<std::string> check(const std::vector<Program>& programs) override {
    if (programs.empty()) return {};
    try {
      start();
      Reader reader(exchange(listed(Kind::Check, programs), false));
      std::vector<std::string> errors;
      for (std::size_t i = 0; i < programs.size(); ++i) errors.emplace_back(reader.text());
      programs_.insert(programs_.end(), programs.begin(), programs.end());
      compiled_.insert(programs.begin(), programs.end());
      return errors;
    } catch (const std::string& trouble) {
      process_.reset();
      if (lacks_libjq_) throw Error(Problem::Impossible, "this expression " + trouble);
      if (programs.size() == 1) return {trouble};
    }
    // One of them is too much for jq: each by itself tells which.
    std::vector<std::string> errors;
    for (const Program& program : programs) errors.push_back(check({program}).front());
    return errors;
  }

 private:
  /// A large value that the child has.
  struct Kept {
    std::string id;
    std::size_t size;
  };

  void start() {
    if (process_ && process_->alive()) return;
    process_.reset();
    compiled_.clear();
    kept_.clear();
    kept_size_ = 0;
    process_.emplace();
    partial_.clear();
    Writer programs = listed(Kind::Programs, programs_);
    if (send(process_->socket(), programs, Clock::now() + kPatience) != Io::Done) throw died();
  }

  static bool is_worth_keeping(std::string_view text) { return text.size() >= kWorthKeeping && text.size() <= kKept; }

  /// Why jq has no room for what it is given; empty: it has.
  static std::string too_much(const Question& question) {
    std::size_t size = 0, together = 0, needed = 0;
    for (const auto& [name, value] : question.bindings) size += value.text().size();
    if (size < kWorthWeighing) return "";
    for (const auto& [name, value] : question.bindings) {
      const std::size_t tree = tree_size(value.text());
      // What the child keeps has a limit of its own, the rest shares one.
      const bool alone = is_worth_keeping(value.text());
      needed = std::max(needed, alone ? tree : together += tree);
    }
    // The child has the text, too, until it has read it.
    if (needed + size <= kMemory) return "";
    return fmt::format("is given {} MiB, for which jq needs about {} MiB of memory, and it may have {} MiB", size >> 20,
                       (needed + size) >> 20, kMemory >> 20);
  }

  static Writer listed(Kind kind, const std::vector<Program>& programs) {
    Writer writer(kind);
    writer.number(programs.size());
    for (const Program& program : programs) writer.program(program);
    return writer;
  }

  Answer ask(const Question& question) {
    start();
    // What the child has compiled before it evaluates at once; else it says first that it has compiled.
    bool known = !compiled_.insert(question.program).second;
    Reader reader(exchange(written(question), known));
    while (reader.kind() == Kind::Compiled) {
      begun_ = true;
      reader = Reader(evaluated());
    }
    std::string text(reader.text());
    switch (reader.kind()) {
      case Kind::Result:
        return {Value::from_text(std::move(text)), ""};
      case Kind::Gone:
        process_.reset();
        return {{}, std::move(text)};
      default:
        return {{}, text.empty() ? "fails without a message" : std::move(text)};
    }
  }

  Writer written(const Question& question) {
    // Ids first: what is dropped to make room must not be what this question needs.
    std::vector<std::string> ids, dropped;
    std::vector<bool> known;
    for (const auto& [name, value] : question.bindings) {
      const std::string& text = value.text();
      ids.emplace_back();
      known.push_back(false);
      if (!is_worth_keeping(text)) continue;
      ids.back() = hash_name(text);
      auto same = [&](const Kept& each) { return each.id == ids.back(); };
      auto found = std::find_if(kept_.begin(), kept_.end(), same);
      known.back() = found != kept_.end();
      Kept kept = known.back() ? *found : Kept{ids.back(), text.size()};
      if (known.back())
        kept_.erase(found);
      else
        kept_size_ += text.size();
      kept_.push_back(kept);  // the youngest stands last
    }
    while (kept_size_ > kKept && kept_.size() > question.bindings.size()) {
      dropped.push_back(kept_.front().id);
      kept_size_ -= kept_.front().size;
      kept_.pop_front();
    }
    Writer writer(Kind::Question);
    writer.program(question.program);
    writer.number(dropped.size());
    for (const std::string& id : dropped) writer.text(id);
    writer.number(question.bindings.size());
    for (std::size_t i = 0; i < question.bindings.size(); ++i) {
      writer.text(question.bindings[i].first);
      writer.text(ids[i]);
      writer.number(known[i]);
      if (!known[i]) writer.lend(question.bindings[i].second.text());
    }
    return writer;
  }

  /// Sends |question| and waits for what comes back first: an evaluation if |known|.
  std::string exchange(Writer question, bool known) {
    std::string message;
    auto deadline = Clock::now() + kPatience;
    Io io = send(process_->socket(), question, deadline);
    // What a child that died had to say can still be read.
    if (io != Io::Late && known) return evaluated();
    if (io != Io::Late) io = receive(process_->socket(), partial_, message, deadline);
    if (io == Io::Late) {
      begun_ = true;
      throw std::string("takes too long to compile");
    }
    if (io == Io::Closed) throw died();
    return message;
  }

  std::string evaluated() {
    std::string message;
    auto began = process_->computed();
    auto end = Clock::now() + kPatience;
    for (auto deadline = Clock::now() + kTime;;) {
      switch (receive(process_->socket(), partial_, message, deadline)) {
        case Io::Done:
          return message;
        case Io::Closed:
          throw died();
        case Io::Late:
          break;
      }
      auto left = kTime - (process_->computed() - began);
      if (left <= 0s || Clock::now() >= end) {
        begun_ = true;
        throw std::string("takes longer than 2 s");
      }
      deadline = std::min(end, Clock::now() + std::max<Clock::duration>(left, 10ms));
    }
  }

  std::string died() {
    int signal = process_->signal();
    lacks_libjq_ = process_->lacks_libjq();
    if (lacks_libjq_)
      return "needs jq, and " FLOWRUN_LIBJQ " can not be loaded; install it (on Debian: apt-get install libjq1)";
    if (signal == 0) return "jq ended without an answer";
    return fmt::format("crashes jq ({})", strsignal(signal));
  }

  std::vector<Program> programs_;
  std::optional<Process> process_;
  bool lacks_libjq_ = false;
  bool begun_ = false;          ///< the question, not one before it, is to blame for what happens
  std::set<Program> compiled_;  ///< by this process
  std::string partial_;
  std::deque<Kept> kept_;
  std::size_t kept_size_ = 0;
};

}  // namespace

std::unique_ptr<Jq> make_jq(std::vector<Program> programs) { return std::make_unique<JqProcess>(std::move(programs)); }

}  // namespace flowrun

#include "tests/support/program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace flowrun::test {
namespace {

std::string whole(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

bool drives(const std::vector<std::string>& args) {
  static const std::set<std::string> verbs{"run", "resume", "retry", "each", "fork", "undo"};
  return !args.empty() && verbs.count(args.front()) > 0;
}

/// Says where it listens when it does.
std::unique_ptr<Background> worker_at(const std::string& address, const HowToRun& how) {
  HowToRun same = how;
  same.stdin_text.clear();
  same.close_stdout = false;
  auto worker =
      std::make_unique<Background>(std::vector<std::string>{FLOWRUN_BINARY, "worker", "--listen", address}, same);
  for (int i = 0; i < 20000 && worker->running() && worker->err().find("listens at") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (!worker->running()) throw std::runtime_error("the worker does not start: " + worker->err());
  return worker;
}

}  // namespace

void forget_surroundings() {
  for (const char* name : {"GITHUB_ACTIONS",
                           "GITHUB_WORKSPACE",
                           "GITHUB_STEP_SUMMARY",
                           "NO_COLOR",
                           "LC_ALL",
                           "LC_CTYPE",
                           "LANG",
                           "TERM_PROGRAM",
                           "WT_SESSION",
                           "ConEmuANSI",
                           "FLOWRUN_JOURNAL",
                           "XDG_STATE_HOME",
                           "FLOWRUN_JOBS",
                           "FLOWRUN_PROGRESS",
                           "FLOWRUN_LOGS",
                           "MAKEFLAGS",
                           "TRACEPARENT",
                           "TRACESTATE",
                           "OTEL_SDK_DISABLED",
                           "OTEL_TRACES_EXPORTER",
                           "OTEL_SERVICE_NAME",
                           "OTEL_RESOURCE_ATTRIBUTES",
                           "OTEL_EXPORTER_OTLP_ENDPOINT",
                           "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                           "OTEL_EXPORTER_OTLP_HEADERS",
                           "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
                           "OTEL_EXPORTER_OTLP_TIMEOUT",
                           "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
                           "OTEL_EXPORTER_OTLP_PROTOCOL",
                           "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"})
    unsetenv(name);
}

Background::Background(const std::vector<std::string>& argv, const HowToRun& how) {
  std::string pattern = (std::filesystem::temp_directory_path() / "flowrun-process-XXXXXX").string();
  folder_ = mkdtemp(pattern.data());
  std::ofstream(folder_ + "/in", std::ios::binary) << how.stdin_text;

  std::vector<std::string> env;
  for (char** variable = environ; *variable; ++variable) {
    std::string text = *variable, name = text.substr(0, text.find('='));
    bool gone = name.rfind("FLOWRUN_", 0) == 0 || how.env.count(name) ||
                std::find(how.without.begin(), how.without.end(), name) != how.without.end();
    if (!gone) env.push_back(text);
  }
  for (const auto& [name, value] : how.env) env.push_back(name + "=" + value);
  std::vector<char*> arguments, variables;
  for (const std::string& text : argv) arguments.push_back(const_cast<char*>(text.c_str()));
  for (const std::string& text : env) variables.push_back(const_cast<char*>(text.c_str()));
  arguments.push_back(nullptr);
  variables.push_back(nullptr);
  std::string in = folder_ + "/in", out = folder_ + "/out", err = folder_ + "/err";

  pid_ = ::fork();
  if (pid_ == 0) {
    int input = open(in.c_str(), O_RDONLY), output = open(out.c_str(), O_WRONLY | O_CREAT, 0600),
        errors = open(err.c_str(), O_WRONLY | O_CREAT, 0600);
    dup2(input, 0);
    dup2(output, 1);
    dup2(errors, 2);
    for (int descriptor : {input, output, errors})
      if (descriptor > 2) close(descriptor);
    if (how.close_stdout) {
      int full = open("/dev/full", O_WRONLY);
      dup2(full, 1);
    }
    if (!how.cwd.empty() && chdir(how.cwd.c_str()) != 0) _exit(126);
    for (int ignored : {SIGPIPE, SIGHUP}) ::signal(ignored, SIG_DFL);  // nohup ignores the latter
    execve(arguments[0], arguments.data(), variables.data());
    _exit(127);
  }
  if (pid_ < 0) throw std::runtime_error("fork failed");
}

Background::~Background() {
  if (!over_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Background::take_status(int status) {
  over_ = true;
  code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Background::signal(int number) const { kill(pid_, number); }

bool Background::running() {
  if (over_) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) take_status(status);
  return !over_;
}

Ran Background::wait(std::chrono::seconds patience) {
  auto until = std::chrono::steady_clock::now() + patience;
  while (running()) {
    if (std::chrono::steady_clock::now() > until) {
      kill(pid_, SIGKILL);
      int status = 0;
      waitpid(pid_, &status, 0);
      take_status(status);
      throw std::runtime_error("a program did not end in time; its stderr: " + err());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return {code_, out(), err()};
}

std::string Background::out() const { return whole(folder_ + "/out"); }
std::string Background::err() const { return whole(folder_ + "/err"); }

bool alive(int pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string stat((std::istreambuf_iterator<char>(in)), {});
  std::size_t behind = stat.rfind(')');
  return behind != stat.npos && stat.size() > behind + 2 && stat[behind + 2] != 'Z';
}

Ran run(const std::vector<std::string>& argv, const HowToRun& how) { return Background(argv, how).wait(); }

Ran flowrun(const std::string& journal, std::vector<std::string> args, const HowToRun& how) {
  const char* on = std::getenv("FLOWRUN_TESTS_ON");
  const bool elsewhere = on && drives(args);
  // In front: behind a `--` it would be a word of the command that is run, and the journal be that of the person.
  args.insert(args.begin(), {FLOWRUN_BINARY, "--journal", journal});
  if (!elsewhere) return run(args, how);
  const auto worker = worker_at(std::getenv("FLOWRUN_TESTS_WORKER"), how);
  HowToRun there = how;
  there.env["FLOWRUN_ON"] = on;
  Ran ran = run(args, there);
  worker->signal(SIGTERM);
  if (const Ran ended = worker->wait(); ended.code != 0)
    throw std::runtime_error("the worker ended with " + std::to_string(ended.code) + ": " + ended.err);
  return ran;
}

}  // namespace flowrun::test

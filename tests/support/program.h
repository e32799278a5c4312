// Real programs for tests: run to the end, or started, killed and waited for.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace flowrun::test {

/// Takes from this process, and so from all that it starts, the variables that change what flowrun shows and where it
/// writes: who runs the tests may be a job of a CI system, or use another language.
void forget_surroundings();

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Whether |holds| comes to be true within a minute.
template <typename Holds>
bool soon(Holds holds) {
  for (int i = 0; i < 6000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

/// Neither gone nor a zombie.
bool alive(int pid);

struct Ran {
  int code = -1;  ///< exit code, or 128 + signal
  std::string out, err;
};

struct HowToRun {
  std::string stdin_text;
  std::map<std::string, std::string> env;  ///< on top of ours; FLOWRUN_* of ours are taken away
  std::vector<std::string> without;        ///< variables taken away
  std::string cwd;
  bool close_stdout = false;
};

/// A program in the background with its output in files of its own.
class Background {
 public:
  Background(const std::vector<std::string>& argv, const HowToRun& how = {});
  ~Background();  ///< killed if it still runs
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  int pid() const { return pid_; }
  void signal(int number) const;
  bool running();
  /// Waits for the end, at most |patience|; then it is killed and the test fails.
  Ran wait(std::chrono::seconds patience = std::chrono::seconds(120));
  std::string out() const;
  std::string err() const;

 private:
  void take_status(int status);
  int pid_ = -1;
  int code_ = -1;
  bool over_ = false;
  std::string folder_;
};

Ran run(const std::vector<std::string>& argv, const HowToRun& how = {});
/// The flowrun binary with |args|; the journal is |journal|. With FLOWRUN_TESTS_ON around the tests, which only
/// tests/cli/restate_suite_test.cpp sets, steps are carried out by a worker that it starts for as long, in the same
/// surroundings.
Ran flowrun(const std::string& journal, std::vector<std::string> args, const HowToRun& how = {});

}  // namespace flowrun::test

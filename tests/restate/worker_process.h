// A real `flowrun worker` on a free port, with a journal's folder of its own.
#pragma once

#include <signal.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/model/task_text.h"
#include "engine/restate/step_call.h"
#include "tests/restate/raw_http.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test {

class WorkerProcess {
 public:
  /// |folder|: where its files are and its working directory.
  explicit WorkerProcess(const std::string& folder, std::vector<std::string> options = {}, HowToRun how = {}) {
    std::vector<std::string> argv{FLOWRUN_BINARY, "--journal", folder + "/journal.db", "worker", "--listen",
                                  "127.0.0.1:0",  "-v"};
    argv.insert(argv.end(), options.begin(), options.end());
    if (how.cwd.empty()) how.cwd = folder;
    program_ = std::make_unique<Background>(argv, how);
    const std::string word = "listens at 127.0.0.1:";
    for (int i = 0; i < 2000 && port_ == 0; ++i) {
      const std::string said = program_->err();
      if (const std::size_t at = said.find(word); at != said.npos && said.find('\n', at) != said.npos)
        port_ = std::stoi(said.substr(at + word.size()));
      else
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    REQUIRE(port_ > 0);
  }

  int port() const { return port_; }
  Background& program() { return *program_; }
  /// Waits until it has said |text|.
  bool says(const std::string& text) const {
    for (int i = 0; i < 1000; ++i) {
      if (program_->err().find(text) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  /// Tells it to end, and waits for that.
  Ran end() {
    program_->signal(SIGTERM);
    return program_->wait();
  }

 private:
  std::unique_ptr<Background> program_;
  int port_ = 0;
};

inline restate::StepCall shell_call(const std::string& script, const std::string& path = "step") {
  restate::StepCall call;
  call.run_id = "run-1";
  call.task.path = path;
  Process process;
  process.argv = {"/bin/sh", "-c", script};
  call.task.work = process;
  return call;
}

inline std::string step_post(const restate::StepCall& call, const std::string& id = "inv_1",
                             std::uint32_t retries = 0) {
  return post_text("/invoke/flowrun/step", invocation_frames(id, restate::to_text(call), retries));
}

/// The end of an attempt that |answer| tells of.
inline TaskEnded end_in(const RawAnswer& answer) {
  INFO(answer.head << answer.body);
  REQUIRE(answer.status == 200);
  return std::get<TaskEnded>(ended_from_text(output_in(answer.body)).fact);
}

}  // namespace flowrun::test

// A real Restate server for tests, and what stands around it: workers of the real binary, and nginx in front of them.
// All of it listens on free ports of 127.0.0.1, keeps its files in folders of its own, and ends with the test.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/model/value.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test {

/// Why no server can be started here; empty: one can. The binary is that of $FLOWRUN_RESTATE_SERVER, else
/// `restate-server` along PATH, else what `./dev test --restate` put below the build folder. Throws with the reason
/// where $FLOWRUN_RESTATE_REQUIRED is set, as it is there.
std::string why_no_restate();

/// That nobody listens at now, and that is not given to an outgoing connection either.
int listening_port();

/// What |url| answers to |method| with |body|; the status stands before the body: `200 {...}`. Empty: nobody answered.
std::string asked(const std::string& method, const std::string& url, const std::string& body = "",
                  const std::map<std::string, std::string>& headers = {});

class Restate {
 public:
  /// Waits until it is healthy. |env|: more of its settings, as `RESTATE_...`.
  explicit Restate(std::map<std::string, std::string> env = {});

  std::string ingress() const;
  std::string admin() const;
  /// What `--on` is told.
  std::string on() const { return "restate=" + ingress() + ",admin=" + admin(); }
  /// Makes the handlers at |url| known, as `restate deployments register --use-http1.1` does.
  void deploy(const std::string& url) const;
  void kill();  ///< -9; what it has written stays
  void start();
  /// Rows that its SQL answers.
  Json query(const std::string& sql) const;
  std::string log() const { return process_ ? process_->out() + process_->err() : ""; }
  bool running() { return process_ && process_->running(); }

 private:
  bool answers_queries() const;
  TempDir dir_;
  std::map<std::string, std::string> env_;
  int ingress_, admin_, node_;
  std::unique_ptr<Background> process_;
};

/// `flowrun worker`.
class StepWorker {
 public:
  /// |options| behind `flowrun worker --listen ...`.
  explicit StepWorker(std::vector<std::string> options = {}, HowToRun how = {});

  int port() const { return port_; }
  std::string url() const;
  void kill();  ///< -9
  void start();
  Background& process() { return *process_; }

 private:
  std::vector<std::string> options_;
  HowToRun how_;
  int port_;
  std::unique_ptr<Background> process_;
};

/// nginx as workflows/restate/nginx.conf has it, in front of two workers.
class Balancer {
 public:
  Balancer(int first, int second);
  std::string url() const;
  std::string log() const { return process_->err(); }

 private:
  TempDir dir_;
  int port_;
  std::unique_ptr<Background> process_;
};

/// A server that knows two workers behind nginx.
struct Fleet {
  explicit Fleet(std::vector<std::string> worker_options = {}, HowToRun how = {},
                 std::map<std::string, std::string> server_env = {});
  Restate server;
  StepWorker one, two;
  Balancer balancer;
};

}  // namespace flowrun::test

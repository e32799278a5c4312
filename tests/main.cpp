// The test runner. As `__jq FD PID` it is the evaluator's child process, which the engine starts from its own file.
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#include <catch2/catch_test_case_info.hpp>
#include <catch2/interfaces/catch_interfaces_registry_hub.hpp>
#include <catch2/internal/catch_test_case_registry_impl.hpp>
#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
namespace Catch {
using EventListenerBase = TestEventListenerBase;
}
#endif

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "engine/jq/jq.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace {

std::size_t g_cases = 0;  // that will run

/// How far the tests are, on standard error: a line every few seconds.
class Progress : public Catch::EventListenerBase {
 public:
  using Catch::EventListenerBase::EventListenerBase;
  void testCaseStarting(const Catch::TestCaseInfo& test) override {
    const auto now = std::chrono::steady_clock::now();
    if (now - told_at_ > std::chrono::seconds(10)) {
      told_at_ = now;
      std::fprintf(stderr, "tests: %zu of %zu, now: %s\n", done_, std::max(done_ + 1, g_cases), test.name.c_str());
    }
    ++done_;
  }

 private:
  std::chrono::steady_clock::time_point told_at_ = std::chrono::steady_clock::now();
  std::size_t done_ = 0;
};
CATCH_REGISTER_LISTENER(Progress)

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], "__jq") == 0) return flowrun::serve_jq(std::atoi(argv[2]), std::atoi(argv[3]));
  signal(SIGPIPE, SIG_IGN);
  flowrun::test::forget_surroundings();
  // Whose home it is may have a journal in it.
  const flowrun::test::TempDir home;
  setenv("HOME", home.path().c_str(), 1);
  Catch::Session session;
  if (const int wrong = session.applyCommandLine(argc, argv)) return wrong;
  Catch::IConfig& config = session.config();
  g_cases = Catch::filterTests(Catch::getAllTestCasesSorted(config), config.testSpec(), config).size();
  const int failed = session.run();
  if (!std::filesystem::exists(home.path(".local/state/flowrun/journal.db"))) return failed;
  std::fputs("a test has used the journal at home, where it should name one of its own\n", stderr);
  return failed > 0 ? failed : 1;
}

// The test runner. As `__jq FD` it is the evaluator's child process, which the engine starts from its own program file.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

#include <signal.h>

#include <cstdlib>
#include <cstring>

#include "engine/jq/jq.h"

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "__jq") == 0) return flowrun::serve_jq(std::atoi(argv[2]));
  signal(SIGPIPE, SIG_IGN);
  return Catch::Session().run(argc, argv);
}

// Words that people guess: a file that has one is refused with the right word, where it stands.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "engine/model/diagnostics.h"
#include "engine/run/load.h"
#include "tests/support/catch.h"

namespace flowrun::test::guessed_words_test {
namespace {

/// What is said of the workflow with the step |step|, or with |top| at the top.
std::string said(const std::string& step, const std::string& top = "") {
  Diagnostics diagnostics({"w.yaml", "flowrun: 1\n" + top + "steps:\n  a: { " + step + " }\n"});
  INFO(step << top);
  CHECK_FALSE(load("/nowhere/w.yaml", diagnostics));
  return diagnostics.text();
}

struct Guess {
  const char* written;
  const char* meant;  ///< in what is said
};

}  // namespace

TEST_CASE("keys of a request, a process or a group that people guess get the right word") {
  const std::vector<Guess> requests{
      {"data: 1", "`json`, `form`, `text`"},
      {"params: {}", "`query`"},
      {"status: 201", "`expect`"},
      {"insecure: true", "`tls: { verify: false }`"},
      {"register: x", "`$steps.NAME`"},
      {"parse: json", "`response: json`"},
      {"compensate: x", "`undo`"},
      {"always: true", "`finally`"},
      {"rate_limit: 5", "`limit`"},
      {"throttle: 5", "`limit`"},
      {"workers: 5", "`limit`"},
      {"max_parallel: 5", "`limit`"},
      {"dir: x", "`cwd`"},
      {"variables: {}", "`vars`"},
      {"allow_failures: 2", "tolerate"},
      {"retry: { max: 3 }", "`attempts`"},
      {"retry: { count: 3 }", "`attempts`"},
      {"retry: { times: 3 }", "`attempts`"},
      {"retry: { on: 500 }", "`http.500`"},
      {"poll: { interval: 3s }", "`every`"},
      {"poll: { while: true }", "`until`"},
  };
  for (const Guess& guess : requests) {
    const std::string text = said(fmt::format("http: \"GET http://x/y\", {}", guess.written));
    INFO(guess.written << "\n" << text);
    CHECK(text.find(guess.meant) != std::string::npos);
  }
  const std::vector<Guess> groups{
      {"max_parallel: 3", "`concurrency`"},  {"workers: 3", "`concurrency`"},
      {"allow_failures: 1", "tolerate"},     {"join: any", "`first_success`"},
      {"join: first", "`first_success`"},    {"join: majority", "quorum: 51%"},
      {"join: { any: 1 }", "first_success"}, {"join: { majority: 1 }", "quorum: 51%"},
  };
  for (const Guess& guess : groups) {
    const std::string text = said(fmt::format("for_each: [1], do: {{ set: 1 }}, {}", guess.written));
    INFO(guess.written << "\n" << text);
    CHECK(text.find(guess.meant) != std::string::npos);
  }
}

TEST_CASE("kinds that people guess or misspell get the right one") {
  const std::vector<Guess> kinds{
      {"sh: x", "`shell`"},         {"bash: x", "`shell`"},
      {"curl: x", "`http`"},        {"each: [1]", "`for_each`"},
      {"include: x", "`workflow`"}, {"assert: x", "`fail`"},
      {"approve: x", "`wait`"},     {"shel: x", "`shell`"},
      {"htpp: x", "`http`"},        {"for-each: [1]", "`for_each`"},
  };
  for (const Guess& guess : kinds) {
    const std::string text = said(guess.written);
    INFO(guess.written << "\n" << text);
    CHECK(text.find(guess.meant) != std::string::npos);
  }
}

TEST_CASE("keys at the top that people guess get the right word") {
  const std::vector<Guess> keys{
      {"variables: {}", "`vars`"},
      {"always: {}", "`finally`"},
      {"workers: 3", "`concurrency`"},
      {"max_parallel: 3", "`concurrency`"},
      {"dir: x", "`cwd`"},
      {"throttle: 5", "`limits:"},
      {"params: {}", "`input`"},
  };
  for (const Guess& guess : keys) {
    const std::string text = said("set: 1", std::string(guess.written) + "\n");
    INFO(guess.written << "\n" << text);
    CHECK(text.find(guess.meant) != std::string::npos);
  }
}

}  // namespace flowrun::test::guessed_words_test

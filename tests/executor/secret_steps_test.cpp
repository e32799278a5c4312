// Steps whose output stays with the executor, and those that need it: real processes.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/executor/line_file.h"
#include "tests/executor/http_server.h"
#include "tests/executor/pool.h"
#include "tests/support/program.h"

namespace flowrun::test::secret_steps_test {
namespace {

namespace fs = std::filesystem;

const std::string kSays = R"(echo x >> logins; n=$(wc -l < logins); printf '{"token":"tok-%s-abcdef","no":null}' $n)";

Task in_folder(const Pool& pool, Task task) {
  process_of(task).cwd = pool.folder().path();
  return task;
}

Task login(const Pool& pool, const std::string& script = kSays) {
  Task task = in_folder(pool, shell(script, "login"));
  process_of(task).capture = Process::Capture::Json;
  task.secret_output.emplace();
  task.idempotency_key = "key";
  return task;
}

/// Says the part |within| of the output of the step `login`.
Task use(const Pool& pool, const std::string& within = "/token", const std::string& path = "use",
         const std::string& of = "login") {
  Task task = in_folder(pool, exec({"printenv", "T"}, path));
  process_of(task).env = {{"T", ""}};
  TaskPlaceholder placeholder{TaskPlaceholder::In::Variable, 0, {0, secret_name_of(of)}};
  placeholder.placeholder.within = within;
  process_of(task).placeholders = {placeholder};
  return task;
}

/// Begins that as a strict step does, whose place is held for it before.
void begin_strictly(Pool& pool) {
  pool.executor().reserve({"use", true});
  REQUIRE(soon([&] {
    pool.listen(Duration{20});
    return pool.reserved().size() == 1;
  }));
  Task strict = use(pool);
  strict.strict = true;
  pool.executor().begin(strict);
}

std::string content(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// What happens until the attempt of |path| has ended.
std::vector<Event> until_end(Pool& pool, const std::string& path) {
  std::vector<Event> all;
  const bool over = soon([&] {
    std::vector<Event> happened;
    pool.executor().wait(happened, Duration{100});
    pool.executor().acted();
    all.insert(all.end(), happened.begin(), happened.end());
    return std::any_of(all.begin(), all.end(), [&](const Event& event) {
      const auto* ended = std::get_if<TaskEnded>(&event.fact);
      return ended && ended->path == path;
    });
  });
  REQUIRE(over);
  return all;
}

const Result& result_in(const std::vector<Event>& events, const std::string& path) {
  for (const Event& event : events)
    if (const auto* ended = std::get_if<TaskEnded>(&event.fact); ended && ended->path == path) return ended->result;
  FAIL("no end of " + path);
  throw 0;
}

const SecretRead* read_in(const std::vector<Event>& events) {
  for (const Event& event : events)
    if (const auto* read = std::get_if<SecretRead>(&event.fact)) return read;
  return nullptr;
}

}  // namespace

TEST_CASE("a secret output stays with the executor, reaches who needs it, and is masked from then on", "[secrets]") {
  Pool pool(Pool::SecretOutputs{});
  const Result in = pool.run(login(pool));
  CHECK(in.value.text() == "\"***\"");
  CHECK(pool.run(use(pool)).value.text() == "\"***\"");
  // The number is the real thing.
  CHECK(pool.run(in_folder(pool, shell("cat logins; echo tok-1-abcdef tok-2-abcdef"))).value.text() ==
        R"("x\n*** tok-2-abcdef")");
  CHECK(pool.run(login(pool)).ok());
  Task compares = use(pool);
  process_of(compares).argv = {"sh", "-c", "[ \"$T\" = tok-2-abcdef ]"};
  CHECK(pool.run(compares).ok());
  pool.close();
  for (const auto& entry : fs::recursive_directory_iterator(pool.folder().path()))
    if (entry.is_regular_file()) CHECK_FALSE(has(content(entry.path().string()), "tok-1-abcdef"));
}

TEST_CASE("what a step with a secret output says is in no log, also when it fails", "[secrets]") {
  Pool pool(Pool::SecretOutputs{});
  Result failed = pool.run(login(pool, "echo tok-abcdef; echo tok-abcdef >&2; echo no > $FLOWRUN_OUTPUT"));
  REQUIRE(failed.failure);
  CHECK(failed.failure->type == "parse");
  CHECK_FALSE(has(failed.failure->message + failed.failure->detail.text() + failed.value.text(), "abcdef"));
  failed = pool.run(login(pool, "echo token: tok-abcdef; echo why >&2; echo + curl -u tok-abcdef >&2; exit 4"));
  REQUIRE(failed.failure);
  CHECK(failed.failure->type == "exit.4");
  CHECK(failed.failure->detail.text() == R"({"exit_code":4})");
  CHECK(has(failed.failure->message, "exited with 4"));
  CHECK_FALSE(has(failed.failure->detail.text() + failed.value.text(), "abcdef"));
  CHECK(logged(pool.run_dir()).empty());
}

TEST_CASE("of an answer that is an error the status alone is told, and not where it leads", "[secrets]") {
  HttpServer server;
  const auto answer = [](int status) {
    return [status](const httplib::Request&, httplib::Response& response) {
      response.status = status;
      response.set_header("Set-Cookie", "tok-abcdef");
      if (status == 201) response.set_header("Content-Encoding", "tok-abcdef");
      if (status == 302) response.set_header("Location", "/gone?code=tok-abcdef");
      if (status == 303) response.set_header("Location", "ftp://tok-abcdef.invalid/");
      if (status == 307) response.set_header("Location", "http://tok-abcdef.invalid/");
      response.set_content(R"({"token": "tok-abcdef"})", "application/json");
    };
  };
  server.Get("/ok", answer(200));
  server.Get("/no", answer(401));
  server.Get("/away", answer(302));
  server.Get("/gone", answer(404));
  server.Get("/files", answer(303));
  server.Get("/packed", answer(201));
  server.Get("/nowhere", answer(307));
  server.start();
  Pool pool(Pool::SecretOutputs{});
  for (const auto& [path, type] : std::vector<std::pair<std::string, std::string>>{{"/ok", "http.200"},
                                                                                   {"/no", "http.401"},
                                                                                   {"/away", "http.404"},
                                                                                   {"/files", ""},
                                                                                   {"/nowhere", ""},
                                                                                   {"/packed", ""}}) {
    INFO(path);
    Task task;
    task.path = "login";
    HttpRequest request;
    request.url = server.url(path);
    request.expect = {{201, 201}};
    task.work = request;
    task.secret_output.emplace();
    const Result result = pool.run(task);
    REQUIRE(result.failure);
    if (path != "/packed") CHECK(has(result.failure->message, path));
    CHECK_FALSE(has(result.failure->message + result.failure->detail.text() + result.value.text(), "abcdef"));
    if (type.empty()) continue;  // it led elsewhere, or can not be read
    CHECK(result.failure->type == type);
    CHECK(result.failure->detail.text() == R"({"http":{"status":)" + type.substr(5) + "}}");
  }
  Task task;
  task.path = "login";
  HttpRequest request;
  request.url = server.url("/ok");
  task.work = request;
  task.secret_output = SecretOutput{true, "/headers/nothing"};
  const Result result = pool.run(task);
  REQUIRE(result.failure);
  CHECK(has(result.failure->message, "`output` finds nothing"));
}

TEST_CASE("a part that is not there fails who needs it, without a word of what is there", "[secrets]") {
  Pool pool(Pool::SecretOutputs{});
  CHECK(pool.run(login(pool)).ok());
  for (const auto& [within, words] : std::vector<std::pair<std::string, std::string>>{
           {"/other", "has no `.other`"},
           {"/no", "is null at `.no`"},
           {"", "is an object; name a part of it, such as `${ $steps.login.token }`"},
           {"/99999999999999999999999", "has no `[99999999999999999999999]`"},
           {"/a~1b/~0", "has no `[\"a/b\"][\"~\"]`"},
           {"/token/0", "has no `.token[0]`"}}) {
    const Result result = pool.run(use(pool, within));
    INFO(within);
    REQUIRE(result.failure);
    CHECK(result.failure->type == "expression");
    CHECK(has(result.failure->message, words));
    CHECK_FALSE(has(result.failure->message, "abcdef"));
  }
}

TEST_CASE("an output of an earlier drive is read again, once, before who needs it begins", "[secrets]") {
  Pool pool(Pool::SecretOutputs{});
  pool.executor().remember(login(pool));
  for (int i = 0; i < 5; ++i) pool.executor().begin(use(pool, "/token", "use" + std::to_string(i)));
  CHECK(pool.executor().in_line() >= 5);
  bool told = false;
  std::size_t ends = 0;
  CHECK(soon([&] {
    std::vector<Event> happened;
    pool.executor().wait(happened, Duration{100});
    pool.executor().acted();
    for (const Event& event : happened) {
      if (const auto* read = std::get_if<SecretRead>(&event.fact)) {
        CHECK(read->path == "login");
        CHECK_FALSE(read->failure);
        CHECK_FALSE(std::exchange(told, true));
        CHECK(ends == 0);
      } else if (const auto* ended = std::get_if<TaskEnded>(&event.fact)) {
        CHECK(ended->path != "login");
        CHECK(ended->result.value.text() == "\"***\"");
        ++ends;
      }
    }
    return ends == 5;
  }));
  CHECK(told);
  CHECK(content(pool.folder().path("logins")) == "x\n");
}

TEST_CASE("an output that needs another one is read after it", "[secrets]") {
  Pool pool(Pool::SecretOutputs{});
  pool.executor().remember(login(pool));
  Task second = use(pool, "/token", "second");
  process_of(second).argv = {"sh", "-c", "printf 'from-%s' \"$T\""};
  second.secret_output.emplace();
  pool.executor().remember(second);
  Task last = use(pool, "", "last", "second");
  process_of(last).argv = {"sh", "-c", "[ \"$T\" = from-tok-1-abcdef ]"};
  pool.executor().begin(last);
  const auto events = until_end(pool, "last");
  CHECK(result_in(events, "last").ok());
  CHECK(events.size() == 3);
}

TEST_CASE("an output that can not be read again fails who needs it, with the type of its error", "[secrets]") {
  Pool pool(Pool::SecretOutputs{});
  Task reads = login(pool, "exit 75");
  pool.executor().remember(reads);
  pool.executor().begin(use(pool));
  auto events = until_end(pool, "use");
  REQUIRE(result_in(events, "use").failure);
  CHECK(result_in(events, "use").failure->type == "exit.75");
  CHECK(has(result_in(events, "use").failure->message, "the secret output of login could not be read again: exited"));
  CHECK_FALSE(result_in(events, "use").sent);
  REQUIRE(read_in(events));
  CHECK(read_in(events)->failure);
  // The next attempt reads it once more.
  pool.executor().remember(login(pool));
  Task again = use(pool);
  again.attempt = 2;
  pool.executor().begin(again);
  CHECK(result_in(until_end(pool, "use"), "use").ok());
  // Nobody knows the step.
  pool.executor().begin(use(pool, "", "lost", "nowhere"));
  events = until_end(pool, "lost");
  REQUIRE(result_in(events, "lost").failure);
  CHECK(result_in(events, "lost").failure->type == "secret");
}

TEST_CASE("who waits for a secret output can be stopped and withdrawn, and stands in line meanwhile", "[secrets]") {
  Pool pool(Pool::SecretOutputs{});
  pool.executor().remember(login(pool, "while [ ! -e go ]; do sleep 0.02; done; " + kSays));
  for (const char* path : {"stopped", "withdrawn", "left"}) pool.executor().begin(use(pool, "/token", path));
  const LeftInLine line(pool.run_dir(), pool.options().token);
  for (const char* path : {"stopped", "withdrawn", "left"}) CHECK(line.holds(path, 1));
  pool.executor().stop("stopped", 1);
  CHECK(pool.ended(1).at("stopped").failure->type == "cancelled");
  pool.executor().withdraw("withdrawn");
  CHECK(soon([&] {
    pool.listen(Duration{100});
    return pool.withdrawn() == std::vector<std::string>{"withdrawn"};
  }));
  // The machine begins the step itself while it is read again.
  Task own = login(pool);
  own.attempt = 2;
  pool.executor().begin(own);
  CHECK(pool.ended(2).at("left").ok());
  // What was being read was stopped: the step does that by itself.
  CHECK(content(pool.folder().path("logins")) == "x\n");
}

TEST_CASE("what is read again needs no place", "[secrets]") {
  Pool pool(Pool::SecretOutputs{}, 1);
  pool.executor().remember(login(pool));
  begin_strictly(pool);
  CHECK(pool.ended(1).at("use").ok());
}

TEST_CASE("what nobody needs any more is not read to its end, and read again for who comes then", "[secrets]") {
  Pool pool(Pool::SecretOutputs{});
  pool.executor().remember(
      login(pool, "trap 'touch stopped; exit 1' TERM; touch here; while [ ! -e go ]; do sleep 0.02; done; " + kSays));
  pool.executor().begin(use(pool));
  REQUIRE(soon([&] { return fs::exists(pool.folder().path("here")); }));
  pool.executor().stop("use", 1);
  Task next = use(pool, "/token", "next");
  if (GENERATE(false, true)) {
    CHECK(pool.ended(1).contains("use"));
    REQUIRE(soon([&] { return fs::exists(pool.folder().path("stopped")); }));
    pool.listen(Duration{50});
    pool.executor().begin(next);
  } else {
    pool.executor().begin(next);  // while it is being stopped
    CHECK(pool.ended(1).contains("use"));
  }
  REQUIRE(soon([&] {
    pool.listen(Duration{10});
    return fs::exists(pool.folder().path("stopped"));
  }));
  pool.folder().write("go", "");
  CHECK(pool.ended(1).at("next").ok());
  CHECK(pool.order().size() == 2);
}

TEST_CASE("the place of a strict step that waits for a secret output in vain is free", "[secrets]") {
  for (const bool withdrawn : {false, true}) {
    Pool pool(Pool::SecretOutputs{}, 1);
    pool.executor().remember(login(pool, withdrawn ? "while [ ! -e go ]; do sleep 0.02; done" : "exit 1"));
    begin_strictly(pool);
    if (withdrawn) {
      pool.executor().withdraw("use");
      pool.folder().write("go", "");
    }
    pool.executor().begin(in_folder(pool, exec({"true"}, "next")));
    const auto ends = pool.ended(withdrawn ? 1 : 2);
    CHECK(ends.at("next").ok());
    if (!withdrawn) CHECK(ends.at("use").failure->type == "exit.1");
  }
}

TEST_CASE("when everything is stopped nothing is read again, and each is told once", "[secrets]") {
  for (int round = 0; round < 10; ++round) {
    Pool pool(Pool::SecretOutputs{});
    pool.executor().remember(login(pool, "sleep 60"));
    Task second = use(pool, "/token", "second");
    second.secret_output.emplace();
    pool.executor().remember(second);
    pool.executor().begin(use(pool));
    pool.executor().begin(use(pool, "", "last", "second"));
    if (round % 2 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(round * 5));
    pool.executor().stop_all(Duration{1000});
    const auto ends = pool.ended(2);
    CHECK(ends.at("use").failure->type == "cancelled");
    CHECK(ends.at("last").failure->type == "cancelled");
    pool.listen(Duration{50});
    CHECK(pool.order().size() == 2);
  }
}

}  // namespace flowrun::test::secret_steps_test

// What a worker answers to those who are not a server, or no good one: it says what is wrong, and lives on.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "engine/model/value.h"
#include "tests/restate/signing_key.h"
#include "tests/restate/worker_process.h"

namespace flowrun::test::bad_requests_test {
namespace {

using namespace std::chrono_literals;

const std::string kStep = "/invoke/flowrun/step";

/// What |worker| answers to |bytes| on a connection of their own.
RawAnswer ask(const WorkerProcess& worker, const std::string& bytes) {
  RawConnection connection(worker.port());
  connection.send(bytes);
  return connection.answer();
}

/// |worker| carries out a step.
bool works(const WorkerProcess& worker) {
  const RawAnswer answer = ask(worker, step_post(shell_call("echo well"), "inv_works"));
  return answer.status == 200 && end_in(answer).result.value.json() == "well";
}

std::string input_of(const std::string& text) { return post_text(kStep, invocation_frames("inv_1", text)); }

}  // namespace

TEST_CASE("a worker refuses what it has not, and requests that are none") {
  TempDir folder;
  WorkerProcess worker(folder.path());
  const std::string frames = invocation_frames("inv_1", "{}");
  const auto get = [](const std::string& path, const std::string& headers = "") {
    return "GET " + path + " HTTP/1.1\r\nhost: a\r\n" + headers + "\r\n";
  };
  struct Row {
    std::string bytes;
    int status;
    std::string says;
  };
  const std::vector<Row> rows = {
      {get("/"), 404, "/discover"},
      {get("/favicon.ico"), 404, ""},
      {get(kStep), 405, "allow: POST"},
      {post_text("/discover", ""), 405, "allow: GET"},
      {get("/discover", "accept: application/vnd.restate.endpointmanifest.v9+json\r\n"), 415, "v3+json"},
      {post_text("/invoke/flowrun/other", frames), 404, "flowrun/other"},
      {post_text("/invoke/flowrun-gpu/step", frames), 404, "flowrun-gpu/step"},
      {post_text("/invoke/../step", frames), 404, ""},
      {post_text(kStep, frames, "", "application/vnd.restate.invocation.v4"), 415, "versions 5 to 7"},
      {post_text(kStep, frames, "", "application/vnd.restate.invocation.v8"), 415, "versions 5 to 7"},
      {post_text(kStep, frames, "", "application/json"), 415, ""},
      {post_text(kStep, ""), 400, "Start and Input"},
      {post_text(kStep, frames.substr(0, frames.size() - 1)), 400, "ends early"},
      {post_text(kStep, frames.substr(0, 5)), 400, "in its header"},
      {post_text(kStep, std::string(8, '\xff')), 400, ""},
      {post_text(kStep, std::string(4096, '\0')), 400, ""},
      {"POST " + kStep + " HTTP/1.1\r\nhost: a\r\ncontent-length: 536870913\r\n\r\n", 413, "longer than"},
      {"GET / HTTP/1.1\r\nhost: a\r\nx: " + std::string(70'000, 'x') + "\r\n\r\n", 431, ""},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "use_http_11"},
      {"\x16\x03\x01\x02\x01\x01\x0a", 400, ""},
  };
  for (const Row& row : rows) {
    const RawAnswer answer = ask(worker, row.bytes);
    INFO(row.bytes.substr(0, 200));
    CHECK(answer.status == row.status);
    CHECK((answer.head + answer.body).find(row.says) != std::string::npos);
  }
  CHECK(works(worker));
  CHECK(worker.says("refused a request with 505"));
}

TEST_CASE("a call that is none, or of a newer flowrun, is a failure that is not tried again") {
  TempDir folder;
  WorkerProcess worker(folder.path());
  const auto said = [&](const std::string& text) { return output_in(ask(worker, input_of(text)).body); };
  for (const char* text :
       {"", "{}", "[]", "nonsense", R"({"version":1})", R"({"version":1,"run":"r","task":{}})",
        R"({"version":1,"run":"r","task":{"path":"a"}})",
        R"({"version":1,"run":"r","task":{"path":"a","process":{"argv":[]}}})",
        R"({"version":1,"run":"","task":{"path":"a","process":{"argv":["true"]}}})",
        R"({"version":1,"run":"r","task":{"path":"","process":{"argv":["true"]}}})",
        R"({"version":1,"run":"r","task":{"path":"a","timeout_ms":-1,"process":{"argv":["true"]}}})",
        R"({"version":1,"run":"r","task":{"path":"a","timeout_ms":9223372036854775807,"process":{"argv":["true"]}}})",
        R"({"version":1,"run":"r","task":{"path":"a","process":{"argv":["true"],"kill_grace_ms":-5}}})",
        R"({"version":1,"run":"r","task":{"path":"a","process":{"argv":["true"],"max_output":-5}}})",
        R"({"version":1,"run":"r","task":{"path":"a","http":{"url":"http://a/","max_redirects":-5}}})"}) {
    INFO(text);
    CHECK(said(text).starts_with("failure 400: "));
  }
  CHECK(said(R"({"version":99,"run":"r","task":{"path":"a","process":{"argv":["true"]}}})").find("version 99") !=
        std::string::npos);
  // Places where secrets go that are not there.
  for (const char* in : {"header", "variable", "body", "stdin", "url", "basic"})
    for (const char* work :
         {R"("process":{"argv":["true"],"env":[{"name":"A"}],)", R"("http":{"url":"http://127.0.0.1:1/",)"}) {
      const std::string call =
          std::string(R"({"version":1,"run":"r","secrets":[{"name":"s","from":"env","place":"HOME"}],)") +
          R"("task":{"path":"a",)" + work + R"("placeholders":[{"in":")" + in + R"(","secret":"s","at":999}]}}})";
      INFO(call);
      CHECK(said(call).starts_with("failure 400: "));
    }
  CHECK(works(worker));
}

TEST_CASE("a cancelled invocation, one that has its output, and a foreign journal") {
  TempDir folder;
  WorkerProcess worker(folder.path());
  const auto with = [&](restate::FrameType type, const std::string& message) {
    std::string start, frames;
    restate::FieldWriter fields(start);
    fields.bytes(2, "inv_1");
    fields.number(3, 2);
    restate::append_frame(frames, restate::FrameType::Start, start);
    restate::append_frame(frames, restate::FrameType::Input, "");
    restate::append_frame(frames, type, message);
    return ask(worker, post_text(kStep, frames)).body;
  };
  std::string cancel;
  restate::FieldWriter(cancel).number(2, restate::kCancelSignal);
  CHECK(output_in(with(restate::FrameType::Signal, cancel)) == "failure 409: cancelled");
  const auto end = restate::frames_of(with(restate::FrameType::Output, restate::output_message("x")));
  (void)end;
  CHECK(restate::frames_of(with(restate::FrameType::Output, restate::output_message("x"))).size() == 1);
  CHECK(output_in(with(restate::FrameType::Sleep, "")).starts_with("error: "));
}

TEST_CASE("random bytes, and requests with changed bytes, end no worker") {
  TempDir folder;
  WorkerProcess worker(folder.path());
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 dice(seed);
  for (int i = 0; i < 400; ++i) {
    restate::StepCall call = shell_call("true");
    std::string bytes = step_post(call, "inv_" + std::to_string(i));
    // Not the script: nobody knows what another one would do.
    const std::size_t script = bytes.find("/bin/sh");
    for (unsigned changes = 1 + dice() % 4; changes > 0; --changes) {
      const std::size_t at = dice() % bytes.size();
      if (at + 8 < script || at > script + 30) bytes[at] = static_cast<char>(dice());
    }
    if (dice() % 4 == 0) bytes.resize(dice() % bytes.size());
    RawConnection connection(worker.port());
    connection.send(bytes);
    if (dice() % 2) connection.answer(20);
  }
  CHECK(works(worker));
  CHECK(worker.program().running());
}

TEST_CASE("who asks without the key of a server is not answered, and who signs with it is") {
  TempDir folder;
  const SigningKey key;
  WorkerProcess worker(folder.path(), {"--key", key.name()});
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  const auto signed_by = [&](const SigningKey& by, const std::string& path) {
    return "x-restate-signature-scheme: v1\r\nx-restate-jwt-v1: " +
           by.token({{"aud", path}, {"nbf", now.count() - 60}, {"iat", now.count()}, {"exp", now.count() + 60}}) +
           "\r\n";
  };
  const std::string frames = invocation_frames("inv_1", restate::to_text(shell_call("echo let in; echo > been_here")));
  CHECK(ask(worker, post_text(kStep, frames)).status == 401);
  CHECK(ask(worker, "GET /discover HTTP/1.1\r\nhost: a\r\n\r\n").status == 401);
  CHECK(ask(worker, post_text(kStep, frames, signed_by(SigningKey(), kStep))).status == 401);
  CHECK(ask(worker, post_text(kStep, frames, signed_by(key, "/discover"))).status == 401);
  CHECK_FALSE(std::filesystem::exists(folder.path() + "/been_here"));
  CHECK(end_in(ask(worker, post_text(kStep, frames, signed_by(key, kStep)))).result.value.json() == "let in");
  CHECK(worker.says("refused a request with 401"));
}

TEST_CASE("a body comes in chunks, after a 100, in small pieces, or behind another request") {
  TempDir folder;
  WorkerProcess worker(folder.path());
  const std::string frames = invocation_frames("inv_1", restate::to_text(shell_call("echo well")));
  const std::string head =
      "POST " + kStep + " HTTP/1.1\r\nhost: a\r\ncontent-type: application/vnd.restate.invocation.v7\r\n";
  std::string chunks;
  for (std::size_t at = 0; at < frames.size(); at += 17) {
    const std::string piece = frames.substr(at, 17);
    chunks += (piece.size() == 17 ? "11" : fmt::format("{:X}", piece.size())) + "\r\n" + piece + "\r\n";
  }
  chunks += "0\r\n\r\n";
  const std::string chunked = head + "transfer-encoding: chunked\r\n\r\n" + chunks;
  RawConnection connection(worker.port());
  for (std::size_t at = 0; at < chunked.size(); at += 50) {
    connection.send(chunked.substr(at, 50));
    std::this_thread::sleep_for(1ms);
  }
  const RawAnswer answer = connection.answer();
  CHECK(end_in(answer).result.value.json() == "well");
  CHECK(answer.head.find("application/vnd.restate.invocation.v7") != std::string::npos);

  connection.send(head + fmt::format("expect: 100-continue\r\ncontent-length: {}\r\n\r\n", frames.size()));
  CHECK(connection.answer().status == 100);
  connection.send(frames);
  CHECK(end_in(connection.answer()).result.value.json() == "well");

  connection.send(chunked + chunked + "GET /discover HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
  CHECK(end_in(connection.answer()).result.value.json() == "well");
  CHECK(end_in(connection.answer()).result.value.json() == "well");
  CHECK(connection.answer().status == 200);
  CHECK(connection.closed(5000));
}

TEST_CASE("thousands of requests in one piece are answered one after the other") {
  TempDir folder;
  WorkerProcess worker(folder.path());
  constexpr int kMany = 3000;
  std::string all;
  for (int i = 0; i < kMany; ++i) all += "GET / HTTP/1.1\r\nhost:a\r\n\r\n";
  RawConnection connection(worker.port());
  REQUIRE(connection.send(all));
  int answers = 0;
  while (answers < kMany && connection.answer().status == 404) ++answers;
  CHECK(answers == kMany);
}

TEST_CASE("a client that sends its request slowly is told 408, and others are served meanwhile", "[timing]") {
  TempDir folder;
  WorkerProcess worker(folder.path());
  RawConnection slow(worker.port());
  slow.send("POST " + kStep + " HTTP/1.1\r\nhost: ");
  const auto begun = std::chrono::steady_clock::now();
  CHECK(works(worker));
  CHECK(slow.answer(20'000).status == 408);
  const auto took = std::chrono::steady_clock::now() - begun;
  CHECK(took > 9s);
  CHECK(took < 15s);
  CHECK(slow.closed(5000));
}

TEST_CASE("a long answer is taken as slowly as the server likes") {
  TempDir folder;
  WorkerProcess worker(folder.path());
  restate::StepCall call = shell_call("head -c 5000000 /dev/zero | tr '\\0' a");
  std::get<Process>(*call.task.work).max_output = 8'000'000;
  RawConnection connection(worker.port());
  REQUIRE(connection.send(step_post(call)));
  std::this_thread::sleep_for(500ms);
  CHECK(end_in(connection.answer()).result.value.json().get<std::string>().size() == 5'000'000);
  CHECK(works(worker));
}

}  // namespace flowrun::test::bad_requests_test

// What becomes of a process that has ended: a pure function, asked about every kind of end and every `capture`.
#include "engine/executor/process_result.h"

#include <fmt/format.h>
#include <signal.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.h"

namespace flowrun::test::process_result_test {
using namespace std::string_literals;

namespace {

using Capture = Process::Capture;

const std::map<std::string, Capture> kCaptures = {{"file", Capture::File},   {"json", Capture::Json},
                                                  {"jsonl", Capture::Jsonl}, {"lines", Capture::Lines},
                                                  {"none", Capture::None},   {"text", Capture::Text}};

Task task_of(Process process) {
  Task task;
  task.path = "step";
  task.timeout = Duration(1500);
  task.work = std::move(process);
  return task;
}

Process capturing(Capture capture, std::int64_t max_output = 1 << 20) {
  Process process;
  process.capture = capture;
  process.max_output = max_output;
  return process;
}

/// A process that said |out| and wrote |file|, as ChildOutput keeps it.
ProcessEnd end_of(const Process& process, const std::string& out, std::optional<std::string> file = std::nullopt) {
  ProcessEnd end;
  end.status_code = CLD_EXITED;
  const auto most = static_cast<std::size_t>(process.max_output);
  end.stdout_head = out.substr(0, most);
  end.stdout_bytes = static_cast<std::int64_t>(out.size());
  const auto tail = static_cast<std::size_t>(cut_tail_begins(process));
  if (process.unread && out.size() > tail) end.stdout_tail = out.substr(tail);
  if (file && file->size() > most) {
    end.file_left_out = static_cast<std::int64_t>(file->size() - most);
    file->resize(most);
  }
  end.file = std::move(file);
  return end;
}

/// The value as JSON; of a failure its type, and behind it the value that is kept all the same.
std::string shown(const Result& result) {
  return result.failure ? result.failure->type + " " + result.value.text() : result.value.text();
}

/// By capture in the order of their names: file, json, jsonl, lines, none, text.
std::string row(const std::string& out, std::optional<std::string> file = std::nullopt) {
  std::string all;
  for (const auto& [name, capture] : kCaptures) {
    const Process process = capturing(capture);
    all += (all.empty() ? "" : " | ") + shown(result_of(task_of(process), end_of(process, out, file), Mask()));
  }
  return all;
}

}  // namespace

TEST_CASE("process result: an output is what `capture` says, in every mode") {
  CHECK(row("[1]\n") == R"(parse null | [1] | [[1]] | ["[1]"] | null | "[1]")");
  CHECK(row("a\nb\n") == R"(parse null | parse "a\nb\n" | parse "a\nb\n" | ["a","b"] | null | "a\nb")");
  CHECK(row("") == R"(parse null | parse "" | [] | [] | null | "")");
  CHECK(row("a", "{\"x\": 1}") == R"({"x":1} | parse {"x":1} | parse {"x":1} | ["a"] | null | "a")");
  CHECK(row("a", "no") == R"(parse null | parse "a" | parse "a" | ["a"] | null | "a")");
}

TEST_CASE("process result: how it ended decides, before anybody looks into what it said") {
  const Process process = capturing(Capture::Text);
  ProcessEnd end = end_of(process, "said\n");
  end.stderr_tail = "oops\n";
  const Task task = task_of(process);
  auto ends = [&](int code, int status, StopReason stopped) {
    end.status_code = code;
    end.status = status;
    end.stopped = stopped;
    const Result result = result_of(task, end, Mask());
    REQUIRE(result.failure);
    CHECK(result.value.text() == "\"said\"");
    return fmt::format("{} {} {} {}", result.failure->type, result.code, result.failure->message,
                       result.failure->detail.text());
  };
  CHECK(ends(CLD_EXITED, 2, StopReason::None) == R"(exit.2 2 exited with 2 {"exit_code":2,"stderr_tail":"oops"})");
  CHECK(ends(CLD_EXITED, 141, StopReason::None) ==
        R"(exit.141 141 exited with 141, as a shell does after SIGPIPE (Broken pipe) )"
        R"({"exit_code":141,"stderr_tail":"oops"})");
  CHECK(ends(CLD_KILLED, SIGKILL, StopReason::None) ==
        R"(killed -9 killed by signal 9 (Killed) {"exit_code":null,"stderr_tail":"oops"})");
  CHECK(ends(CLD_DUMPED, SIGSEGV, StopReason::None).starts_with("killed -11 killed by signal 11 "));
  CHECK(ends(CLD_KILLED, SIGTERM, StopReason::Timeout) ==
        R"(timeout -15 timed out after 1s500ms {"exit_code":null,"stderr_tail":"oops"})");
  // It was told to end, and whatever it makes of that is no success.
  CHECK(ends(CLD_EXITED, 0, StopReason::Timeout).starts_with("timeout 0 "));
  CHECK(ends(CLD_EXITED, 0, StopReason::Cancelled).starts_with("cancelled 0 stopped "));
}

TEST_CASE("process result: `success_codes` say what is a success, for ends by exit only") {
  Process process = capturing(Capture::Text);
  process.success_codes = {3, 9};
  ProcessEnd end = end_of(process, "x");
  CHECK_FALSE(exited_well(process, end));
  end.status = 9;
  CHECK(exited_well(process, end));
  CHECK(result_of(task_of(process), end, Mask()).ok());
  end.status_code = CLD_KILLED;
  CHECK_FALSE(exited_well(process, end));
  CHECK_FALSE(result_of(task_of(process), end, Mask()).ok());
}

TEST_CASE(
    "process result: an output at its bound is taken, one byte more is an error, or is cut when nobody reads it") {
  for (const auto& [name, capture] : kCaptures) {
    INFO(name);
    Process process = capturing(capture, 100);
    const std::string fits = "\"" + std::string(98, 'x') + "\"";
    const std::string more = "\"" + std::string(99, 'x') + "\"";
    CHECK(result_of(task_of(process), end_of(process, fits, fits), Mask()).ok());
    if (capture == Capture::None) continue;
    const bool file = capture == Capture::File;
    const Result refused =
        result_of(task_of(process), file ? end_of(process, "", more) : end_of(process, more, fits), Mask());
    REQUIRE(refused.failure);
    CHECK(refused.failure->type == "parse");
    CHECK(refused.failure->message.find("more than 100 bytes") == 0);
    CHECK(refused.cut == 1);
    process.unread = true;
    const Result cut =
        result_of(task_of(process), file ? end_of(process, "", more) : end_of(process, more, fits), Mask());
    CHECK(cut.ok());
    CHECK(cut.cut == 1);
    CHECK(cut.value.text().starts_with("{\"left_out\":1,"));
  }
}

TEST_CASE("process result: of a cut output the head and the tail are kept, and together are as long as is allowed") {
  Process process = capturing(Capture::Text, 40);
  process.unread = true;
  const std::string said = std::string(30, 'a') + std::string(500, 'b') + "0123456789";
  const Result result = result_of(task_of(process), end_of(process, said), Mask());
  CHECK(result.value.text() == R"({"left_out":500,"head":")" + std::string(30, 'a') + R"(","tail":"0123456789"})");
}

TEST_CASE("process result: no secret gets into a value, whatever the capture and the end") {
  const std::string secret = "tell-nobody-7";
  Mask mask;
  mask.add(secret);
  const std::vector<std::string> outputs = {secret, "[\"" + secret + "\"]", "a\n" + secret + "\nb\n",
                                            std::string(90, 'x') + secret, "\"" + std::string(88, 'x') + secret + "\""};
  for (const auto& [name, capture] : kCaptures)
    for (const std::string& output : outputs)
      for (int status : {0, 1})
        for (bool unread : {false, true})
          for (bool raw : {false, true}) {
            INFO(name << " " << output << " " << status << unread << raw);
            Process process = capturing(capture, 100);
            process.unread = unread;
            Task task = task_of(process);
            task.keep_raw = raw;
            ProcessEnd end = end_of(process, output, output);
            end.status = status;
            end.stdout_tail = mask.text(end.stdout_tail);  // masked as it comes
            const Result result = result_of(task, end, mask);
            const std::string value = mask.json(result.value.text());  // as PoolShared::tell_ended does
            CHECK(value.find("tell-no") == std::string::npos);
            if (result.failure) CHECK(result.failure->message.find("tell-no") == std::string::npos);
          }
}

TEST_CASE("process result: a raw value has all that is known of the attempt") {
  const Process process = capturing(Capture::Json);
  Task task = task_of(process);
  task.keep_raw = true;
  task.attempt = 3;
  ProcessEnd end = end_of(process, "{\"a\":1}\n");
  end.stderr_tail = "warn\n";
  end.took = Duration(12);
  end.unlogged = 5;
  const Result result = result_of(task, end, Mask());
  CHECK(result.value.text() ==
        R"({"exit_code":0,"duration_ms":12,"attempt":3,"stdout":"{\"a\":1}\n","stderr_tail":"warn","value":{"a":1}})");
  CHECK(result.took == Duration(12));
  CHECK(result.unlogged == 5);
}

TEST_CASE("process result: of standard error the last lines are kept, at most twenty and at most 4 KiB") {
  const Process process = capturing(Capture::Text);
  ProcessEnd end = end_of(process, "");
  end.status = 1;
  for (int i = 0; i < 100; ++i) end.stderr_tail += fmt::format("line {}\n", i);
  const std::string tail = result_of(task_of(process), end, Mask()).failure->detail.text();
  CHECK(tail.find("line 79") == std::string::npos);
  CHECK(tail.find("\"line 80\\nline 81\\n") != std::string::npos);
  CHECK(tail.ends_with("line 99\"}"));
  end.stderr_tail = std::string(5000, 'e');
  CHECK(result_of(task_of(process), end, Mask()).failure->detail.text().size() ==
        R"({"exit_code":1,"stderr_tail":""})"s.size() + kStderrTail);
}

}  // namespace flowrun::test::process_result_test

// The log file of a run, also when it was cut off.
#include <thread>

#include "engine/executor/output_log.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace flowrun;
using namespace flowrun::test;

TEST_CASE("frames come back as they went in, whatever bytes they hold") {
  TempDir folder;
  std::string file = folder.path("output.log");
  CHECK(read_output_log(file).empty());
  {
    OutputLog log(file);
    CHECK_FALSE(std::filesystem::exists(file));
    log.append("a[\"x\n\"]/b", 2, true, std::string("\0\n{\"bytes\":9}\n\xff", 16));
    log.append("c", 1, false, "");
  }
  std::vector<LogFrame> frames = read_output_log(file);
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].path == "a[\"x\n\"]/b");
  CHECK(frames[0].attempt == 2);
  CHECK(frames[0].is_stderr);
  CHECK(frames[0].bytes == std::string("\0\n{\"bytes\":9}\n\xff", 16));
  CHECK(to_millis(frames[0].at) > 0);
  CHECK_FALSE(frames[1].is_stderr);
}

TEST_CASE("a frame that a crash tore is left out, and what the next drive writes is not lost behind it") {
  TempDir folder;
  std::string file = folder.path("output.log");
  {
    OutputLog log(file);
    log.append("one", 1, false, "first");
    log.append("two", 1, false, "second");
  }
  std::string whole = folder.read("output.log");
  std::size_t torn_at = whole.find("{\"path\":\"two\"");
  for (std::size_t length = torn_at; length < whole.size(); ++length) {
    folder.write("output.log", whole.substr(0, length));
    REQUIRE(read_output_log(file).size() == 1);
    OutputLog(file).append("three", 1, false, "third");
    std::vector<LogFrame> frames = read_output_log(file);
    REQUIRE(frames.size() == 2);
    REQUIRE(frames[1].path == "three");
  }
}

TEST_CASE("a log full of nonsense has no frames") {
  TempDir folder;
  for (const char* text :
       {"nonsense", "{}\n", "[]\n", "{\"path\":1,\"bytes\":3}\nabc\n", "{\"bytes\":-1}\n",
        "{\"path\":\"a\",\"attempt\":1,\"stream\":\"stdout\",\"at\":0,\"bytes\":99999999999999}\nabc\n"}) {
    INFO(text);
    CHECK(read_output_log(folder.write("output.log", text)).empty());
  }
}

TEST_CASE("frames of several threads do not mix") {
  TempDir folder;
  OutputLog log(folder.path("output.log"));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&log, i] {
      for (int n = 0; n < 200; ++n)
        log.append(std::to_string(i), n, false, std::string(1000, static_cast<char>('a' + i)));
    });
  for (std::thread& thread : threads) thread.join();
  std::vector<LogFrame> frames = read_output_log(folder.path("output.log"));
  REQUIRE(frames.size() == 800);
  for (const LogFrame& frame : frames)
    REQUIRE(frame.bytes == std::string(1000, static_cast<char>('a' + std::stoi(frame.path))));
}

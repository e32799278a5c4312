// The log of what processes say: written as it comes, bounded, cut off anywhere, damaged, and on a disk that is full.
#include "engine/executor/output_log.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "tests/executor/open_folder.h"
#include "tests/executor/pool.h"
#include "tests/journal/scratch.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::output_log_test {
namespace {

Task step(const std::string& path, int attempt = 1) {
  Task task;
  task.path = path;
  task.attempt = attempt;
  return task;
}

std::string numbers(int from, int to) {
  std::string text;
  for (int i = from; i <= to; ++i) text += std::to_string(i) + "\n";
  return text;
}

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(folder)) names.push_back(file.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> lines_in(const std::string& folder) {
  std::vector<std::string> lines;
  OutputReader(folder).lines([&](const OutputReader::Line& line) {
    lines.push_back(line.left_out + line.lost > 0 ? "..." : std::string(line.text));
    return true;
  });
  return lines;
}

/// Whether |text| is all of |said|, or its beginning, a mark that counts right, and its end.
bool is_bounded(const std::string& text, const std::string& said) {
  if (text == said) return true;
  const std::string mark = "<left out: ";
  std::size_t at = text.find(mark);
  if (at == text.npos) return false;
  std::size_t end = text.find('>', at);
  std::uint64_t left_out = std::stoull(text.substr(at + mark.size(), end - at - mark.size()));
  std::string head = text.substr(0, at), tail = text.substr(end + 1);
  return head.size() + left_out + tail.size() == said.size() && said.starts_with(head) && said.ends_with(tail);
}

}  // namespace

TEST_CASE("what a process says comes back as it was said, whatever bytes it is, and silence costs no file") {
  TempDir folder;
  CHECK(logged(folder.path()).empty());
  const std::string bytes("\0\n{\"bytes\":9}\n\xff", 16);
  Task first = step("a[\"x\n\"]/b", 2), second = step("c"), silent = step("d");
  {
    const OpenFolder run(folder.path());
    OutputLog log(run, "d1");
    OutputLog::Stream quiet(log, silent, 1, false);
    quiet.append("");
    quiet.end();
    CHECK(files_in(folder.path()).empty());
    OutputLog::Stream err(log, first, 2, true), out(log, second, 3, false);
    err.append(bytes);
    out.append("x");
    err.append(bytes);
    // While it runs.
    CHECK(logged(folder.path()).at("a[\"x\n\"]/b err") == bytes + bytes);
    err.end();
    out.end();
  }
  auto said = logged(folder.path());
  CHECK(said.size() == 2);
  CHECK(said["a[\"x\n\"]/b err"] == bytes + bytes);
  CHECK(said["c out"] == "x");
  OutputReader reader(folder.path());
  CHECK(reader.sources().at(0).attempt == 2);
  CHECK(reader.damaged_at() == 0);
  struct stat about {};
  REQUIRE(stat(folder.path("output.log").c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
}

TEST_CASE("lines are whole, in the order in which they were said, however they came") {
  TempDir folder;
  Task task = step("a");
  const OpenFolder run(folder.path());
  OutputLog log(run, "d1");
  OutputLog::Stream out(log, task, 1, false), err(log, task, 1, true);
  out.append("on");
  err.append("first\nsec");
  out.append("e\ntwo\nthr");
  err.append("ond\n");
  out.append("ee");
  CHECK(lines_in(folder.path()) == std::vector<std::string>{"first", "one", "two", "second", "three"});
}

TEST_CASE("a second process with the same step and attempt is another one") {
  TempDir folder;
  Task task = step("a");
  for (const char* drive : {"d1", "d2"}) {
    const OpenFolder run(folder.path());
    OutputLog log(run, drive);
    OutputLog::Stream out(log, task, 1, false);
    out.append(drive);
    out.end();
  }
  CHECK(lines_in(folder.path()) == std::vector<std::string>{"d1", "d2"});
}

TEST_CASE("of much the head and the tail are kept, lines are not cut, and the mark counts what is between") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 6; ++round) {
    TempDir folder;
    Task task = step("a");
    const OpenFolder run(folder.path());
    OutputLog log(run, "d1");
    OutputLog::Stream out(log, task, 1, false);
    const std::string said = numbers(1, static_cast<int>(100'000 + random() % 700'000));
    const std::size_t most = 1 << (6 + 2 * round);
    std::size_t checked = 0;
    for (std::size_t at = 0; at < said.size();) {
      std::size_t piece = std::min<std::size_t>(1 + random() % most, said.size() - at);
      if (round < 3) piece = std::min<std::size_t>(16384, said.size() - at);
      out.append(std::string_view(said).substr(at, piece));
      at += piece;
      if (at - checked > 700'000) {
        checked = at;
        REQUIRE(is_bounded(logged(folder.path()).at("a out"), said.substr(0, at)));  // as after kill -9
      }
    }
    REQUIRE(is_bounded(logged(folder.path()).at("a out"), said));
    out.end();
    REQUIRE(is_bounded(logged(folder.path()).at("a out"), said));
    REQUIRE(files_in(folder.path()) == std::vector<std::string>{"output.log"});
    REQUIRE(std::filesystem::file_size(folder.path("output.log")) <
            OutputLog::Stream::kHead + 2 * OutputLog::Stream::kTail + 4 * OutputLog::Stream::kLongestLine);
    int before = 0;
    bool gap = false;
    for (const std::string& line : lines_in(folder.path())) {
      if (line == "...") {
        gap = true;
        continue;
      }
      REQUIRE((gap ? std::stoi(line) > before : std::stoi(line) == before + 1));
      before = std::stoi(line);
      gap = false;
    }
  }
}

TEST_CASE("what has no line breaks is bounded, too") {
  TempDir folder;
  Task task = step("a");
  const OpenFolder run(folder.path());
  OutputLog log(run, "d1");
  OutputLog::Stream out(log, task, 1, false);
  std::string said;
  for (int i = 0; said.size() < 5'000'000; ++i) said += std::to_string(i) + " ";
  for (std::size_t at = 0; at < said.size(); at += 65536) out.append(std::string_view(said).substr(at, 65536));
  out.end();
  std::string kept = logged(folder.path()).at("a out");
  CHECK(is_bounded(kept, said));
  CHECK(kept.size() < 2'700'000);
}

TEST_CASE("a frame that a crash tore is left out, and what the next drive writes is not lost behind it") {
  TempDir folder;
  Task one = step("one"), two = step("two"), three = step("three");
  std::size_t torn_at = 0;
  {
    const OpenFolder run(folder.path());
    OutputLog log(run, "d1");
    OutputLog::Stream first(log, one, 1, false), second(log, two, 2, false);
    first.append("first");
    torn_at = folder.read("output.log").size();
    second.append("second");
  }
  const std::string whole = folder.read("output.log");
  for (std::size_t length = torn_at; length < whole.size(); ++length) {
    folder.write("output.log", whole.substr(0, length));
    INFO(length);
    REQUIRE(logged(folder.path()).size() == 1);
    REQUIRE(OutputReader(folder.path()).damaged_at() == 0);
    const OpenFolder run(folder.path());
    OutputLog log(run, "d2");
    OutputLog::Stream third(log, three, 1, false);
    third.append("third");
    auto said = logged(folder.path());
    REQUIRE(said.size() == 2);
    REQUIRE(said["three out"] == "third");
  }
}

TEST_CASE("frames of an older version are read, and newer ones behind them") {
  TempDir folder;
  folder.write("output.log",
               "{\"path\":\"a\",\"attempt\":1,\"stream\":\"stderr\",\"at\":1000,\"bytes\":4}\none\n\n"
               "{\"path\":\"b\",\"attempt\":1,\"stream\":\"stdout\",\"at\":1001,\"bytes\":2}\nb\n\n"
               "{\"path\":\"a\",\"attempt\":1,\"stream\":\"stderr\",\"at\":1002,\"bytes\":4}\ntwo\n\n");
  Task task = step("a", 2);
  const OpenFolder run(folder.path());
  OutputLog log(run, "d1");
  OutputLog::Stream out(log, task, 1, true);
  out.append("new\n");
  CHECK(lines_in(folder.path()) == std::vector<std::string>{"one", "b", "two", "new"});
}

TEST_CASE("a log of nonsense has nothing in it, and a planted file is not written through") {
  TempDir folder;
  for (const char* text :
       {"nonsense", "{}\n", "[]\n", "{\"path\":1,\"bytes\":3}\nabc\n", "{\"bytes\":-1}\n",
        "{\"path\":\"a\",\"attempt\":1,\"stream\":\"stdout\",\"at\":0,\"bytes\":99999999999999}\nabc\n",
        "{\"process\":\"p\",\"stream\":\"stdout\",\"at\":0,\"from\":0,\"bytes\":1}\na\n"}) {
    INFO(text);
    folder.write("output.log", text);
    CHECK(logged(folder.path()).empty());
  }
  const std::string elsewhere = folder.write("elsewhere", "mine");
  std::filesystem::remove(folder.path("output.log"));
  std::filesystem::create_symlink(elsewhere, folder.path("output.log"));
  Task task = step("a");
  const OpenFolder run(folder.path());
  OutputLog log(run, "d1");
  OutputLog::Stream out(log, task, 1, true);
  out.append("new\n");
  out.end();
  CHECK(out.lost() == 4);
  CHECK(folder.read("elsewhere") == "mine");
}

TEST_CASE("a damaged log is read as far as it makes sense: cut, flipped, filled with anything, and never fails") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  TempDir folder;
  std::vector<std::string> names;
  {
    Task task = step("a"), other = step("b[x]/c", 3);
    const OpenFolder run(folder.path());
    OutputLog log(run, "d1");
    OutputLog::Stream out(log, task, 1, false), err(log, other, 2, true);
    for (int i = 0; i < 2000; ++i) {
      out.append(numbers(i * 200, i * 200 + 199));
      if (i % 100 == 0) err.append("{\"process\":\"d1-1\",\"stream\":\"stdout\",\"at\":1,\"from\":3,\"bytes\":1}\n");
    }
    names = files_in(folder.path());
  }
  REQUIRE(names.size() == 3);
  std::map<std::string, std::string> good;
  for (const std::string& name : names) good[name] = folder.read(name);
  for (int round = 0; round < 20; ++round) {
    for (const std::string& name : names) {
      std::string text = good[name];
      switch (random() % 5) {
        case 0:
          text.resize(random() % (text.size() + 1));
          break;
        case 1:
          for (int flips = 0; flips < 20; ++flips) text[random() % text.size()] = static_cast<char>(random());
          break;
        case 2:
          text.insert(random() % text.size(), text.substr(random() % text.size(), 5000));
          break;
        case 3: {
          // Numbers are what hurts.
          std::size_t at = text.find("\"bytes\":", random() % text.size());
          const char* numbers[] = {"18446744073709551615", "-1", "1e300", "4611686018427387903", "null", "\"x\""};
          if (at != text.npos) text.replace(at + 8, 1 + random() % 4, numbers[random() % 6]);
          break;
        }
        default:
          break;
      }
      folder.write(name, text);
    }
    std::size_t bytes = 0, lines = 0;
    OutputReader reader(folder.path());
    reader.pieces([&](const OutputReader::Piece& piece) {
      bytes += piece.bytes.size();
      return true;
    });
    reader.lines([&](const OutputReader::Line&) { return ++lines < 1000; });
    REQUIRE(bytes < 20'000'000);
    // And what is written behind it is found.
    Task task = step("new");
    const OpenFolder run(folder.path());
    OutputLog log(run, "d2");
    OutputLog::Stream out(log, task, 1, false);
    out.append("there\n");
    out.end();
    REQUIRE(logged(folder.path())["new out"] == "there\n");
  }
}

TEST_CASE("words of several threads do not mix") {
  TempDir folder;
  const OpenFolder run(folder.path());
  OutputLog log(run, "d1");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&log, i] {
      Task task = step(std::to_string(i));
      OutputLog::Stream out(log, task, static_cast<std::uint64_t>(i), false);
      for (int n = 0; n < 200; ++n) out.append(std::string(1000, static_cast<char>('a' + i)));
    });
  for (std::thread& thread : threads) thread.join();
  auto said = logged(folder.path());
  for (int i = 0; i < 4; ++i)
    CHECK(said[std::to_string(i) + " out"] == std::string(200'000, static_cast<char>('a' + i)));
}

TEST_CASE("what can not be written is told where it is missing, and how much") {
  TempDir folder;
  scratch::Child child([&](scratch::Child&) {
    const std::string disk = folder.path();
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=1m,mode=0700") != 0)
      return 77;
    folder.write("ballast", std::string(700'000, 'x'));
    Task task = step("a"), other = step("b");
    const OpenFolder run(folder.path());
    OutputLog log(run, "d1");
    OutputLog::Stream out(log, task, 1, false), err(log, task, 1, true), late(log, other, 2, false);
    const std::string said = numbers(1, 60'000);
    for (std::size_t at = 0; at < said.size(); at += 5000) out.append(std::string_view(said).substr(at, 5000));
    err.append(std::string(6000, 'e'));
    if (out.lost() == 0) return 1;
    // As much as there was room for, in whole pieces.
    std::string before = logged(folder.path())["a out"];
    if (before != said.substr(0, said.size() - out.lost())) return 2;
    std::filesystem::remove(folder.path("ballast"));
    const std::uint64_t lost = out.lost();
    out.append("again\n");
    out.end();
    err.end();
    late.end();
    if (out.lost() != lost || err.lost() != 6000) return 3;
    auto texts = logged(folder.path());
    if (texts["a out"] != before + "<lost: " + std::to_string(lost) + ", No space left on device>again\n") return 4;
    if (texts["a err"] != "<lost: 6000, No space left on device>") return 5;
    return texts.size() == 2 ? 0 : 6;
  });
  const int code = child.exit_code();
  CAPTURE(code);
  if (code == 77) WARN("can not mount here");
  REQUIRE((code == 0 || code == 77));
}

TEST_CASE("a file that grows while it is read is whole, and what is no frame is damage") {
  TempDir folder;
  const auto frame = [](const std::string& text) {
    FrameHeader header;
    header.process = "p";
    header.path = "a";
    header.bytes = text.size();
    return header_line(header) + text + "\n";
  };
  const auto [behind, expected] = GENERATE_COPY(table<std::string, FramesEnd>({
      {"", FramesEnd::Whole},
      {frame("two").substr(0, 5), FramesEnd::Torn},
      {frame("two").substr(0, frame("two").size() - 1), FramesEnd::Torn},
      {"{}\n", FramesEnd::Damaged},
      {"x", FramesEnd::Damaged},
  }));
  CAPTURE(behind);
  const bool grows = behind.empty();  // clang before 16 takes no structured binding into a lambda
  const std::string file = folder.write("log", frame("one") + behind);
  const int descriptor = open(file.c_str(), O_RDWR | O_APPEND | O_CLOEXEC);
  REQUIRE(descriptor >= 0);
  FramesEnd end{};
  int frames = 0;
  const std::string more = frame("more");
  const std::uint64_t whole = scan_frames(
      descriptor,
      [&](FrameHeader&&, std::uint64_t) {
        ++frames;
        if (grows) CHECK(write(descriptor, more.data(), more.size()) == static_cast<ssize_t>(more.size()));
      },
      &end);
  close(descriptor);
  CHECK(frames == 1);
  CHECK(whole == frame("one").size());
  CHECK(end == expected);
}

TEST_CASE("a long output that meets a full disk tells each gap") {
  TempDir folder;
  scratch::Child child([&](scratch::Child&) {
    const std::string disk = folder.path();
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=4m,mode=0700") != 0)
      return 77;
    Task task = step("a");
    const OpenFolder run(folder.path());
    OutputLog log(run, "d1");
    OutputLog::Stream out(log, task, 1, false);
    std::string said;
    for (int i = 0; i < 400; ++i) {
      if (i == 50) folder.write("ballast", std::string(2'500'000, 'x'));
      std::string piece = numbers(i * 3000, i * 3000 + 2999);
      if (i == 330) std::filesystem::remove(folder.path("ballast"));
      out.append(piece);
      said += piece;
    }
    out.end();
    const std::string text = logged(folder.path())["a out"];
    // What is there and what is told to be missing is all that was said.
    std::uint64_t missing = 0;
    std::string kept;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t mark = std::min(text.find('<', at), text.size());
      std::string part = text.substr(at, mark - at);
      if (said.compare(kept.size() + missing, part.size(), part) != 0) return 1;
      kept += part;
      if (mark == text.size()) break;
      missing += std::stoull(text.substr(text.find(": ", mark) + 2));
      at = text.find('>', mark) + 1;
    }
    if (kept.size() + missing != said.size()) return 2;
    return text.ends_with("1199999\n") ? 0 : 3;
  });
  const int code = child.exit_code();
  CAPTURE(code);
  if (code == 77) WARN("can not mount here");
  REQUIRE((code == 0 || code == 77));
}

}  // namespace flowrun::test::output_log_test

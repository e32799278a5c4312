// Every workflow in workflows/ does what its comment says: the real binary, against the sample shop.
#include <httplib.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/program.h"
#include "tests/support/shop.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::workflows_test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;
using std::chrono::milliseconds;

std::vector<fs::path> workflows() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(std::string(FLOWRUN_SOURCE_DIR) + "/workflows"))
    if (entry.path().extension() == ".yaml" && entry.path().stem().extension() != ".test")
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> run_of(const fs::path& file, const Shop& shop) {
  std::vector<std::string> args{"run", file.string(), "--no-wait", "--id", file.stem().string()};
  std::ifstream in(file);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (text.find("\n  api:") != std::string::npos) args.insert(args.end(), {"-i", "api=" + shop.url()});
  if (text.find("\n  seconds:") != std::string::npos) args.insert(args.end(), {"-i", "seconds=0"});
  return args;
}

/// Payments and parcels are numbered as they come: each run of digits in |text| becomes one 0.
std::string without_numbers(const std::string& text) {
  std::string same;
  for (char letter : text) {
    bool digit = std::isdigit(static_cast<unsigned char>(letter)) != 0;
    if (digit && !same.empty() && same.back() == '0') continue;
    same += digit ? '0' : letter;
  }
  return same;
}

/// Since 1970; |timestamp| is like 2026-11-23T08:45:12.481Z.
milliseconds instant(const std::string& timestamp) {
  std::tm time{};
  const char* rest = strptime(timestamp.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
  REQUIRE(rest);
  REQUIRE(*rest == '.');
  return std::chrono::seconds(timegm(&time)) + milliseconds(std::stoi(rest + 1));
}

/// From the first entry of a run to its last.
milliseconds engine_time(const std::string& journal, const std::string& id) {
  Ran shown = flowrun(journal, {"journal", "show", id, "--json"});
  INFO(shown.err);
  REQUIRE(shown.code == 0);
  std::vector<milliseconds> at;
  std::istringstream lines(shown.out);
  for (std::string line; std::getline(lines, line);)
    at.push_back(instant(json::parse(line).at("at").get<std::string>()));
  REQUIRE(at.size() > 2);
  return at.back() - at.front();
}

/// How long the slowest chain of the order workflow takes a client that does nothing else.
milliseconds asked_one_by_one(const std::string& url) {
  httplib::Client shop(url);
  shop.set_keep_alive(true);
  shop.set_tcp_nodelay(true);
  const auto began = std::chrono::steady_clock::now();
  REQUIRE(shop.Get("/orders/O-1001"));
  for (const char* path : {"/fraud/score", "/payments", "/shipments"})
    REQUIRE(shop.Post(path, "{}", "application/json"));
  return std::chrono::ceil<milliseconds>(std::chrono::steady_clock::now() - began);
}

}  // namespace

TEST_CASE("every sample workflow succeeds, verifies, and prints its output again when it is resumed", "[golden]") {
  Shop shop;
  TempDir dir;
  std::string journal = dir.path("journal.db");
  std::vector<fs::path> files = workflows();
  REQUIRE(files.size() >= 10);
  for (const fs::path& file : files) {
    std::string id = file.stem().string();
    INFO(file.filename().string());
    HowToRun how;
    if (id == "stdin") how.stdin_text = "1\n2\n3\n";
    Ran first = flowrun(journal, run_of(file, shop), how);
    if (id == "approval") {
      // Somebody has to say something first.
      INFO(first.err);
      CHECK(first.code == 4);
      CHECK(flowrun(journal, {"approve", id, "--data", R"({"comment":"go ahead"})"}).code == 0);
      first = flowrun(journal, {"resume", id});
    }
    INFO(first.err);
    CHECK(first.code == 0);
    check_golden(id + ".out", id == "order" ? without_numbers(first.out) : first.out);

    json before = shop.stats();
    Ran again = flowrun(journal, {"resume", id});
    INFO(again.err);
    CHECK(again.code == 0);
    CHECK(again.out == first.out);
    CHECK(shop.stats() == before);

    Ran verified = flowrun(journal, {"journal", "verify", id});
    INFO(verified.out << verified.err);
    CHECK(verified.code == 0);
  }
}

TEST_CASE("the scenarios beside the sample workflows hold", "[scenario]") {
  TempDir dir;
  const Ran ran = flowrun(dir.path("journal.db"), {"test", std::string(FLOWRUN_SOURCE_DIR) + "/workflows"});
  INFO(ran.out << ran.err);
  CHECK(ran.code == 0);
  CHECK(ran.out.find(", 0 failed") != std::string::npos);
  // Nothing was run: there is no journal.
  CHECK_FALSE(fs::exists(dir.path("journal.db")));
}

TEST_CASE("the order workflow takes within 5 % of its slowest chain of services", "[timing]") {
  Shop shop;
  TempDir dir;
  std::string journal = dir.path("journal.db");
  milliseconds ours = milliseconds::max(), chain = milliseconds::max();
  // A machine that is busy with something else may need another try; one that is slow is so for both.
  for (int round = 0; round < 10 && (round == 0 || ours > chain * 105 / 100); ++round) {
    std::string id = "order-" + std::to_string(round);
    Ran ran = flowrun(journal, {"run", std::string(FLOWRUN_SOURCE_DIR) + "/workflows/order.yaml", "--id", id, "-i",
                                "api=" + shop.url()});
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    ours = std::min(ours, engine_time(journal, id));
    chain = std::min(chain, asked_one_by_one(shop.url()));
  }
  CHECK(ours.count() >= 20 + 200 + 150 + 50);
  CHECK(ours.count() <= (chain * 105 / 100).count());
}

}  // namespace flowrun::test::workflows_test

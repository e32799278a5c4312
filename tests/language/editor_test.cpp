// The schema in the server that editors ask. Only where yaml-language-server is on PATH, or where FLOWRUN_TEST_EDITOR=1
// allows npm to fetch it.
#include <fmt/format.h>

#include <cstdlib>
#include <map>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::editor_test {
namespace {

using nlohmann::json;

std::string found(const std::string& program) {
  std::string path = run({"/bin/sh", "-c", "command -v " + program}).out;
  return path.substr(0, path.find('\n'));
}

/// The server's program, or why there is none.
std::string server(const TempDir& dir, std::string& why) {
  if (std::string there = found("yaml-language-server"); !there.empty()) return there;
  const char* allowed = std::getenv("FLOWRUN_TEST_EDITOR");
  if (!allowed || std::string(allowed) != "1" || found("npm").empty()) {
    why = "no yaml-language-server on PATH; with npm and FLOWRUN_TEST_EDITOR=1 it is fetched";
    return "";
  }
  Ran npm = run(
      {"npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", dir.path("npm"), "yaml-language-server"});
  if (npm.code != 0) why = "npm can not fetch yaml-language-server: " + npm.err.substr(0, 400);
  return npm.code == 0 ? dir.path("npm/node_modules/.bin/yaml-language-server") : "";
}

std::string framed(const json& message) {
  const std::string text = message.dump();
  return fmt::format("Content-Length: {}\r\n\r\n{}", text.size(), text);
}

/// What the server said of each document, by its address.
std::map<std::string, json> diagnostics_in(const std::string& said) {
  std::map<std::string, json> all;
  const std::string header = "Content-Length: ";
  for (std::size_t at = said.find(header); at != std::string::npos; at = said.find(header, at)) {
    const std::size_t length = std::stoul(said.substr(at + header.size()));
    at = said.find("\r\n\r\n", at) + 4;
    const json message = json::parse(said.substr(at, length), nullptr, false);
    if (message.is_object() && message.value("method", "") == "textDocument/publishDiagnostics")
      all[message["params"]["uri"]] = message["params"]["diagnostics"];
    at += length;
  }
  return all;
}

}  // namespace

TEST_CASE("an editor finds what is wrong with a workflow, and nothing in a good one", "[slow]") {
  TempDir dir;
  std::string why;
  const std::string program = server(dir, why);
  if (program.empty()) {
    WARN("skipped: " << why);
    return;
  }
  const std::string schema = dir.write("schema.json", run({FLOWRUN_BINARY, "schema"}).out);
  const std::string head = "# yaml-language-server: $schema=file://" + schema + "\n";
  const std::map<std::string, std::string> documents{
      {"file:///good.yaml", head + "flowrun: 1\nsteps:\n  a: { http: https://x.example, retry: { attempts: 3 } }\n"},
      {"file:///bad.yaml", head + "flowrun: 1\nsteps:\n  a: { http: https://x.example, retri: { attempts: 3 } }\n"}};
  std::string said =
      framed({{"jsonrpc", "2.0"},
              {"id", 1},
              {"method", "initialize"},
              {"params", {{"processId", nullptr}, {"rootUri", nullptr}, {"capabilities", json::object()}}}}) +
      framed({{"jsonrpc", "2.0"}, {"method", "initialized"}, {"params", json::object()}});
  for (const auto& [uri, text] : documents)
    said += framed(
        {{"jsonrpc", "2.0"},
         {"method", "textDocument/didOpen"},
         {"params", {{"textDocument", {{"uri", uri}, {"languageId", "yaml"}, {"version", 1}, {"text", text}}}}}});
  // It answers when it has time to, and ends with its input.
  Ran ran =
      run({"/bin/sh", "-c", "(cat \"$0\"; sleep 8) | timeout 20 \"$1\" --stdio", dir.write("said", said), program});
  INFO(ran.out << ran.err);
  std::map<std::string, json> diagnostics = diagnostics_in(ran.out);
  REQUIRE(diagnostics.size() == 2);
  CHECK(diagnostics["file:///good.yaml"].empty());
  REQUIRE_FALSE(diagnostics["file:///bad.yaml"].empty());
  // It marks the wrong key, and says what would do there.
  const json first = diagnostics["file:///bad.yaml"].front();
  CHECK(first["range"]["start"] == json{{"line", 3}, {"character", 32}});
  CHECK(first["message"].get<std::string>().find("retry") != std::string::npos);
}

}  // namespace flowrun::test::editor_test

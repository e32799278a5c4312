// What a worker says of itself, in each version that a server may ask for.
#include "engine/restate/manifest.h"

#include <set>

#include "engine/model/value.h"
#include "tests/support/catch.h"

namespace flowrun::test::manifest_test {
namespace {

using restate::OfferedHandler;

OfferedHandler handler(std::string suffix, OfferedHandler::Service type, std::string name) {
  OfferedHandler one;
  one.suffix = std::move(suffix);
  one.type = type;
  one.name = std::move(name);
  return one;
}

/// All names of members in |json| and below.
void collect(const Json& json, std::set<std::string>& names) {
  if (json.is_object())
    for (const auto& [name, value] : json.items()) {
      names.insert(name);
      collect(value, names);
    }
  if (json.is_array())
    for (const Json& one : json) collect(one, names);
}

}  // namespace

TEST_CASE("the newest version of the manifest that both sides know is chosen") {
  const std::string type = "application/vnd.restate.endpointmanifest.";
  CHECK(restate::manifest_version("") == 1);
  CHECK(restate::manifest_version("*/*") == 1);
  CHECK(restate::manifest_version(type + "v1+json") == 1);
  CHECK(restate::manifest_version(type + "v1+json, " + type + "v2+json") == 2);
  CHECK(restate::manifest_version(type + "v1+json, " + type + "v2+json, " + type + "v3+json, " + type + "v4+json") ==
        3);
  CHECK(restate::manifest_version(type + "v4+json") == 0);
  CHECK(restate::manifest_version("text/html") == 0);
}

TEST_CASE("a manifest has no member that its version does not know") {
  using Service = OfferedHandler::Service;
  const std::vector<OfferedHandler> more = {
      handler(".run", Service::Plain, "run"), handler(".run", Service::Plain, "tell"),
      handler(".object", Service::VirtualObject, "set"), handler("", Service::Plain, "x")};
  for (int version = restate::kOldestManifest; version <= restate::kNewestManifest; ++version) {
    const Json manifest = Json::parse(restate::manifest_text(version, "gpu", more));
    CHECK(manifest["protocolMode"] == "REQUEST_RESPONSE");
    CHECK(manifest["minProtocolVersion"] == 5);
    CHECK(manifest["maxProtocolVersion"] == 7);
    REQUIRE(manifest["services"].size() == 3);
    const Json& steps = manifest["services"][0];
    CHECK(steps["name"] == "flowrun-gpu");
    CHECK(steps["ty"] == "SERVICE");
    REQUIRE(steps["handlers"].size() == 2);
    CHECK(steps["handlers"][0]["name"] == "step");
    CHECK_FALSE(steps["handlers"][0].contains("ty"));
    const Json& run = manifest["services"][1];
    CHECK(run["name"] == "flowrun-gpu.run");
    CHECK(run["ty"] == "SERVICE");
    REQUIRE(run["handlers"].size() == 2);
    CHECK_FALSE(run["handlers"][1].contains("ty"));
    CHECK(manifest["services"][2]["ty"] == "VIRTUAL_OBJECT");
    CHECK(manifest["services"][2]["handlers"][0]["ty"] == "EXCLUSIVE");
    std::set<std::string> names;
    collect(manifest, names);
    std::set<std::string> known = {"protocolMode", "minProtocolVersion", "maxProtocolVersion", "services", "name", "ty",
                                   "handlers"};
    if (version >= 3) known.merge(std::set<std::string>{"abortTimeout", "journalRetention", "idempotencyRetention"});
    CHECK(names == known);
  }
  const Json newest = Json::parse(restate::manifest_text(3, "", more));
  const Json& step = newest["services"][0]["handlers"][0];
  CHECK(step["abortTimeout"].get<std::int64_t>() > 30ll * 24 * 3600 * 1000);
  CHECK(step["idempotencyRetention"].get<std::int64_t>() >= 24 * 3600 * 1000);
  CHECK(step["journalRetention"].get<std::int64_t>() >= 24 * 3600 * 1000);
}

}  // namespace flowrun::test::manifest_test

#include "engine/restate/manifest.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/model/value.h"
#include "engine/restate/step_call.h"

namespace flowrun::restate {
namespace {

using std::chrono::hours;

// A server that hears nothing for so long takes an invocation for lost and begins it again beside the first: nothing
// but a connection that ends may say that (by default it is ten minutes).
constexpr Duration kAbort = hours(24 * 365);
// A client may be away for so long and still be answered.
constexpr Duration kResult = hours(24 * 7);
constexpr Duration kJournalOfStep = hours(24);

bool is_object(const OfferedHandler& handler) { return handler.type == OfferedHandler::Service::VirtualObject; }

Json handler_json(const OfferedHandler& handler, Duration journal, int version) {
  Json json{{"name", handler.name}};
  if (is_object(handler)) json["ty"] = "EXCLUSIVE";
  if (version < 3) return json;
  json["abortTimeout"] = kAbort.count();
  json["journalRetention"] = journal.count();
  json["idempotencyRetention"] = handler.retention.count();
  return json;
}

}  // namespace

int manifest_version(std::string_view accept) {
  if (accept.empty() || accept == "*/*") return kOldestManifest;
  for (int version = kNewestManifest; version >= kOldestManifest; --version)
    if (accept.find(manifest_content_type(version)) != std::string_view::npos) return version;
  return 0;
}

std::string manifest_content_type(int version) {
  return fmt::format("application/vnd.restate.endpointmanifest.v{}+json", version);
}

std::string manifest_text(int version, std::string_view pool, const std::vector<OfferedHandler>& more) {
  OfferedHandler step;
  step.name = "step";
  step.retention = kResult;
  Json services = Json::array();
  services.push_back({{"name", service_name(pool)}, {"ty", "SERVICE"}, {"handlers", Json::array()}});
  services[0]["handlers"].push_back(handler_json(step, kJournalOfStep, version));
  for (const OfferedHandler& handler : more) {
    const std::string name = service_name(pool) + handler.suffix;
    auto service = std::find_if(services.begin(), services.end(), [&](const Json& one) { return one["name"] == name; });
    if (service == services.end()) {
      services.push_back(
          {{"name", name}, {"ty", is_object(handler) ? "VIRTUAL_OBJECT" : "SERVICE"}, {"handlers", Json::array()}});
      service = std::prev(services.end());
    }
    (*service)["handlers"].push_back(handler_json(handler, handler.retention, version));
  }
  return Json{{"protocolMode", "REQUEST_RESPONSE"},
              {"minProtocolVersion", kOldestProtocol},
              {"maxProtocolVersion", kNewestProtocol},
              {"services", services}}
      .dump();
}

}  // namespace flowrun::restate

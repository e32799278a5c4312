// What a worker says of itself when a server registers it: its services, in each version of the manifest that servers
// ask for. Pure. The source is endpoint_manifest_schema.json of the server.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/restate/handler.h"

namespace flowrun::restate {

constexpr int kOldestManifest = 1, kNewestManifest = 3;

/// The newest version that |accept| lists and this program writes; nothing listed: the oldest. 0: there is none.
int manifest_version(std::string_view accept);
std::string manifest_content_type(int version);
/// |more| beside the handler `step` of |pool|.
std::string manifest_text(int version, std::string_view pool, const std::vector<OfferedHandler>& more);

}  // namespace flowrun::restate

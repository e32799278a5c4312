// What is made up for a new run, and who asks for it: from chance and from the machine, so that it becomes data once.
#pragma once

#include <string>

#include "engine/model/time.h"

namespace flowrun {

/// NAME-YYYYMMDD-HHMMSS-xxxx with four characters of Crockford's base32.
std::string made_up_id(const std::string& name, Instant at);

struct HostIdentity {
  std::string host, boot_id, pid_namespace;
};
HostIdentity host_identity();

int cpu_count();

/// Who sends mail to runs: `ann@desk`.
std::string sender();

}  // namespace flowrun

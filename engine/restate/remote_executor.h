// An executor whose attempts are carried out elsewhere: each is a call through the ingress of a Restate server, by a
// name that is the same after a crash, so that it is carried out once however often it is sent.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/executor/executor.h"
#include "engine/model/secret.h"
#include "engine/restate/place.h"

namespace flowrun::restate {

struct RemoteOptions {
  Place place;
  std::string run_id, folder, file;   ///< as in StepCall
  std::vector<SecretSource> secrets;  ///< of the workflow
  std::set<std::string> begun;        ///< calls that an earlier drive has sent
};

/// REQUIRES: check_server() had nothing to say, and each task has a `call`.
std::unique_ptr<Executor> make_remote_executor(RemoteOptions options);

}  // namespace flowrun::restate

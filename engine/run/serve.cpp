#include "engine/run/serve.h"

#include <fmt/format.h>

#include <filesystem>

#include "engine/model/error.h"
#include "engine/restate/endpoint.h"
#include "engine/restate/step_call.h"
#include "engine/run/detached_handlers.h"

namespace flowrun {

void serve(const ServeOptions& options, const ServeObserver& observer) {
  if (options.pool.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
      std::string::npos)
    throw Error(
        Problem::Usage,
        fmt::format("`{}` can not be the name of a pool: it has letters, digits, `.`, `_` and `-`", options.pool));
  restate::WorkerOptions worker_options;
  worker_options.listen = options.listen;
  worker_options.pool = options.pool;
  worker_options.workdir = options.workdir;
  worker_options.state = std::filesystem::absolute(options.journal).parent_path() / "worker";
  worker_options.jobs = options.jobs;
  worker_options.keys = options.keys;
  worker_options.more = detached_handlers();
  restate::Endpoint endpoint(std::move(worker_options), observer.say);
  observer.ready({endpoint.address(), restate::service_name(options.pool), endpoint.leftovers()});
  endpoint.serve(observer.asked);
}

}  // namespace flowrun

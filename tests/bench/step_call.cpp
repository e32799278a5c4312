// What a worker is asked for one GET of URL: the body of a call of `step`, on standard output.
//
//   bench_step_call URL
#include <cstdio>
#include <string>

#include "engine/restate/step_call.h"

using namespace flowrun;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  restate::StepCall call;
  call.run_id = "bench";
  call.folder = "/";
  call.task.path = "get";
  call.task.call = "bench/get/1";
  HttpRequest request;
  request.url = argv[1];
  call.task.work = std::move(request);
  std::fputs(to_text(call).c_str(), stdout);
}

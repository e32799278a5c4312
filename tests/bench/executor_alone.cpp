// flowrun's executor without machine and journal: COUNT GETs of URL, WIDTH at a time.
//
//   bench_executor WIDTH COUNT URL FOLDER
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/executor/executor.h"

using namespace flowrun;

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const int width = std::atoi(argv[1]), count = std::atoi(argv[2]);
  ExecutorOptions options;
  options.run_id = "bench";
  options.token = "bench";
  options.run_dir = argv[4];
  auto executor = make_worker_pool(options);
  int begun = 0, ended = 0;
  auto begin = [&] {
    Task task;
    task.path = "each[" + std::to_string(begun++) + "]";
    HttpRequest request;
    request.url = argv[3];
    task.work = std::move(request);
    executor->begin(std::move(task));
  };
  while (begun < std::min(width, count)) begin();
  while (ended < count) {
    std::vector<Event> happened;
    executor->wait(happened, Duration{1000});
    for (const Event& event : happened) {
      const auto* end = std::get_if<TaskEnded>(&event.fact);
      if (!end) continue;
      if (!end->result.ok()) {
        std::fprintf(stderr, "%s\n", end->result.failure->message.c_str());
        return 1;
      }
      ++ended;
      if (begun < count) begin();
    }
  }
}

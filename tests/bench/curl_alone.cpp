// libcurl and nothing else: COUNT GETs of URL, WIDTH at a time, each with the little memory that flowrun asks for.
//
//   bench_curl WIDTH COUNT URL
#include <curl/curl.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "tests/bench/many_files.h"

namespace {

std::size_t drop(char*, std::size_t size, std::size_t count, void*) { return size * count; }

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const int width = std::atoi(argv[1]), count = std::atoi(argv[2]);
  open_many_files();
  CURLM* all = curl_multi_init();
  curl_multi_setopt(all, CURLMOPT_MAXCONNECTS, static_cast<long>(width));
  std::vector<CURL*> requests;
  int begun = 0, ended = 0, running = 0, left = 0;
  for (; begun < std::min(width, count); ++begun) {
    CURL* request = requests.emplace_back(curl_easy_init());
    curl_easy_setopt(request, CURLOPT_URL, argv[3]);
    curl_easy_setopt(request, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(request, CURLOPT_BUFFERSIZE, 2048L);
    curl_multi_add_handle(all, request);
  }
  while (ended < count) {
    curl_multi_perform(all, &running);
    while (const CURLMsg* message = curl_multi_info_read(all, &left)) {
      if (message->data.result != CURLE_OK) return 1;
      CURL* request = message->easy_handle;
      ++ended;
      curl_multi_remove_handle(all, request);
      if (begun == count) continue;
      ++begun;
      curl_multi_add_handle(all, request);
    }
    if (ended < count) curl_multi_poll(all, nullptr, 0, 1000, nullptr);
  }
  for (CURL* request : requests) {
    curl_multi_remove_handle(all, request);
    curl_easy_cleanup(request);
  }
  curl_multi_cleanup(all);
}

// One HTTP exchange: options for libcurl before, a result after. Knows neither loop nor other transfers.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "engine/model/outcome.h"
#include "engine/model/task.h"

namespace flowrun {

class Http;

/// Where a streamed body goes.
class BodyFile {
 public:
  ~BodyFile();
  bool open(const std::string& path);
  bool write(const char* bytes, std::size_t count);
  /// {path, size, sha256}; |name| is the path to tell. Closes the file.
  std::string close(const std::string& name);
  bool is_open() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
  void* digest_ = nullptr;
  std::uint64_t size_ = 0;
};

struct Transfer {
  Task task;
  std::string host;  ///< scheme://host:port
  Http* owner = nullptr;
  CURL* easy = nullptr;
  curl_slist* header_list = nullptr;
  std::FILE* upload = nullptr;
  std::chrono::steady_clock::time_point begun;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  BodyFile file;
  std::string file_name;  ///< relative to the run's folder
  bool too_large = false, file_broken = false, sent = false, sent_twice = false;
  long redirects_seen = -1;
  char trouble[CURL_ERROR_SIZE] = {};

  ~Transfer();
  const HttpRequest& request() const { return std::get<HttpRequest>(task.work); }
  /// Sets all options of |handle|. Not empty: why it can not begin.
  std::string prepare(CURL* handle, const std::string& run_dir);
  Result result(CURLcode code);

 private:
  Failure failure_of(CURLcode code, const std::string& url) const;
  bool expected(long status) const;
  std::variant<Value, Failure> body_value(const std::string& content_type);
  const std::string* header(const char* name) const;
};

}  // namespace flowrun

#include "engine/model/task.h"

#include <algorithm>

#include "engine/model/json_text.h"

namespace flowrun {

namespace {

/// An object; a name that is sent more than once has a list of its values.
void append_headers(std::string& out, const std::vector<std::pair<std::string, std::string>>& headers) {
  out += '{';
  for (auto header = headers.begin(); header != headers.end(); ++header) {
    const auto same = [&](const auto& other) { return other.first == header->first; };
    if (std::any_of(headers.begin(), header, same)) continue;
    if (header != headers.begin()) out += ',';
    append_json_string(out, header->first);
    out += ':';
    if (std::count_if(header, headers.end(), same) == 1) {
      append_json_string(out, header->second);
      continue;
    }
    out += '[';
    for (auto other = header; other != headers.end(); ++other) {
      if (!same(*other)) continue;
      if (other != header) out += ',';
      append_json_string(out, other->second);
    }
    out += ']';
  }
  out += '}';
}

void append(std::string& out, const HttpRequest& request, const std::string& key) {
  ObjectWriter object(out);
  object.text("method", request.method);
  object.text("url", request.url);
  if (key.empty()) {
    if (!request.headers.empty()) append_headers(object.member("headers"), request.headers);
  } else {
    auto headers = request.headers;
    std::erase_if(headers, [&](const auto& header) { return header.second == key; });
    if (!headers.empty()) append_headers(object.member("headers"), headers);
  }
  if (request.body) object.text("body", *request.body);
  object.text_if("file", request.body_file);
}

void append(std::string& out, const Process& process, const std::string&) {
  ObjectWriter object(out);
  std::string& argv = object.member("argv");
  argv += '[';
  for (std::size_t i = 0; i < process.argv.size(); ++i) {
    if (i > 0) argv += ',';
    append_json_string(argv, process.argv[i]);
  }
  argv += ']';
  if (!process.env.empty()) {
    std::string& env = object.member("env");
    env += '{';
    for (std::size_t i = 0; i < process.env.size(); ++i) {
      if (i > 0) env += ',';
      append_json_string(env, process.env[i].first);
      env += ':';
      if (process.env[i].second)
        append_json_string(env, *process.env[i].second);
      else
        env += "null";
    }
    env += '}';
  }
  object.text_if("stdin", process.stdin_text);
}

}  // namespace

// What reaches the other side, and nothing that `resume --workdir` may change (cwd, files of certificates): the hash
// of this text decides whether a resumed run may send it again. The idempotency key has a place of its own beside it.
std::string to_json_text(const Task& task) {
  std::string out;
  std::visit([&](const auto& work) { append(out, work, task.idempotency_key); }, task.work);
  return out;
}

}  // namespace flowrun

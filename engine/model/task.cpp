#include "engine/model/task.h"

#include <algorithm>
#include <utility>

#include "engine/model/json_text.h"

namespace flowrun {

namespace {

std::vector<Placeholder> placeholders_in(const TaskPlaceholders& placeholders, TaskPlaceholder::In in,
                                         std::size_t index = 0) {
  std::vector<Placeholder> found;
  for (const TaskPlaceholder& placeholder : placeholders)
    if (placeholder.in == in && placeholder.index == index) found.push_back(placeholder.placeholder);
  return found;
}

void append_header(std::string& out, const HttpRequest& request, std::size_t index) {
  const std::string& text = request.headers[index].second;
  if (auto basic = placeholders_in(request.placeholders, TaskPlaceholder::In::Basic, index); !basic.empty())
    append_secret_text(out, text, basic, "$basic");
  else
    append_secret_text(out, text, placeholders_in(request.placeholders, TaskPlaceholder::In::Header, index));
}

/// An object; a name that is sent more than once has a list of its values.
void append_headers(std::string& out, const HttpRequest& request, const auto& left_out) {
  const auto& headers = request.headers;
  out += '{';
  bool first = true;
  for (auto header = headers.begin(); header != headers.end(); ++header) {
    const auto same = [&](const auto& other) { return other.first == header->first; };
    if (left_out(*header) || std::any_of(headers.begin(), header, same)) continue;
    if (!std::exchange(first, false)) out += ',';
    append_json_string(out, header->first);
    out += ':';
    if (std::count_if(header, headers.end(), same) == 1) {
      append_header(out, request, static_cast<std::size_t>(header - headers.begin()));
      continue;
    }
    out += '[';
    for (auto other = header; other != headers.end(); ++other) {
      if (!same(*other)) continue;
      if (other != header) out += ',';
      append_header(out, request, static_cast<std::size_t>(other - headers.begin()));
    }
    out += ']';
  }
  out += '}';
}

void append_parts(std::string& out, const HttpRequest& request) {
  ListWriter list(out);
  for (std::size_t i = 0; i < request.parts.size(); ++i) {
    const FormPart& part = request.parts[i];
    ObjectWriter object(list.next());
    object.text("name", part.name);
    if (part.file.empty())
      append_secret_text(object.member("text"), part.text,
                         placeholders_in(request.placeholders, TaskPlaceholder::In::Part, i));
    object.text_if("file", part.file);
    object.text_if("filename", part.filename);
    object.text_if("type", part.type);
  }
}

void append(std::string& out, const HttpRequest& request, const std::string& key) {
  ObjectWriter object(out);
  object.text("method", request.method);
  append_secret_text(object.member("url"), request.url,
                     placeholders_in(request.placeholders, TaskPlaceholder::In::Url));
  // The key of the run has its own place beside the input.
  auto is_key = [&](const auto& header) { return !key.empty() && header.second == key; };
  if (!std::all_of(request.headers.begin(), request.headers.end(), is_key))
    append_headers(object.member("headers"), request, is_key);
  if (request.body)
    append_secret_text(object.member("body"), *request.body,
                       placeholders_in(request.placeholders, TaskPlaceholder::In::Body));
  object.text_if("file", request.body_file);
  if (!request.parts.empty()) append_parts(object.member("multipart"), request);
  object.text_if("unix", request.unix_socket);
}

void append(std::string& out, const std::vector<std::string>& words) {
  ListWriter list(out);
  for (const std::string& word : words) list.text(word);
}

void append(std::string& out, const Process& process, const std::string&) {
  ObjectWriter object(out);
  append(object.member("argv"), process.argv);
  if (!process.via.empty()) append(object.member("via"), process.via);
  if (!process.env.empty()) {
    std::string& env = object.member("env");
    env += '{';
    for (std::size_t i = 0; i < process.env.size(); ++i) {
      if (i > 0) env += ',';
      append_json_string(env, process.env[i].first);
      env += ':';
      if (process.env[i].second)
        append_secret_text(env, *process.env[i].second,
                           placeholders_in(process.placeholders, TaskPlaceholder::In::Variable, i));
      else
        env += "null";
    }
    env += '}';
  }
  if (auto placeholders = placeholders_in(process.placeholders, TaskPlaceholder::In::Stdin);
      !placeholders.empty() || !process.stdin_text.empty())
    append_secret_text(object.member("stdin"), process.stdin_text, placeholders);
}

}  // namespace

void set_idempotency_key(Task& task, std::string key) {
  if (key == task.idempotency_key) return;
  if (auto* request = std::get_if<HttpRequest>(&*task.work))
    for (auto& [name, value] : request->headers)
      if (value == task.idempotency_key) value = key;
  task.idempotency_key = std::move(key);
}

Value concealed_output() { return Value::string("***"); }

Failure unreadable_output() { return {"parse", "what came back is not what `response` or `capture` asks for"}; }

const TaskPlaceholders& placeholders_of(const Task& task) {
  if (const auto* process = std::get_if<Process>(&*task.work)) return process->placeholders;
  return std::get<HttpRequest>(*task.work).placeholders;
}

std::vector<std::string*> files_of(HttpRequest& request) {
  std::vector<std::string*> files{&request.body_file, &request.ca, &request.cert, &request.key, &request.unix_socket};
  for (FormPart& part : request.parts) files.push_back(&part.file);
  std::erase_if(files, [](const std::string* file) { return file->empty(); });
  return files;
}

std::vector<std::size_t> files_in(std::string_view text, const HttpRequest& request) {
  // The same words within a string have backslashes before their quotes.
  std::vector<std::size_t> begins;
  const auto add = [&](std::string_view member, std::size_t from) {
    while ((from = text.find(member, from)) != text.npos) begins.push_back(from += member.size());
  };
  if (!request.body_file.empty()) add("\"file\":\"", text.rfind("\"file\":\""));
  if (!request.parts.empty()) add("\"file\":\"", text.rfind("\"multipart\":["));
  if (!request.unix_socket.empty()) add("\"unix\":\"", text.rfind("\"unix\":\""));
  return begins;
}

// What reaches the other side, and nothing that `resume --workdir` may change (cwd, files of certificates): the hash
// of this text decides whether a resumed run may send it again. The idempotency key has a place of its own beside it.
std::string to_json_text(const Task& task) {
  std::string out;
  out.reserve(256);  // most are shorter, and would grow four times
  std::visit([&](const auto& work) { append(out, work, task.idempotency_key); }, *task.work);
  return out;
}

}  // namespace flowrun

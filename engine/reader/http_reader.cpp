// Reads http.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "engine/expression/pattern.h"
#include "engine/language/keys.h"
#include "engine/model/encode.h"
#include "engine/reader/readers.h"
#include "engine/steps/http.h"

namespace flowrun {
namespace {

void read_expect(Reading& reading, HttpStep& step, const Node& whole, const Node& node) {
  auto add = [&](const Node& one) {
    static const Pattern kClass("([1-5])xx"), kOne("[1-5][0-9][0-9]"), kRange("([1-5][0-9][0-9])-([1-5][0-9][0-9])");
    if (one.text == "any") {
      step.expect.clear();
    } else if (kClass.whole(one.text)) {
      int first = (one.text[0] - '0') * 100;
      step.expect.push_back({first, first + 99});
    } else if (kOne.whole(one.text)) {
      step.expect.push_back({std::stoi(one.text), std::stoi(one.text)});
    } else if (auto found = kRange.whole(one.text); found && (*found)[1] <= (*found)[2]) {
      step.expect.push_back({std::stoi(std::string((*found)[1])), std::stoi(std::string((*found)[2]))});
    } else {
      reading.error("E102", one.at, one.text.size(), fmt::format("`expect` does not know `{}`", one.text),
                    "for example 200, 2xx, 200-204, [200, 404] or any");
    }
  };
  auto statuses = [&](const Node& what) {
    step.expect.clear();
    if (what.is_list()) {
      for (const Node& one : what.items) add(one);
    } else {
      add(what);
    }
  };
  if (!node.is_map()) return statuses(node);
  reading.only(node, names_within("expect"), "`expect`");
  if (const Node* key = node.find("status")) statuses(*key);
  if (const Node* key = node.find("if")) {
    RawBinding raw(reading, whole);
    step.expect_condition = reading.values().condition_expression(*key);
  }
}

void read_url(Reading& reading, HttpStep& step, const Node& node) {
  if (!reading.is(node, Node::Kind::String, "http", "[METHOD] URL")) return;
  static const Pattern kMethod(R"(^(\s*([A-Za-z]+)\s+)\S)");
  Node url = node;
  std::size_t behind_method = 0;
  if (auto found = kMethod.first(node.text)) {
    step.method = (*found)[2];
    const std::vector<std::string>& methods = http_methods();
    if (std::find(methods.begin(), methods.end(), step.method) == methods.end()) {
      std::string upper = step.method;
      for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      std::string near = nearest(upper, methods);
      reading.error("E102", node.at, step.method.size(), fmt::format("no method `{}`", step.method),
                    near.empty() ? "GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS" : "did you mean `" + near + "`?");
    }
    behind_method = (*found)[1].size();
    url.text = node.text.substr(behind_method);
    if (!url.block) url.at.column += static_cast<int>(behind_method);
  }
  {
    Reading::Within secrets(reading, allow_secrets);
    step.url = reading.values().text(node, behind_method);
  }
  if (step.url.constant() && !step.url.parts.empty()) {
    const std::string& text = std::get<std::string>(step.url.parts.front());
    static const Pattern kWord("[A-Z]+");
    bool only_method = kWord.whole(text).has_value();
    if (text.rfind("http://", 0) != 0 && text.rfind("https://", 0) != 0)
      reading.error("E102", url.at, url.text.size(), fmt::format("`{}` is no http or https URL", text),
                    only_method || text.find("://") != std::string::npos ? "[METHOD] URL, for example GET https://..."
                    : text.starts_with('$')                              ? "an expression has braces: ${ " + text + " }"
                                                                         : "write https://" + text);
  } else if (url.text.find_first_not_of(" \t\n") == std::string::npos) {
    reading.error("E102", node.at, node.text.size(), "there is no URL", "[METHOD] URL, for example GET https://...");
  }
}

/// Tells what is wrong with headers whatever the expressions in them yield.
void check_headers(Reading& reading, const Node& headers) {
  for (const Member& header : headers.members) {
    const bool written = header.value.is_scalar() && header.value.text.find("${") == std::string::npos;
    if (std::string fault = header_fault(header.key, ""); !fault.empty())
      reading.error("E102", header.at, header.key.size(), fault, "leave it out");
    else if (fault = header_fault(header.key, written ? header.value.text : ""); !fault.empty())
      reading.error("E102", header.value.at, header.value.text.size(), fault);
  }
}

void read_auth(Reading& reading, HttpStep& step, const Node& node) {
  if (node.is_string() && node.text == "none") return;
  if (!reading.is(node, Node::Kind::Map, "auth", "a map or none")) return;
  reading.only(node, names_within("auth"), "`auth`");
  if (node.members.size() != 1)
    reading.error("E102", node.at, 1, "`auth` takes one of bearer, basic, header",
                  "for example { bearer: \"${ $secrets.token }\" }");
  auto must_be_text = [&](const Node& given, const char* name) {
    if (!given.is_scalar()) reading.is(given, Node::Kind::String, name, "text");
  };
  if (const Node* bearer = node.find("bearer")) must_be_text(*bearer, "bearer");
  if (const Node* basic = node.find("basic");
      basic && reading.is(*basic, Node::Kind::Map, "basic", "a map of `user` and `password`"))
    for (const char* part : {"user", "password"}) {
      const Node* given = basic->find(part);
      if (given) must_be_text(*given, part);
      if (!given) {
        reading.error("E110", basic->at, 1, fmt::format("`basic` needs `{}`", part));
      } else if (part == std::string_view("user") && given->is_scalar() && given->text.find(':') != std::string::npos &&
                 given->text.find("${") == std::string::npos) {
        reading.error("E102", given->at, given->text.size(),
                      "a `:` in the user, which ends it: servers take the rest for the password");
      }
    }
  if (const Node* header = node.find("header"))
    if (reading.is(*header, Node::Kind::Map, "header", "{ NAME: value }")) check_headers(reading, *header);
  step.auth = reading.values().value(node);
}

/// |listed|: in a list, where it says its name.
void check_part(Reading& reading, const Node& part, bool listed = false) {
  if (part.is_scalar() && !listed) return;
  if (!reading.is(part, Node::Kind::Map, "multipart", "a text or a map of `file`, `text` or `json`")) return;
  reading.only(part, names_within("multipart"), "a part of `multipart`");
  if (listed != (part.find("name") != nullptr))
    reading.error(listed ? "E110" : "E102", part.at, 1,
                  listed ? "a part in a list needs `name`" : "the name of a part stands before it",
                  listed ? "for example { name: key, text: a/b.pdf }" : "leave `name` out");
  const auto contents = std::count_if(part.members.begin(), part.members.end(), [](const Member& member) {
    return member.key == "file" || member.key == "text" || member.key == "json";
  });
  if (contents != 1)
    reading.error("E102", part.at, 1, "a part of `multipart` takes one of file, text, json",
                  "for example { file: report.pdf, type: application/pdf }");
  for (const char* name : {"name", "file", "text", "filename", "type"})
    if (const Node* text = part.find(name); text && !text->is_scalar())
      reading.is(*text, Node::Kind::String, name, name == std::string_view("file") ? "the path of a file" : "text");
  if (const Node* file = part.find("file")) reading.must_exist(*file, file->text, "E306");
  for (const char* name : {"file", "filename", "type"})
    if (const Node* shown = part.find(name); shown && shown->text.find("$secrets") != std::string::npos)
      reading.error("E401", shown->at, shown->text.size(), "a secret may not flow here: others could see it",
                    "it may be a `text`, or stand within `json`");
}

void check_parts(Reading& reading, const Node& fields) {
  if (fields.is_string() && fields.text.find("${") != std::string::npos) return;
  if (fields.is_list() && !fields.items.empty()) {
    for (const Node& one : fields.items) check_part(reading, one, true);
    return;
  }
  if (!reading.is(fields, Node::Kind::Map, "multipart", "a map of fields, or a list of them")) return;
  if (fields.members.empty())
    reading.error("E102", fields.at, 1, "there is no field in `multipart`",
                  "for example { file: { file: report.pdf } }");
  for (const Member& field : fields.members) {
    if (!field.value.is_list()) {
      check_part(reading, field.value);
      continue;
    }
    for (const Node& one : field.value.items) check_part(reading, one);
  }
}

/// json, form, text, file or multipart.
void read_body(Reading& reading, HttpStep& step, const Node& node) {
  const Member* body = nullptr;
  for (const auto& [name, kind] : {std::pair<const char*, HttpStep::Body>{"json", HttpStep::Body::Json},
                                   {"form", HttpStep::Body::Form},
                                   {"text", HttpStep::Body::Text},
                                   {"file", HttpStep::Body::File},
                                   {"multipart", HttpStep::Body::Multipart}}) {
    const Member* member = node.member(name);
    if (!member) continue;
    if (body) {
      reading.error("E106", member->at, member->key.size(),
                    fmt::format("two bodies, `{}` and `{}`: a request has one", body->key, member->key));
      continue;
    }
    body = member;
    step.body = kind;
    // The name of a file is journaled and shown, so it is no place for a secret.
    const bool secret = kind != HttpStep::Body::File;
    Reading::Within content(reading, [&](ReadingContext& context) { context.secrets_allowed = secret; });
    step.content = reading.values().value(member->value);
    if (kind == HttpStep::Body::Multipart) check_parts(reading, member->value);
    bool expression = member->value.is_string() && member->value.text.find("${") != std::string::npos;
    if (kind == HttpStep::Body::Form && !expression) reading.is(member->value, Node::Kind::Map, "form", "a map");
    bool text = kind == HttpStep::Body::Text || kind == HttpStep::Body::File;
    if (text && (!member->value.is_scalar() || member->value.kind == Node::Kind::Null))
      reading.is(member->value, Node::Kind::String, name, kind == HttpStep::Body::File ? "the path of a file" : "text");
  }
  if (body && (step.method == "GET" || step.method == "HEAD"))
    reading.error("E106", body->at, body->key.size(), fmt::format("a {} has no body", step.method),
                  "write http: POST URL");
}

void read_redirects(Reading& reading, HttpStep& step, const Node& node) {
  if (node.kind == Node::Kind::Boolean) {
    step.max_redirects = node.json().get<bool>() ? 10 : 0;
  } else if (node.is_string() && node.text.find("${") == std::string::npos) {
    reading.error("E102", node.at, node.text.size(),
                  fmt::format("`follow_redirects` must be a count, true or false, not `{}`", node.text));
  } else if (auto count = reading.values().plain_count(node, "follow_redirects", 0)) {
    step.max_redirects = static_cast<int>(std::min<std::int64_t>(*count, 1000));
  }
}

void read_tls(Reading& reading, HttpStep& step, const Node& node) {
  if (!reading.is(node, Node::Kind::Map, "tls", "a map")) return;
  reading.only(node, names_within("tls"), "`tls`");
  for (auto [name, into] : {std::pair<const char*, std::optional<TextTemplate>*>{"ca", &step.ca},
                            {"cert", &step.cert},
                            {"key", &step.key_file}})
    if (const Node* key = node.find(name)) {
      *into = reading.values().text(*key);
      reading.must_exist(*key, key->text, "E306");
    }
  if (const Node* key = node.find("verify"))
    step.verify = reading.values().plain_boolean(*key, "verify").value_or(true);
}

}  // namespace

std::unique_ptr<CommonStep> read_http(Reading& reading, const Node& node) {
  auto step = std::make_unique<HttpStep>();
  reading.index().http = true;
  read_url(reading, *step, *node.find("http"));
  bool posts = step->method == "POST" || step->method == "PATCH";
  {
    Reading::Within secrets(reading, allow_secrets);
    for (auto [name, into] :
         {std::pair<const char*, ValueTemplate*>{"query", &step->query}, {"headers", &step->headers}})
      if (const Node* key = node.find(name))
        if (reading.is(*key, Node::Kind::Map, name, "a map")) *into = reading.values().value(*key);
    if (const Node* key = node.find("headers"); key && key->is_map()) check_headers(reading, *key);
    if (const Node* key = node.find("auth")) read_auth(reading, *step, *key);
    read_body(reading, *step, node);
  }
  if (const Node* key = node.find("idempotency_key")) {
    if (key->is_string() && key->text == "none") {
      step->idempotency = HttpStep::Key::None;
    } else if (!(key->is_string() && key->text == "auto")) {
      step->idempotency = HttpStep::Key::Own;
      step->own_key = reading.values().text(*key);
    }
  }
  if (const Node* key = node.find("expect")) read_expect(reading, *step, node, *key);
  if (const Node* key = node.find("response")) {
    const std::vector<std::string> words{"auto", "json", "text", "base64", "none", "file", "jsonl"};
    step->response = static_cast<HttpRequest::Response>(
        std::find(words.begin(), words.end(), reading.values().word(*key, "response", words)) - words.begin());
  }
  if (step->response == HttpRequest::Response::File) step->max_response = std::int64_t{64} << 30;
  if (const Node* key = node.find("max_response"))
    if (auto size = reading.values().size(*key, "max_response")) step->max_response = *size;
  if (const Node* key = node.find("follow_redirects")) read_redirects(reading, *step, *key);
  if (const Node* key = node.find("tls")) read_tls(reading, *step, *key);
  if (const Node* key = node.find("proxy")) step->proxy = reading.values().text(*key);
  if (const Node* key = node.find("unix")) step->unix_socket = reading.values().text(*key);
  if (const Node* key = node.find("connect_timeout"))
    step->connect_timeout = reading.values().duration(*key, "connect_timeout");
  if (const Node* key = node.find("idle_timeout")) step->idle_timeout = reading.values().duration(*key, "idle_timeout");

  // Repeating a GET is harmless; a POST is repeated when nothing was sent, or with its key when the workflow asks for
  // it.
  bool keyed = step->idempotency != HttpStep::Key::None;
  bool repeats = node.find("retry") && keyed;
  step->retry.attempts = Setting<std::int64_t>(3);
  step->retry.only_unsent = posts && !repeats;
  if (posts && !keyed) step->on_crash = OnCrash::Ask;
  std::vector<std::string> on{"transient"};
  if (posts && !repeats) on = {"connect", "dns"};
  read_work(reading, *step, node, std::move(on));
  read_effect(reading, *step, *step, node);
  read_paginate(reading, *step, node);
  read_memo(reading, *step, node);
  return step;
}

}  // namespace flowrun

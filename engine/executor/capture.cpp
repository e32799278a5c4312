#include "engine/executor/capture.h"

#include <fmt/format.h>

#include <utility>

#include "engine/model/encode.h"
#include "engine/model/json_scan.h"
#include "engine/model/json_text.h"

namespace flowrun {
namespace {

std::string start_of(std::string_view text) {
  return text.size() <= 60 ? std::string(text) : fmt::format("{}...", text.substr(0, whole_characters(text, 60)));
}

std::string_view without_line_break(std::string_view text) {
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return text;
}

/// Calls |each| with every line, the last one also without its line break.
template <typename Each>
void for_lines(std::string_view text, Each each) {
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    each(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

}  // namespace

Fallible<Value> json_value(std::string_view text, std::string_view what) {
  text = without_mark(text);
  if (!is_json(text)) {
    if (text.find_first_not_of(" \t\r\n") == text.npos)
      return parse_failure(fmt::format("{} is empty, but must be JSON", what));
    if (std::string why = why_no_json(text); !why.empty()) return parse_failure(fmt::format("{} {}", what, why));
    return parse_failure(fmt::format("{} is not JSON: {}", what, start_of(text)));
  }
  return Value::from_text(without_blanks(text));
}

Fallible<Value> json_lines(std::string_view text, std::string_view what) {
  std::string list = "[";
  std::size_t number = 0;
  std::optional<Failure> failure;
  for_lines(text, [&](std::string_view line) {
    ++number;
    if (failure || line.find_first_not_of(" \t\r") == std::string_view::npos) return;
    auto value = json_value(line, fmt::format("line {} of {}", number, what));
    if (auto* wrong = std::get_if<Failure>(&value)) {
      failure = std::move(*wrong);
      return;
    }
    if (list.size() > 1) list += ',';
    list += std::get<Value>(value).text();
  });
  if (failure) return std::move(*failure);
  list += ']';
  return Value::from_text(std::move(list));
}

Fallible<Value> captured(Process::Capture capture, const std::string& output,
                         const std::optional<std::string>& written) {
  switch (capture) {
    case Process::Capture::None:
      return Value();
    case Process::Capture::Text:
      return Value::string(without_line_break(output));
    case Process::Capture::Json:
      return json_value(output, "standard output");
    case Process::Capture::File:
      if (!written) return parse_failure("`capture: file`, but nothing was written to $FLOWRUN_OUTPUT");
      return json_value(*written, "$FLOWRUN_OUTPUT");
    case Process::Capture::Lines: {
      std::string list = "[";
      for_lines(without_mark(output), [&](std::string_view line) {
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (list.size() > 1) list += ',';
        append_json_string(list, line);
      });
      list += ']';
      return Value::from_text(std::move(list));
    }
    case Process::Capture::Jsonl:
      return json_lines(output, "standard output");
    case Process::Capture::Base64:
      return Value::string(base64(output));
  }
  return Value();
}

Value cut_value(std::string_view head, std::string_view tail, std::int64_t left_out) {
  // Not from within a character.
  while (!tail.empty() && (static_cast<unsigned char>(tail.front()) & 0xc0) == 0x80) tail.remove_prefix(1);
  std::string text = fmt::format("{{\"left_out\":{},\"head\":", left_out);
  append_json_string(text, head);
  text += ",\"tail\":";
  append_json_string(text, tail);
  return Value::from_text(text + "}");
}

std::string tail_lines(const std::string& text, std::size_t lines) {
  std::size_t from = text.size();
  if (from > 0 && text.back() == '\n') --from;
  while (lines-- > 0 && from != std::string::npos && from > 0) {
    std::size_t before = text.rfind('\n', from - 1);
    if (before == std::string::npos) {
      from = 0;
      break;
    }
    from = before;
  }
  std::string tail = text.substr(from > 0 && text[from] == '\n' ? from + 1 : from);
  if (!tail.empty() && tail.back() == '\n') tail.pop_back();
  // Through JSON and back: what is no UTF-8 becomes U+FFFD.
  return Json::parse(Json(tail).dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
}

}  // namespace flowrun

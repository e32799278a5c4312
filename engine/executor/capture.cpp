#include "engine/executor/capture.h"

#include <fmt/format.h>

namespace flowrun {
namespace {

Failure parse_failure(std::string message) { return {"parse", std::move(message), "", 0, {}}; }

std::string start_of(const std::string& text) { return text.size() <= 60 ? text : text.substr(0, 60) + "..."; }

std::string_view without_line_break(std::string_view text) {
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return text;
}

std::variant<Value, Failure> as_json(const std::string& text, const char* what) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) {
    if (text.find_first_not_of(" \t\r\n") == std::string::npos)
      return parse_failure(fmt::format("{} is empty, but must be JSON", what));
    return parse_failure(fmt::format("{} is not JSON: {}", what, start_of(text)));
  }
  return Value::from_text(json.dump());
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

std::variant<Value, Failure> captured(Process::Capture capture, const std::string& output,
                                      const std::optional<std::string>& written) {
  switch (capture) {
    case Process::Capture::None:
      return Value();
    case Process::Capture::Text:
      return Value::string(without_line_break(output));
    case Process::Capture::Json:
      return as_json(output, "standard output");
    case Process::Capture::File:
      if (!written) return parse_failure("`capture: file`, but nothing was written to $FLOWRUN_OUTPUT");
      return as_json(*written, "$FLOWRUN_OUTPUT");
    case Process::Capture::Lines: {
      std::string list = "[";
      for_lines(output, [&](std::string_view line) {
        if (list.size() > 1) list += ',';
        append_json_string(list, line);
      });
      return Value::from_text(list + "]");
    }
    case Process::Capture::Jsonl: {
      std::string list = "[";
      std::size_t number = 0;
      std::optional<Failure> failure;
      for_lines(output, [&](std::string_view line) {
        ++number;
        if (failure || line.find_first_not_of(" \t\r") == std::string_view::npos) return;
        Json json = Json::parse(line, nullptr, false);
        if (json.is_discarded()) {
          failure = parse_failure(
              fmt::format("line {} of standard output is not JSON: {}", number, start_of(std::string(line))));
          return;
        }
        if (list.size() > 1) list += ',';
        list += json.dump();
      });
      if (failure) return std::move(*failure);
      return Value::from_text(list + "]");
    }
  }
  return Value();
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

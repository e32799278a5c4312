#include "engine/run/otlp.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "engine/executor/answer.h"
#include "engine/model/encode.h"
#include "engine/model/json_text.h"
#include "engine/model/value.h"
#include "engine/run/redaction.h"

namespace flowrun {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t kMostText = 8192;  // of one attribute

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes += text[i];
      continue;
    }
    unsigned byte = 0;
    const char* digits = text.data() + i + 1;
    if (i + 2 >= text.size() || std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2) return std::nullopt;
    bytes += static_cast<char>(byte);
    i += 2;
  }
  return bytes;
}

/// `NAME=VALUE,NAME=VALUE`, the values percent-encoded. Nothing: it is not written so.
std::optional<Pairs> pairs(std::string_view text) {
  Pairs all;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view one = trimmed(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (one.empty()) continue;
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const auto name = percent_decoded(trimmed(one.substr(0, equals)));
    const auto value = percent_decoded(trimmed(one.substr(equals + 1)));
    if (!name || name->empty() || !value || !is_utf8(*name) || !is_utf8(*value)) return std::nullopt;
    all.emplace_back(*name, *value);
  }
  return all;
}

void append_value(std::string& out, const Span::Attribute& value) {
  ObjectWriter object(out);
  if (const auto* text = std::get_if<std::string>(&value)) {
    object.text("stringValue", shortened(*text, kMostText));
  } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
    object.text("intValue", std::to_string(*number));
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    object.boolean("boolValue", *flag);
  } else {
    std::string& list = object.member("arrayValue");
    ObjectWriter array(list);
    ListWriter values(array.member("values"));
    for (const std::string& one : std::get<std::vector<std::string>>(value)) append_value(values.next(), one);
  }
}

void append_attributes(std::string& out, const auto& attributes) {
  ListWriter list(out);
  for (const auto& [key, value] : attributes) {
    ObjectWriter attribute(list.next());
    attribute.text("key", key);
    append_value(attribute.member("value"), value);
  }
}

/// Of all that speak for the process that reports: the resource.
std::string head_of(const Pairs& resource) {
  std::string head = R"({"resourceSpans":[{"resource":{"attributes":)";
  append_attributes(head, resource);
  head += R"(},"scopeSpans":[{"scope":{"name":"flowrun","version":")" FLOWRUN_VERSION R"("},"spans":[)";
  return head;
}

std::string nanos(Instant at) { return std::to_string(to_millis(at)) + "000000"; }

bool is_http(std::string_view url) {
  const bool scheme = url.starts_with("http://") || url.starts_with("https://");
  const std::string_view host = scheme ? url.substr(url.find("://") + 3) : "";
  return !host.empty() && host.find_first_of("/?#") != 0;
}

/// Reads the variables one after the other, and notes what is wrong with them.
class Variables {
 public:
  Variables(const std::function<const char*(const char*)>& variable, OtlpSettings& settings)
      : variable_(variable), settings_(settings) {}

  /// An empty one is one that is not set.
  std::string value(const char* name) const {
    const char* text = variable_(name);
    return std::string(trimmed(text ? text : ""));
  }
  /// That of the signal goes before that of all.
  std::pair<const char*, std::string> traces_or_all(const char* of_traces, const char* of_all) const {
    if (std::string text = value(of_traces); !text.empty()) return {of_traces, std::move(text)};
    return {of_all, value(of_all)};
  }
  void fault(const char* name, std::string_view what) { settings_.faults.push_back(fmt::format("{}: {}", name, what)); }

  void read_endpoint() {
    auto [name, url] = traces_or_all("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT");
    if (url.empty()) return;
    if (!is_http(url) || !header_fault("x", url).empty())
      return fault(name, "it is no URL of http or https; no spans are sent");
    if (const auto [of, word] = traces_or_all("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL");
        word == "grpc")
      return fault(of, "flowrun speaks http/json, mostly at port 4318 of a collector; no spans are sent");
    // As it is, when it is that of traces.
    if (std::string_view(name) == "OTEL_EXPORTER_OTLP_ENDPOINT") {
      const std::size_t end = std::min(url.find_first_of("?#"), url.size());
      url.insert(end, url[end - 1] == '/' ? "v1/traces" : "/v1/traces");
    }
    settings_.target.url = sendable_url(url);
    // A query may be a key.
    settings_.shown = url_to_tell(url.substr(0, url.find('?')));
  }

  /// Whether OTEL_TRACES_EXPORTER names others, or none.
  bool exports_elsewhere() const {
    std::string list = value("OTEL_TRACES_EXPORTER");
    if (list.empty()) return false;
    list.insert(0, ",").append(",");
    std::erase(list, ' ');
    return list.find(",otlp,") == std::string::npos;
  }

  void read_headers() {
    const auto [name, text] = traces_or_all("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS");
    auto headers = pairs(text);
    // What a header says may be a key: it is not repeated.
    const bool good = headers && std::all_of(headers->begin(), headers->end(), [](const auto& header) {
                        return header_fault(header.first, header.second).empty();
                      });
    if (!good) return fault(name, "write NAME=VALUE,NAME=VALUE with percent-encoded values; it is left out");
    settings_.target.headers = std::move(*headers);
  }

  void read_timeout() {
    const auto [name, text] = traces_or_all("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT");
    if (text.empty()) return;
    std::int64_t ms = 0;
    const char* end = text.data() + text.size();
    if (std::from_chars(text.data(), end, ms).ptr != end || ms <= 0 || ms > 3'600'000)
      return fault(name, "it is no number of milliseconds; 10000 are taken");
    settings_.target.timeout = Duration(ms);
  }

  void read_resource() {
    Pairs resource{{"service.name", "flowrun"},
                   {"telemetry.sdk.name", "flowrun"},
                   {"telemetry.sdk.language", "cpp"},
                   {"telemetry.sdk.version", FLOWRUN_VERSION}};
    const auto put = [&](const std::string& key, const std::string& value) {
      const auto known = std::find_if(resource.begin(), resource.end(), [&](auto& one) { return one.first == key; });
      if (known != resource.end())
        known->second = value;
      else
        resource.emplace_back(key, value);
    };
    if (const auto attributes = pairs(value("OTEL_RESOURCE_ATTRIBUTES"))) {
      for (const auto& [key, text] : *attributes) put(key, text);
    } else {
      fault("OTEL_RESOURCE_ATTRIBUTES", "write NAME=VALUE,NAME=VALUE with percent-encoded values; it is left out");
    }
    if (const std::string name = value("OTEL_SERVICE_NAME"); !name.empty()) put("service.name", name);
    settings_.target.head = head_of(resource);
    settings_.target.tail = "]}]}]}";
  }

 private:
  const std::function<const char*(const char*)>& variable_;
  OtlpSettings& settings_;
};

}  // namespace

OtlpSettings otlp_settings(const std::function<const char*(const char*)>& variable) {
  OtlpSettings settings;
  Variables reader(variable, settings);
  if (const std::string text = reader.value("TRACEPARENT"); trace_parent(text))
    settings.tracing.traceparent = as_version_00(text);
  reader.read_resource();
  const bool off = in_small_letters(reader.value("OTEL_SDK_DISABLED")) == "true" || reader.exports_elsewhere();
  if (!off) reader.read_endpoint();
  if (settings.target.url.empty()) {
    // Of what is not used nobody wants to hear.
    if (off || (reader.value("OTEL_EXPORTER_OTLP_ENDPOINT").empty() &&
                reader.value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").empty()))
      settings.faults.clear();
    return settings;
  }
  reader.read_headers();
  reader.read_timeout();
  settings.tracing.recorded = true;
  return settings;
}

std::string to_otlp(const Trace& trace, const Span& span) {
  std::string out;
  out.reserve(1024);
  {
    ObjectWriter object(out);
    object.text("traceId", trace.id());
    object.text("spanId", span.id);
    object.text_if("parentSpanId", span.parent);
    object.text("name", span.name);
    object.number("kind", static_cast<int>(span.kind));
    object.text("startTimeUnixNano", nanos(span.from));
    object.text("endTimeUnixNano", nanos(span.to));
    append_attributes(object.member("attributes"), span.attributes);
    if (span.failed) {
      ObjectWriter status(object.member("status"));
      status.number("code", 2);
      status.text_if("message", shortened(span.message, kMostText));
    }
  }
  return out;
}

}  // namespace flowrun

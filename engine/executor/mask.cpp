#include "engine/executor/mask.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "engine/model/encode.h"
#include "engine/model/value.h"

namespace flowrun {
namespace {

constexpr std::string_view kStars = "***";

constexpr std::size_t kStart = 4;  // bytes by which patterns are told apart at first
static_assert(kStart <= Mask::kShortest);

std::uint16_t start_of(const char* text) {
  std::uint32_t bytes = 0;
  std::memcpy(&bytes, text, kStart);
  return static_cast<std::uint16_t>(bytes * 2654435761u >> 16);  // Knuth's multiplicative hash
}

std::string lower_hex(std::string text) {
  for (std::size_t i = 0; i + 2 < text.size(); ++i)
    if (text[i] == '%')
      for (std::size_t j = i + 1; j < i + 3; ++j)
        text[j] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[j])));
  return text;
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != text.npos; at += by.size()) text.replace(at, what.size(), by);
  return text;
}

/// The digits of base64 that |secret| alone decides when |before| other bytes stand before it.
std::string base64_behind(std::string_view secret, std::size_t before) {
  std::string digits = base64(std::string(before, '\0') + std::string(secret));
  std::size_t from = (before * 8 + 5) / 6, to = (before + secret.size()) * 8 / 6;
  return digits.substr(from, to - from);
}

void each_text(const Json& json, const auto& see) {
  if (json.is_string()) see(json.get<std::string>());
  if (json.is_structured())
    for (const Json& inner : json) each_text(inner, see);
}

void each_line(std::string_view text, const auto& see) {
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    see(std::string(line));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
}

}  // namespace

void Mask::add(const std::string& secret) {
  if (secret.size() < kShortest) return;
  const auto lock = grows_ ? std::unique_lock(*grows_) : std::unique_lock<std::shared_mutex>();
  auto see = [this](const std::string& text) {
    if (text.size() >= kShortest) add_forms(text);
  };
  see(secret);
  each_line(secret, see);
  Json json = Json::parse(secret, nullptr, false);
  if (json.is_structured()) each_text(json, [&](const std::string& text) { see(text), each_line(text, see); });
}

void Mask::add_forms(const std::string& secret) {
  add_pattern(secret);
  for (std::size_t before = 0; before < 3; ++before) {
    std::string digits = base64_behind(secret, before);
    add_pattern(replaced(replaced(digits, "+", "-"), "/", "_"));
    // As base64(1) and PEM files break it into lines.
    if (before == 0)
      for (std::size_t width : {76, 64})
        for (std::size_t at = 0; digits.size() > width && at < digits.size(); at += width)
          add_pattern(digits.substr(at, width));
    add_pattern(std::move(digits));
  }
  // What different programs leave as it is: RFC 3986, encodeURIComponent, paths, encodeURI, forms.
  for (const char* kept : {"", "!'()*", "/", "!'()*;/?:@&=+$,#"}) {
    std::string encoded = percent_encoded(secret, kept);
    add_pattern(lower_hex(encoded));
    add_pattern(replaced(encoded, "%20", "+"));
    add_pattern(std::move(encoded));
  }
  for (bool ascii : {false, true}) {
    std::string quoted = Json(secret).dump(-1, ' ', ascii, Json::error_handler_t::replace);
    quoted = quoted.substr(1, quoted.size() - 2);
    add_pattern(replaced(quoted, "/", "\\/"));
    add_pattern(std::move(quoted));
  }
}

void Mask::add_pattern(std::string pattern) {
  if (pattern.size() < kShortest) return;
  std::vector<std::uint32_t>& same = by_start_[start_of(pattern.data())];
  if (std::any_of(same.begin(), same.end(), [&](std::uint32_t known) { return patterns_[known] == pattern; })) return;
  same.push_back(static_cast<std::uint32_t>(patterns_.size()));
  begins_.set(start_of(pattern.data()));
  longest_ = std::max(longest_, pattern.size());
  patterns_.push_back(std::move(pattern));
}

std::vector<Mask::Span> Mask::find(std::string_view text, std::size_t covered) const {
  const auto lock = look();
  std::vector<Span> spans;
  if (covered > 0) spans.push_back({0, covered});
  // Every place is looked at, also within what was found: of two secrets that overlap nothing may be left.
  for (std::size_t i = 0; i + kShortest <= text.size(); ++i) {
    std::uint16_t start = start_of(text.data() + i);
    if (!begins_[start]) continue;
    std::size_t length = 0;
    for (std::uint32_t candidate : by_start_.at(start))
      if (patterns_[candidate].size() > length && text.substr(i).starts_with(patterns_[candidate]))
        length = patterns_[candidate].size();
    if (length == 0) continue;
    if (!spans.empty() && i <= spans.back().to)
      spans.back().to = std::max(spans.back().to, i + length);
    else
      spans.push_back({i, i + length});
  }
  return spans;
}

std::size_t Mask::open_from(std::string_view text) const {
  const auto lock = look();
  if (patterns_.empty()) return text.size();
  for (std::size_t i = text.size() - std::min(text.size(), longest_ - 1); i < text.size(); ++i) {
    std::string_view end = text.substr(i);
    if (end.size() >= kStart && !begins_[start_of(end.data())]) continue;
    if (std::any_of(patterns_.begin(), patterns_.end(), [&](const std::string& pattern) {
          return pattern.size() > end.size() && pattern.starts_with(end);
        }))
      return i;
  }
  return text.size();
}

std::string Mask::text(std::string_view text, bool cut) const {
  if (empty()) return std::string(text);
  std::vector<Span> spans = find(text);
  if (std::size_t open = cut ? open_from(text) : text.size(); open < text.size()) spans.push_back({open, text.size()});
  std::string out;
  std::size_t at = 0;
  for (const Span& span : spans) {
    if (span.to <= at) continue;
    if (span.from >= at && !(span.from == at && at > 0)) (out += text.substr(at, span.from - at)) += kStars;
    at = span.to;
  }
  return out += text.substr(at);
}

std::string Mask::json(std::string_view json) const {
  // Without an escape the text says what it says, and one look is enough.
  if (empty() || (json.find('\\') == json.npos && find(json).empty())) return std::string(json);
  std::string out;
  for (std::size_t at = 0; at < json.size();) {
    std::size_t end = at + 1;
    if (json[at] == '"') {
      bool escaped = false;
      for (; json[end] != '"'; ++end)
        if (json[end] == '\\') {
          escaped = true;
          ++end;
        }
      ++end;
      std::string said = escaped ? Json::parse(json.substr(at, end - at)).get<std::string>()
                                 : std::string(json.substr(at + 1, end - at - 2));
      if (find(said).empty())
        out += json.substr(at, end - at);
      else
        append_json_string(out, text(said));
    } else if (json[at] == '-' || std::isdigit(static_cast<unsigned char>(json[at]))) {
      end = std::min(json.find_first_of(",]} \n\t\r", at), json.size());
      std::string_view number = json.substr(at, end - at);
      if (find(number).empty())
        out += number;
      else
        append_json_string(out, text(number));
    } else {
      out += json[at];
    }
    at = end;
  }
  return out;
}

std::string_view Mask::Stream::let(std::size_t end) {
  out_.clear();
  std::size_t at = 0, covered = 0;
  for (const Span& span : mask_.find(held_, covered_)) {
    if (span.from >= end) break;
    out_.append(held_, at, span.from - at);
    if (span.from > 0 || !starred_) out_ += kStars;
    at = std::min(span.to, end);
    covered = span.to - at;
  }
  out_.append(held_, at, end - at);
  if (end > 0) starred_ = at == end;
  held_.erase(0, end);
  covered_ = covered;
  return out_;
}

std::string_view Mask::Stream::pass(std::string_view piece) {
  if (mask_.empty()) return piece;
  held_ += piece;
  return let(mask_.open_from(held_));
}

std::string_view Mask::Stream::rest() { return let(held_.size()); }

}  // namespace flowrun

#include "engine/run/item_splitter.h"

#include <fmt/format.h>

#include "engine/model/json_text.h"

namespace flowrun {

void ItemSplitter::add(std::string_view bytes) {
  const char end = format_ == StreamFormat::Nul ? '\0' : '\n';
  while (!bytes.empty() && trouble_.empty()) {
    const std::size_t at = bytes.find(end);
    open_ += bytes.substr(0, at);
    if (open_.size() > kLongest) {
      ++read_;
      return refuse(fmt::format("is longer than {} bytes", kLongest));
    }
    if (at == std::string_view::npos) return;
    bytes.remove_prefix(at + 1);
    item(std::exchange(open_, {}));
  }
}

void ItemSplitter::end() {
  if (trouble_.empty() && !open_.empty()) item(std::exchange(open_, {}));
}

void ItemSplitter::item(std::string text) {
  ++read_;
  if (format_ != StreamFormat::Nul) {
    if (text.ends_with('\r')) text.pop_back();
    if (read_ == 1) text = without_mark(text);
    if (text.empty()) return;
  }
  if (!is_utf8(text)) return refuse("is not UTF-8; give bytes as base64");
  if (format_ != StreamFormat::Json) return items_.push_back(Value::string(text));
  if (text.find_first_not_of(" \t") == std::string::npos) return;
  auto json = json_of(text);
  if (!json) {
    const std::string why = why_no_json(text);
    return refuse(why.empty() ? "is not JSON" : why);
  }
  items_.push_back(Value(*std::move(json)));
}

void ItemSplitter::refuse(std::string_view why) {
  trouble_ = fmt::format("{} {} {}", format_ == StreamFormat::Nul ? "item" : "line", read_, why);
}

}  // namespace flowrun

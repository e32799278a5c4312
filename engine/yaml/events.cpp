#include "engine/yaml/events.h"

#include <libfyaml.h>

#include <algorithm>
#include <new>

namespace flowrun {
namespace {

std::string text_of(fy_token* token) {
  std::size_t size = 0;
  const char* text = token ? fy_token_get_text(token, &size) : nullptr;
  return text ? std::string(text, size) : std::string();
}

YamlEvent::Style style_of(fy_token* token) {
  switch (fy_token_scalar_style(token)) {
    case FYSS_SINGLE_QUOTED:
      return YamlEvent::Style::Single;
    case FYSS_DOUBLE_QUOTED:
      return YamlEvent::Style::Double;
    case FYSS_LITERAL:
    case FYSS_FOLDED:
      return YamlEvent::Style::Block;
    default:
      return YamlEvent::Style::Plain;
  }
}

}  // namespace

struct YamlEvents::Parser {
  Parser() {
    fy_diag_cfg said{};
    fy_diag_cfg_default(&said);
    said.fp = nullptr;  // nothing is printed
    said.output_fn = nullptr;
    diag = fy_diag_create(&said);
    if (!diag) throw std::bad_alloc();
    fy_diag_set_collect_errors(diag, true);
    fy_parse_cfg how{};
    // Strict YAML wants the brackets of a list or map indented; nobody writes the closing one so.
    how.flags = static_cast<fy_parse_cfg_flags>(FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE |
                                                FYPCF_SLOPPY_FLOW_INDENTATION);
    how.diag = diag;
    parser = fy_parser_create(&how);
    if (!parser) {
      fy_diag_destroy(diag);
      throw std::bad_alloc();
    }
  }
  ~Parser() {
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  fy_diag* diag = nullptr;
  fy_parser* parser = nullptr;
};

YamlEvents::YamlEvents(std::string_view text) : parser_(std::make_unique<Parser>()) {
  if (fy_parser_set_string(parser_->parser, text.data(), text.size()) != 0) throw std::bad_alloc();
}

YamlEvents::~YamlEvents() = default;

std::optional<YamlEvent> YamlEvents::next() {
  for (;;) {
    fy_event* raw = fy_parser_parse(parser_->parser);
    if (!raw) return std::nullopt;
    YamlEvent event;
    bool wanted = true;
    switch (raw->type) {
      case FYET_DOCUMENT_START:
        event.kind = YamlEvent::Kind::Document;
        break;
      case FYET_SCALAR:
        event.kind = YamlEvent::Kind::Scalar;
        event.style = style_of(raw->scalar.value);
        event.text = text_of(raw->scalar.value);
        // Of a block without a line libfyaml 0.7 says that it is a NUL, which no block can hold.
        if (event.style == YamlEvent::Style::Block)
          event.text.erase(std::min(event.text.find('\0'), event.text.size()));
        break;
      case FYET_ALIAS:
        event.kind = YamlEvent::Kind::Alias;
        event.text = text_of(raw->alias.anchor);
        break;
      case FYET_SEQUENCE_START:
      case FYET_MAPPING_START:
        event.kind = raw->type == FYET_MAPPING_START ? YamlEvent::Kind::Map : YamlEvent::Kind::List;
        event.flow = fy_event_get_node_style(raw) == FYNS_FLOW;
        break;
      case FYET_SEQUENCE_END:
      case FYET_MAPPING_END:
        event.kind = YamlEvent::Kind::End;
        break;
      default:
        wanted = false;
    }
    if (const fy_mark* begin = fy_event_start_mark(raw)) event.begin = begin->input_pos;
    if (const fy_mark* end = fy_event_end_mark(raw)) event.end = end->input_pos;
    // Of what is not written libfyaml 0.7 gives no place, and 0.8 that behind it.
    if (event.kind == YamlEvent::Kind::Scalar && event.style == YamlEvent::Style::Plain && event.text.empty())
      event.begin.reset();
    event.anchor = text_of(fy_event_get_anchor_token(raw));
    if (fy_token* tag = fy_event_get_tag_token(raw)) {
      event.tag = text_of(tag);
      if (const fy_mark* begin = fy_token_start_mark(tag)) event.tagged = begin->input_pos;
    }
    fy_parser_event_free(parser_->parser, raw);
    if (wanted) return event;
  }
}

std::optional<YamlError> YamlEvents::error() const {
  if (!fy_parser_get_stream_error(parser_->parser)) return std::nullopt;
  YamlError error{0, 0, ""};
  void* at = nullptr;
  while (const fy_diag_error* one = fy_diag_errors_iterate(parser_->diag, &at)) {
    if (one->type != FYET_ERROR) continue;
    error.message = one->msg;
    const fy_mark* begin = one->fyt ? fy_token_start_mark(one->fyt) : nullptr;
    const fy_mark* end = one->fyt ? fy_token_end_mark(one->fyt) : nullptr;
    if (begin) error.begin = begin->input_pos;
    error.end = end ? end->input_pos : error.begin;
    break;
  }
  return error;
}

}  // namespace flowrun
